// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>

#include "live/set/apply_run.hpp"

namespace ckpt_lease::live {

/// What comes after a break has begun.
enum class After : std::uint8_t {
    nothing,    ///< the deadline ends it
    unlock,     ///< it is over: F_SETLEASE says so
    downgrade,  ///< the same
    time_out,   ///< it is over, but only the kernel may set F_RDLCK on a file open for writing
};

/// What is to be done about one lease.
struct Course {
    LockType type = LockType::unlck;  ///< to be set; F_UNLCK: none
    bool breaks = false;
    bool silent = true;  ///< nobody is signalled when the break begins
    LockType target = LockType::unlck;
    After after = After::nothing;
};

/// `over`: the break's deadline is past.
[[nodiscard]] Course course_of(const Unit& unit, bool over);

/// When the break of a file's leases is to end, in nanoseconds of CLOCK_MONOTONIC: the latest of
/// their deadlines. Nothing: never.
[[nodiscard]] std::optional<std::uint64_t> deadline_of(const Group& group, std::uint64_t begin);

/// When to begin, so that what is left is a time that the clock can set. Where it sets times finely
/// there is nothing to wait for.
[[nodiscard]] std::uint64_t start_of(std::optional<std::uint64_t> deadline,
                                     const BreakClock& clock);

}  // namespace ckpt_lease::live
