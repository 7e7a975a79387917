// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

namespace ckpt_lease::live {

/// CONFIG_HZ: CLOCK_MONOTONIC_COARSE goes on once a tick. Deadlines of lease breaks are kept in
/// ticks.
[[nodiscard]] std::uint32_t ticks_per_second();

}  // namespace ckpt_lease::live
