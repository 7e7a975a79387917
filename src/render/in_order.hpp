// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace ckpt_lease {

/// Has `render` make `pieces` texts, the first of them number 0, and hands them to `write` in their
/// order: how a very long output is made of parts that do not need one another. Several threads
/// call `render`, where there are processors for them and pieces enough; only this one calls
/// `write`. A few texts are kept at most, and used again: `render` finds an old one in its place.
/// What either throws, this throws.
void in_order(std::size_t pieces,
              const std::function<void(std::size_t piece, std::string& text)>& render,
              const std::function<void(std::string_view)>& write);

}  // namespace ckpt_lease
