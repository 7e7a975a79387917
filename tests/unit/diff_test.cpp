// SPDX-License-Identifier: GPL-2.0-or-later
// How the leases of two images differ.
#include "lease/diff.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lease_support.hpp"

namespace ckpt_lease {
namespace {

using namespace std::chrono_literals;
using Texts = std::vector<std::string>;

// Differences as "FIRST SECOND", the indexes in the lists or "-".
Texts differences(const ListBuilder& first, const ListBuilder& second) {
    Texts found;
    compare_leases(first.list(), second.list(), [&](const LeaseDifference& difference) {
        const auto text = [](const std::optional<std::size_t>& index) {
            return index ? std::to_string(*index) : "-";
        };
        found.push_back(text(difference.first) + " " + text(difference.second));
    });
    return found;
}

TEST(Diff, EqualListsHaveNoDifferences) {
    ListBuilder first;
    first.lease("/a", 1, 3, breaking(5s));
    first.lease("/b", 2, 3, held(LockType::rdlck));
    EXPECT_EQ(differences(first, first), Texts{});
    EXPECT_EQ(differences({}, {}), Texts{});
}

TEST(Diff, TheOrderAndThePlaceOfLeasesDoNotMatter) {
    ListBuilder first;
    first.lease("/a", 1, 3, breaking(5s));
    first.lease("/b", 2, 3, breaking(6s));
    ListBuilder second;
    second.posix("/c", 1, 9);
    second.lease("/b", 2, 3, breaking(6s));
    second.lease("/a", 1, 3, breaking(5s));
    EXPECT_EQ(differences(first, second), Texts{});
}

TEST(Diff, EveryPartOfTheStateCounts) {
    std::vector<LeaseState> others(5, breaking(5s));
    others[0].remaining = Remaining(5s + 1ns);
    others[1].remaining = Remaining::no_deadline();
    others[2].notified = false;
    others[3].type = LockType::rdlck;
    others[4] = held(LockType::wrlck);
    for (std::size_t i = 0; i < others.size(); ++i) {
        ListBuilder first;
        first.lease("/a", 1, 3, breaking(5s));
        ListBuilder second;
        second.lease("/z", 1, 3, breaking(5s));
        second.lease("/a", 1, 3, others[i]);
        EXPECT_EQ(differences(first, second), (Texts{"0 1", "- 0"})) << i;
    }
}

TEST(Diff, LeasesOfOtherTasksDescriptorsOrPathsAreOthers) {
    ListBuilder first;
    first.lease("/a", 1, 3, breaking(5s));
    for (const auto& [path, pid, fd] :
         {std::tuple("/b", 1, 3), std::tuple("/a", 2, 3), std::tuple("/a", 1, 4)}) {
        ListBuilder second;
        second.lease(path, pid, fd, breaking(5s));
        EXPECT_EQ(differences(first, second), (Texts{"0 -", "- 0"}))
            << path << ' ' << pid << ' ' << fd;
    }
}

TEST(Diff, ASharedTableIsMatchedByAllItsTasks) {
    ListBuilder first;
    first.lease(first.file("/a"), first.table({{1, "x"}, {2, "x"}}), 3, breaking(5s));
    ListBuilder same;
    same.lease(same.file("/a"), same.table({{1, "x"}, {2, "renamed"}}), 3, breaking(5s));
    EXPECT_EQ(differences(first, same), Texts{});
    ListBuilder fewer;
    fewer.lease(fewer.file("/a"), fewer.table({{1, "x"}}), 3, breaking(5s));
    EXPECT_EQ(differences(first, fewer), (Texts{"0 -", "- 0"}));
    EXPECT_EQ(differences(fewer, first), (Texts{"0 -", "- 0"}));
}

TEST(Diff, OtherLocksDoNotCount) {
    ListBuilder first;
    first.posix("/a", 1, 3);
    EXPECT_EQ(differences(first, {}), Texts{});
    EXPECT_EQ(differences({}, first), Texts{});
}

TEST(Diff, TellsThoseOfTheFirstListInItsOrderAndThenTheRest) {
    ListBuilder first;
    first.lease("/z", 1, 3, breaking(1s));
    first.lease("/gone", 1, 3, breaking(1s));
    first.lease("/same", 1, 3, breaking(1s));
    first.lease("/a", 1, 3, breaking(1s));
    ListBuilder second;
    second.lease("/new2", 1, 3, breaking(1s));
    second.lease("/a", 1, 3, breaking(2s));
    second.lease("/new1", 1, 3, breaking(1s));
    second.lease("/same", 1, 3, breaking(1s));
    second.lease("/z", 1, 3, breaking(2s));
    EXPECT_EQ(differences(first, second), (Texts{"0 4", "1 -", "3 1", "- 0", "- 2"}));
}

TEST(Diff, LeasesThatAreAlikeAreMatchedInTheirOrder) {
    ListBuilder first;
    first.lease("/a", 1, 3, breaking(1s));
    first.lease("/a", 1, 3, breaking(2s));
    ListBuilder second;
    second.lease("/a", 1, 3, breaking(1s));
    second.lease("/a", 1, 3, breaking(9s));
    second.lease("/a", 1, 3, breaking(3s));
    EXPECT_EQ(differences(first, second), (Texts{"1 1", "- 2"}));
}

}  // namespace
}  // namespace ckpt_lease
