// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

#include "live/set/run.hpp"

namespace ckpt_lease::live {

/// What comes after a break has begun.
enum class After : std::uint8_t {
    nothing,    ///< the deadline ends it
    unlock,     ///< it is over: F_SETLEASE says so
    downgrade,  ///< the same
    time_out,   ///< it is over, but only the kernel may set F_RDLCK on a file open for writing
};

/// What is to be done about one lease.
struct Plan {
    LockType type = LockType::unlck;  ///< to be set; F_UNLCK: none
    bool breaks = false;
    bool silent = true;  ///< nobody is signalled when the break begins
    LockType target = LockType::unlck;
    After after = After::nothing;
};

/// `is_over`: the deadline of its break is past.
[[nodiscard]] Plan plan_for(const OpenLease& lease, bool is_over);

}  // namespace ckpt_lease::live
