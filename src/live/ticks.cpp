// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/ticks.hpp"

#include <ctime>

namespace ckpt_lease::live {

std::uint32_t ticks_per_second() {
    constexpr long kSecondInNs = 1'000'000'000;
    timespec tick{};
    if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) < 0 || tick.tv_sec != 0 || tick.tv_nsec == 0) {
        return 1;
    }
    return static_cast<std::uint32_t>((kSecondInNs + tick.tv_nsec / 2) / tick.tv_nsec);
}

}  // namespace ckpt_lease::live
