// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>

namespace ckpt_lease::live {

/// What the process that sets leases has just done: tests kill it there.
enum class Step : std::uint8_t {
    prepared,  ///< the descriptors are there
    saved,     ///< owner and signal are noted
    checked,   ///< the lease could be set in place
    taken,     ///< it is taken away
    set,       ///< it is set anew
    armed,     ///< lease-break-time is about to be written
    written,
    opened,    ///< the file, as a breaker
    restored,  ///< lease-break-time is what it was
    broken,    ///< all of the file's leases are known to be
    ended,     ///< a break whose time was over
    decided,
};
inline constexpr Step kAllSteps[] = {Step::prepared, Step::saved,  Step::checked, Step::taken,
                                     Step::set,      Step::armed,  Step::written, Step::opened,
                                     Step::restored, Step::broken, Step::ended,   Step::decided};

using StepHook = std::function<void(Step)>;

}  // namespace ckpt_lease::live
