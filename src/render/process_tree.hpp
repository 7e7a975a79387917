// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "ckpt-lease/lease/snapshot.hpp"

namespace ckpt_lease::render {

/// A process in the drawing of a tree.
struct TreeNode {
    std::size_t process = 0;  ///< its place
    std::string before;       ///< what stands in front of its name
    std::string below;        ///< and in front of what belongs to it, in the lines below
};

/// Hands the processes to `visit` as a tree, each behind its parent: threads are below their
/// processes, and who has no parent among them stands at the left. Left out are those of which
/// `wanted` is false, but for those above one of which it is true.
void draw_tree(std::span<const ProcessFacts> processes, const std::vector<bool>& wanted, bool utf8,
               const std::function<void(const TreeNode&)>& visit);

}  // namespace ckpt_lease::render
