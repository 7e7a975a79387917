// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "live/set/run.hpp"
#include "live/set/run_lock.hpp"

namespace ckpt_lease::live {

/// What the processes of a run have been given by its caller.
struct Order {
    std::span<const WantedLease> wanted;
    SharedRun& shared;
    const ApplyHooks& hooks;
    RunLock& lock;
    Fd& end;  ///< of a pipe, that is open as long as any of them is there
    bool dry_run = false;
    StopHold* hold = nullptr;  ///< as in Run
};

enum class Duty : std::uint8_t {
    set,    ///< and before it, look; a dry run ends there
    leave,  ///< put owners and signals back, and say why
};

/// Does its duty for the leases at `places`, in a process of its own, which ends with it. The only
/// one that touches files: it may hang, and be given up. `why`: leases are left as they are.
[[noreturn]] void work(const Order& order, std::span<const std::size_t> places, Duty duty,
                       std::string_view why);

}  // namespace ckpt_lease::live
