// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <functional>

#include "render/json_writer.hpp"

namespace ckpt_lease::render {

/// Writes those elements of a list that stand from `begin` up to, and without, `end`. Returns
/// whether there were any.
using WriteElements = std::function<bool(JsonWriter& json, std::size_t begin, std::size_t end)>;

/// Writes a list of `count` elements into the array that is open, in their order. A long list is
/// written by two threads: `write` must bear to be called by both at a time. Returns whether there
/// were any. What either of them throws is thrown.
bool write_elements(JsonWriter& json, std::size_t count, const WriteElements& write);

}  // namespace ckpt_lease::render
