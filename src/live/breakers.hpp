// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/inode.hpp"
#include "ckpt-lease/base/time.hpp"
#include "live/processes.hpp"

namespace ckpt_lease::live {

/// A process that waits until a lease on `inode` is given up, in whatever system call.
struct Breaker {
    pid_t pid = 0;     ///< 0: it is in another pid namespace, and cannot be seen from here
    std::string comm;  ///< bytes; empty if it has ended, or cannot be seen
    Inode inode;       ///< as proc(5) names it, which may not be fstat(2)'s name
    /// How long it has been there, and so waits at most; nothing if it cannot be seen.
    std::optional<Nanoseconds> age = {};
};

/// The leases on a file, through whatever open files.
struct FileLeases {
    std::size_t count = 0;
    FdinfoLease first;      ///< what the first of them is
    bool are_alike = true;  ///< and all others

    friend bool operator==(const FileLeases&, const FileLeases&) = default;
};

/// What /proc/locks says of leases.
struct SystemLeases {
    std::map<Inode, FileLeases> files;
    std::vector<Breaker> breakers;  ///< in the order of the file; `comm` is empty

    /// None if there is no lease on it.
    [[nodiscard]] FileLeases of(const Inode& inode) const {
        const auto found = files.find(inode);
        return found == files.end() ? FileLeases{} : found->second;
    }
};

/// Reads the text of /proc/locks. Leases that were set by processes of other pid namespaces, or by
/// such as have ended in one that is not the machine's own, do not stand there, nor does who waits
/// for them.
[[nodiscard]] SystemLeases parse_locks(std::string_view text);

/// What /proc/locks says now; nothing if it cannot be read. No other process's memory or file is
/// looked at: nobody can have the caller hang.
[[nodiscard]] SystemLeases read_locks();

/// All processes that wait for a lease, by their pids.
[[nodiscard]] std::vector<Breaker> find_breakers();

}  // namespace ckpt_lease::live
