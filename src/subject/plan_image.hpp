// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "ckpt-lease/subject/plan.hpp"
#include "rewrite/pass_through.hpp"

namespace ckpt_lease {

/// Plans of what is open already.

/// Fills `into` with bytes of an image from `offset` on, as Opened::read_at() does.
using ReadAt = std::function<std::size_t(std::span<std::byte> into, std::uint64_t offset)>;

/// As make_plan(), of an image of linux-cr that has been read.
[[nodiscard]] Plan plan_image(Snapshot image, const ReadAt& read_at, const PolicyRequest& request);

/// The same of bytes that are read from `source`, and passed on by it if it was told where to.
/// Returns what StreamListener::end() did.
bool rewrite_stream(PassThrough& source, const PolicyRequest& request, StreamListener& listener);

}  // namespace ckpt_lease
