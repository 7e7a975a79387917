// SPDX-License-Identifier: GPL-2.0-or-later
// The words for locks, and the time that a lease has left.
#include "ckpt-lease/lease/lock.hpp"

#include <gtest/gtest.h>

namespace ckpt_lease {
namespace {

using namespace std::chrono_literals;

TEST(LockWords, Kinds) {
    EXPECT_EQ(to_string(LockKind::lease), "lease");
    EXPECT_EQ(to_string(LockKind::posix), "posix");
    EXPECT_EQ(to_string(LockKind::flock), "flock");
    EXPECT_EQ(to_string(LockKind::other), "other");
}

TEST(LockWords, Types) {
    EXPECT_EQ(to_string(LockType::rdlck), "F_RDLCK");
    EXPECT_EQ(to_string(LockType::wrlck), "F_WRLCK");
    EXPECT_EQ(to_string(LockType::unlck), "F_UNLCK");
    EXPECT_EQ(to_string(static_cast<LockType>(3)), "unknown(3)");
    EXPECT_EQ(to_string(static_cast<LockType>(255)), "unknown(255)");
}

TEST(LockWords, TypesHaveTheKernelsValues) {
    EXPECT_EQ(static_cast<int>(LockType::rdlck), 0);
    EXPECT_EQ(static_cast<int>(LockType::wrlck), 1);
    EXPECT_EQ(static_cast<int>(LockType::unlck), 2);
}

TEST(LockWords, OnlyThreeTypesAreKnown) {
    for (int value = 0; value < 256; ++value) {
        EXPECT_EQ(is_known(static_cast<LockType>(value)), value <= 2) << value;
    }
}

TEST(LockWords, KnownTypesAreReadBack) {
    for (const LockType type : {LockType::rdlck, LockType::wrlck, LockType::unlck}) {
        EXPECT_EQ(parse_lock_type(to_string(type)), type);
    }
    for (const auto* const text : {"", "F_RDLC", "f_rdlck", "F_RDLCK ", "RDLCK", "unknown(3)"}) {
        EXPECT_EQ(parse_lock_type(text), std::nullopt) << text;
    }
}

TEST(RemainingTest, IsATimeOrHasNoDeadline) {
    EXPECT_EQ(Remaining(), Remaining(0s));
    EXPECT_TRUE(Remaining(0s).has_deadline());
    EXPECT_EQ(Remaining(5250ms).time(), 5250ms);
    EXPECT_FALSE(Remaining::no_deadline().has_deadline());
    EXPECT_EQ(Remaining::no_deadline(), Remaining::no_deadline());
    EXPECT_NE(Remaining::no_deadline(), Remaining(0s));
}

TEST(RemainingTest, MayNotBeKnown) {
    EXPECT_FALSE(Remaining::not_known().is_known());
    EXPECT_FALSE(Remaining::not_known().has_deadline());
    EXPECT_NE(Remaining::not_known(), Remaining::no_deadline());
    EXPECT_TRUE(Remaining(0s).is_known());
    EXPECT_TRUE(Remaining::no_deadline().is_known());
}

TEST(RemainingTest, InWords) {
    EXPECT_EQ(to_string(Remaining(5250ms)), "5.25s");
    EXPECT_EQ(to_string(Remaining(0s)), "0s");
    EXPECT_EQ(to_string(Remaining(1ns)), "0.000000001s");
    EXPECT_EQ(to_string(Remaining::no_deadline()), "no deadline");
    EXPECT_EQ(to_string(Remaining::not_known()), "not known");
}

TEST(RemainingTest, RoundsUpToAMultiple) {
    EXPECT_EQ(rounded_up(Remaining(1ns), 1s), Remaining(1s));
    EXPECT_EQ(rounded_up(Remaining(44999999999ns), 1s), Remaining(45s));
    EXPECT_EQ(rounded_up(Remaining(45s + 1ns), 1s), Remaining(46s));
    EXPECT_EQ(rounded_up(Remaining(5250ms), 100ms), Remaining(5300ms));
}

TEST(RemainingTest, RoundingKeepsMultiplesAndNoDeadline) {
    EXPECT_EQ(rounded_up(Remaining(0s), 1s), Remaining(0s));
    EXPECT_EQ(rounded_up(Remaining(45s), 1s), Remaining(45s));
    EXPECT_EQ(rounded_up(Remaining(44999999999ns), 1ns), Remaining(44999999999ns));
    EXPECT_EQ(rounded_up(Remaining::no_deadline(), 1s), Remaining::no_deadline());
}

TEST(LeaseStateTest, EachPartCounts) {
    const LeaseState state{true, LockType::unlck, LockType::wrlck, true, Remaining(5s)};
    EXPECT_EQ(state, state);
    LeaseState other = state;
    other.breaking = false;
    EXPECT_NE(other, state);
    other = state;
    other.type = LockType::rdlck;
    EXPECT_NE(other, state);
    other = state;
    other.previous_type = LockType::rdlck;
    EXPECT_NE(other, state);
    other = state;
    other.notified = false;
    EXPECT_NE(other, state);
    other = state;
    other.remaining = Remaining::no_deadline();
    EXPECT_NE(other, state);
}

TEST(LeaseStateTest, ATypeThatIsNotKnownIsNone) {
    const LeaseState known{true, LockType::unlck, LockType::wrlck, true, Remaining(5s)};
    EXPECT_EQ(known.unbroken_type(), LockType::wrlck);
    LeaseState unknown = known;
    unknown.previous_type.reset();
    EXPECT_EQ(unknown.unbroken_type(), std::nullopt);
    EXPECT_NE(unknown, known);
    unknown.breaking = false;
    EXPECT_EQ(unknown.unbroken_type(), LockType::unlck) << "held, it is what it is";
}

// Read leases are broken to F_UNLCK only.
TEST(LeaseStateTest, WhatABreakTellsOfTheTypeBefore) {
    EXPECT_EQ(type_before_break(LockType::rdlck), LockType::wrlck);
    EXPECT_EQ(type_before_break(LockType::unlck), std::nullopt);
    EXPECT_EQ(type_before_break(LockType::wrlck), std::nullopt) << "there is no such break";
}

TEST(LockTest, OnlyALeaseIsBeingBroken) {
    Lock lock;
    lock.kind = LockKind::lease;
    EXPECT_FALSE(is_breaking(lock));
    lock.lease.breaking = true;
    EXPECT_TRUE(is_breaking(lock));
    lock.kind = LockKind::posix;
    EXPECT_FALSE(is_breaking(lock));
}

}  // namespace
}  // namespace ckpt_lease
