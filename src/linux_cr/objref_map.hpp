// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <utility>

namespace ckpt_lease::linux_cr {

/// From the objref of a shared object to what we call it. Kernels number the objects of an image
/// upwards, so a sorted array that is appended to serves, at a fraction of a hash table's memory;
/// numbers that come out of order, as only a damaged image has them, go into a map.
template <typename Id>
class ObjrefMap {
 public:
    /// False if the objref is taken.
    bool insert(std::int32_t objref, Id id) {
        if (find(objref) != nullptr) {
            return false;
        }
        if (ordered_.empty() || ordered_.back().first < objref) {
            ordered_.emplace_back(objref, id);
        } else {
            others_.emplace(objref, id);
        }
        return true;
    }

    [[nodiscard]] const Id* find(std::int32_t objref) const {
        const auto at =
            std::lower_bound(ordered_.begin(), ordered_.end(), objref,
                             [](const auto& entry, std::int32_t o) { return entry.first < o; });
        if (at != ordered_.end() && at->first == objref) {
            return &at->second;
        }
        const auto other = others_.find(objref);
        return other == others_.end() ? nullptr : &other->second;
    }

 private:
    std::deque<std::pair<std::int32_t, Id>> ordered_;
    std::map<std::int32_t, Id> others_;
};

}  // namespace ckpt_lease::linux_cr
