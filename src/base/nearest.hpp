// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ckpt_lease {

/// The one of `known` that somebody who wrote `word` has meant: the only one that begins with it,
/// or the nearest; empty if none is near, or two are as near: at most a third of its letters are
/// others, missing, too many, or exchanged with a neighbour.
[[nodiscard]] std::string nearest(std::string_view word, const std::vector<std::string>& known);

/// "did you mean 'path'?", or nothing if none is near.
[[nodiscard]] std::string did_you_mean(std::string_view word,
                                       const std::vector<std::string>& known);

}  // namespace ckpt_lease
