// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>
#include <string>
#include <vector>

#include "ckpt-lease/live/apply.hpp"

namespace ckpt_lease::live {

/// Begins an ordinary break of each lease, as a breaker's open(2) would: for the whole
/// lease-break-time, and the holder is signalled. For leases that were to be set in the middle of
/// their break and could not be: without this, a holder that was signalled before its checkpoint
/// would keep a lease that nobody asks for again. A break that goes on already stays as it is.
///
/// One result for each, in their order: empty if a break goes on now, else why not, a sentence
/// without a full stop. Files are touched by processes of their own, which are given up after 2 s.
/// Throws Error(io) if there is no memory or process to be had.
[[nodiscard]] std::vector<std::string> begin_ordinary_breaks(std::span<const WantedLease> leases);

}  // namespace ckpt_lease::live
