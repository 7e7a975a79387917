// SPDX-License-Identifier: GPL-2.0-or-later
// What stands behind an objref is found again, however the numbers come.
#include "linux_cr/objref_map.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <utility>
#include <vector>

namespace ckpt_lease::linux_cr {
namespace {

enum class Id : std::uint32_t {};

using Entries = std::vector<std::pair<std::int32_t, std::uint32_t>>;

void expect_all_found(const Entries& entries) {
    ObjrefMap<Id> map;
    for (const auto& [objref, id] : entries) {
        EXPECT_FALSE(map.find(objref)) << objref;
        EXPECT_TRUE(map.insert(objref, Id{id})) << objref;
        EXPECT_EQ(map.find(objref), Id{id}) << objref;
    }
    for (const auto& [objref, id] : entries) {
        EXPECT_EQ(map.find(objref), Id{id}) << objref;
        EXPECT_FALSE(map.insert(objref, Id{id + 1})) << objref;
        EXPECT_EQ(map.find(objref), Id{id}) << objref << " is what it was";
    }
}

TEST(ObjrefMap, StartsEmpty) {
    const ObjrefMap<Id> map;
    for (const std::int32_t objref : {std::numeric_limits<std::int32_t>::min(), -1, 0, 1, 64}) {
        EXPECT_FALSE(map.find(objref));
    }
}

TEST(ObjrefMap, NumbersThatGoUpwards) {
    for (const std::int32_t step : {1, 2, 3, 63, 64, 65, 1000}) {
        Entries entries;
        for (std::uint32_t id = 0; id < 1000; ++id) {
            entries.emplace_back(1 + static_cast<std::int32_t>(id) * step, id);
        }
        expect_all_found(entries);
    }
}

TEST(ObjrefMap, IdsThatLeaveGaps) {
    expect_all_found({{1, 0}, {2, 1}, {3, 5}, {4, 6}, {5, 3}, {63, 7}, {64, 9}, {130, 8}});
}

TEST(ObjrefMap, NumbersInAnyOrder) {
    expect_all_found({{500, 0}, {3, 1}, {501, 2}, {502, 3}, {2, 4}, {499, 5}, {1, 6}});
}

TEST(ObjrefMap, TheLargestNumber) {
    expect_all_found({{1, 0}, {std::numeric_limits<std::int32_t>::max(), 1}});
}

TEST(ObjrefMap, NeighboursAreNotThere) {
    ObjrefMap<Id> map;
    ASSERT_TRUE(map.insert(64, Id{0}));
    ASSERT_TRUE(map.insert(66, Id{1}));
    for (const std::int32_t objref : {-64, -1, 0, 1, 63, 65, 67, 128}) {
        EXPECT_FALSE(map.find(objref)) << objref;
    }
}

}  // namespace
}  // namespace ckpt_lease::linux_cr
