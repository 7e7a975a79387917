// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <functional>
#include <optional>

#include "ckpt-lease/lease/lock_list.hpp"

namespace ckpt_lease {

/// One lease that is not the same in two lists. Where it is missing from one, that side is empty.
struct LeaseDifference {
    std::optional<std::size_t> first;   ///< index in the first list
    std::optional<std::size_t> second;  ///< index in the second list
};

/// Tells `found` how the leases of two lists differ: first those of `first`, in its order, then
/// those that only `second` has. Leases are matched by the tasks that hold them, the descriptor and
/// the path; where several are alike in that, by their order.
void compare_leases(const LockList& first, const LockList& second,
                    const std::function<void(const LeaseDifference&)>& found);

}  // namespace ckpt_lease
