// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/inode.hpp"
#include "ckpt-lease/base/time.hpp"
#include "live/apply.hpp"
#include "live/fd.hpp"
#include "live/processes.hpp"
#include "live/shared_array.hpp"
#include "live/stop_hold.hpp"

namespace ckpt_lease::live {

/// A process, and how to be sure that it is still the one that was looked at.
struct ToStop {
    pid_t pid = 0;
    pid_t thread = 0;        ///< one of its threads
    Nanoseconds started{0};  ///< that thread

    friend bool operator==(const ToStop&, const ToStop&) = default;
};

/// In memory that the guard and its caller share: whoever is left lets go what is stopped.
struct StopEntry {
    ToStop process;
    std::atomic<bool> is_stopped{false};  ///< by us, or is about to be
};

/// What the guard and its caller share.
struct StopShared {
    StopHold hold;
    std::atomic<std::size_t> count{0};  ///< of entries that are filled in
    std::array<char, 240> error{};      ///< why not all could be stopped
    std::span<StopEntry> entries;
};

/// Lets go all that is stopped, those that were stopped last first: who waits for a lease waits
/// again before its holder goes on, as before. Nobody sets leases from then on.
void let_go(StopShared& shared);

/// Stops processes, in the guard.
class Stopping {
 public:
    /// `caller` is not stopped, and neither is this process.
    Stopping(StopShared& shared, std::span<const WantedLease> leases, pid_t caller)
        : shared_(shared), leases_(leases), known_{caller, getpid()} {}

    /// `holders`, and whoever waits for their leases. Throws Error(io) if one may not be stopped or
    /// does not stop in time.
    void stop_all(const std::vector<ToStop>& holders);

 private:
    void stop(const ToStop& process, int pidfd);
    void stop_holder(const ToStop& process);
    bool stop_breakers();
    [[nodiscard]] std::set<pid_t> waiting() const;
    void find_files();
    [[nodiscard]] const ToStop* find_running() const;

    StopShared& shared_;
    std::span<const WantedLease> leases_;
    std::set<pid_t> known_;
    std::set<Inode> files_;
};

}  // namespace ckpt_lease::live
