// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "ckpt-lease/base/inode.hpp"
#include "ckpt-lease/criu/file_locks.hpp"
#include "ckpt-lease/lease/lock_list.hpp"

namespace ckpt_lease::criu {

/// What CRIU is to make of its own entries, where the leases of its tasks were captured too. It
/// would break those anew that were being broken, for the whole lease-break-time, and their holders
/// would be signalled once more. It is to restore them as if nobody had come yet: whoever breaks
/// them is restored too, or their deadlines are set before.
class CapturedLeases {
 public:
    /// `pids`: all tasks that were looked at, by their pids in the container. `inodes`: of the
    /// leased files, by FileId.
    CapturedLeases(std::set<std::int32_t> pids, const LockList& leases,
                   const std::vector<Inode>& inodes);

    /// What becomes of an entry. `is_written`: whether LockDetails::file_is_written of it; asked
    /// only where it matters.
    [[nodiscard]] FileLockEdit decide(const FileLockEntry& entry,
                                      const std::function<bool()>& is_written) const;

 private:
    struct Lease {
        LeaseState state;
        Inode inode;
    };
    std::set<std::int32_t> pids_;
    std::map<std::pair<std::int32_t, std::int32_t>, Lease> leases_;  // by pid and descriptor
    std::set<Inode> unsettled_;  // with a break of which too little is known
};

}  // namespace ckpt_lease::criu
