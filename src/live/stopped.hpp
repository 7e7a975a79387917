// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <vector>

#include "ckpt-lease/base/time.hpp"
#include "live/apply.hpp"
#include "live/processes.hpp"
#include "live/stop_hold.hpp"

namespace ckpt_lease::live {

/// How long processes are kept stopped.
struct StopPatience {
    Nanoseconds in_all = std::chrono::seconds(60);
    /// Of that, how long a lease that is being set by then is waited for.
    Nanoseconds to_finish = std::chrono::seconds(4);
    Nanoseconds behind_caller = std::chrono::seconds(10);  ///< after the end of who stopped them
};

/// The processes that hold leases, and those that wait for these, stopped by SIGSTOP for as long as
/// this is there. One that waits in open(2) for a lease stops waiting, and begins its open(2) anew
/// when it goes on: so leases can be set that somebody waited for.
///
/// What was stopped before is left as it is, and stays stopped. All others go on in the end: a
/// guard, a process of its own and out of reach of the signals that this one gets, sees to it. If
/// this process ends in whatever way, the guard lets them go as soon as those that apply() has
/// started have ended too, but after 10 s at the latest. If the guard is killed, this process lets
/// them go. Nobody is stopped for longer than a minute, even if this process is stopped itself
/// meanwhile: hold() is for whoever sets leases to know of that.
///
/// SIGTSTP is blocked meanwhile: ^Z would leave them stopped.
class Stopped {
 public:
    /// `processes`: where the pids of `leases` come from. Only they are stopped, and no others that
    /// have their pids by now, nor those whose descriptor leads to another path. Throws Error(io),
    /// and lets all go, if one may not be stopped or does not stop within 2 s.
    Stopped(std::span<const WantedLease> leases, std::span<const Process> processes,
            const StopPatience& patience = {});
    Stopped(const Stopped&) = delete;
    Stopped& operator=(const Stopped&) = delete;
    ~Stopped();

    /// For ApplyOptions.
    [[nodiscard]] StopHold& hold() const;

 private:
    class Caller;
    std::unique_ptr<Caller> caller_;
};

}  // namespace ckpt_lease::live
