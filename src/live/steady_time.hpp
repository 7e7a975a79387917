// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>

#include "ckpt-lease/base/time.hpp"

namespace ckpt_lease::live {

/// A moment of CLOCK_MONOTONIC. Deadlines and what they count from are kept as moments: a span that
/// ends "now" is wrong by whatever time passes before it is used.
using SteadyTime = std::chrono::time_point<std::chrono::steady_clock, Nanoseconds>;

[[nodiscard]] inline SteadyTime steady_now() {
    return std::chrono::steady_clock::now();
}

/// Where no moment is meant.
inline constexpr SteadyTime kNever{};

}  // namespace ckpt_lease::live
