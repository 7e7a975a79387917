// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "live/apply.hpp"

namespace ckpt_lease::live {

/// What came of a break that was to be begun.
struct OrdinaryBreak {
    enum class Outcome : std::uint8_t {
        begun,
        goes_on,  ///< it had begun before, and has the deadline that it had
        failed,   ///< for `reason`
    };
    Outcome outcome = Outcome::failed;
    std::string reason;  ///< a sentence without a full stop; empty if it has not failed

    friend bool operator==(const OrdinaryBreak&, const OrdinaryBreak&) = default;
};

/// Begins an ordinary break of each lease, as a breaker's open(2) would: for the whole
/// lease-break-time, and the holder is signalled; other leases on the file are broken with it. For
/// leases that were to be set in the middle of their break and could not be: without this, a holder
/// that was signalled before its checkpoint would keep a lease that nobody asks for again.
///
/// One result for each, in their order. Files are touched by processes of their own: what does not
/// answer is given up after 2 s, and so is all else on its file system. Throws Error(io) if there
/// is no memory or process to be had.
[[nodiscard]] std::vector<OrdinaryBreak> begin_ordinary_breaks(std::span<const WantedLease> leases);

}  // namespace ckpt_lease::live
