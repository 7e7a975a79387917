// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>

namespace ckpt_lease::linux_cr {

/// From the objref of a shared object to what we call it, by numbers from 0.
///
/// Kernels number the objects of an image upwards, and so do we: all that has to be kept is which
/// objrefs there are, a bit for each. Numbers that come out of order, as only a damaged image has
/// them, go into a map.
template <typename Id>
class ObjrefMap {
 public:
    /// False if the objref is taken; it is from 1 on.
    bool insert(std::int32_t objref, Id id) {
        if (objref <= last_) {
            return !find(objref) && others_.emplace(objref, id).second;
        }
        const bool follows =
            static_cast<std::uint32_t>(id) == static_cast<std::uint32_t>(last_id_) + 1;
        if (!follows || blocks_.empty() || blocks_.back().first != first_of_block(objref)) {
            blocks_.push_back({first_of_block(objref), static_cast<std::uint32_t>(id), 0});
        }
        last_ = objref;
        last_id_ = id;
        blocks_.back().there |= bit_of(objref);
        return true;
    }

    [[nodiscard]] std::optional<Id> find(std::int32_t objref) const {
        if (objref == last_ && objref > 0) {
            return last_id_;  // mostly it is this one that is asked for
        }
        const std::int32_t first = first_of_block(objref);
        auto at = std::upper_bound(blocks_.begin(), blocks_.end(), first,
                                   [](std::int32_t f, const Block& b) { return f < b.first; });
        while (at != blocks_.begin() && (--at)->first == first) {
            if ((at->there & bit_of(objref)) != 0) {
                const auto before = std::popcount(at->there & (bit_of(objref) - 1));
                return static_cast<Id>(at->id + static_cast<std::uint32_t>(before));
            }
        }
        const auto other = others_.find(objref);
        return other == others_.end() ? std::nullopt : std::optional<Id>(other->second);
    }

 private:
    // 64 objrefs and those of them that are there. Their ids follow one another; where they do
    // not, there is another block for the same objrefs.
    struct Block {
        std::int32_t first;
        std::uint32_t id;  // of the first that is there
        std::uint64_t there;
    };
    static constexpr std::int32_t first_of_block(std::int32_t objref) { return objref & ~63; }
    static constexpr std::uint64_t bit_of(std::int32_t objref) {
        return std::uint64_t{1} << (static_cast<std::uint32_t>(objref) & 63U);
    }

    std::deque<Block> blocks_;
    std::int32_t last_ = 0;
    Id last_id_{};
    std::map<std::int32_t, Id> others_;
};

}  // namespace ckpt_lease::linux_cr
