// SPDX-License-Identifier: GPL-2.0-or-later
// What the kernel prints of the leases of live processes.
#include <gtest/gtest.h>
#include <sys/sysmacros.h>

#include "ckpt-lease/live/breakers.hpp"
#include "ckpt-lease/live/lease_trace.hpp"
#include "ckpt-lease/live/processes.hpp"

namespace ckpt_lease::live {
namespace {

using namespace std::chrono_literals;

TEST(Fdinfo, ALeaseThatIsHeld) {
    const auto lease =
        parse_fdinfo_line("lock:\t1: LEASE  ACTIVE    WRITE 4242 fe:00:12985598 0 EOF");
    ASSERT_TRUE(lease);
    EXPECT_EQ(*lease, (FdinfoLease{false, LockType::wrlck, {makedev(0xfe, 0), 12985598}}));
}

TEST(Fdinfo, ALeaseThatIsBeingBrokenShowsWhatItBecomes) {
    EXPECT_EQ(parse_fdinfo_line("lock:\t1: LEASE  BREAKING  READ  7 08:21:5 0 EOF"),
              (FdinfoLease{true, LockType::rdlck, {makedev(8, 0x21), 5}}));
    EXPECT_EQ(parse_fdinfo_line("lock:\t2: LEASE  BREAKING  UNLCK 7 08:21:5 0 EOF"),
              (FdinfoLease{true, LockType::unlck, {makedev(8, 0x21), 5}}));
}

TEST(ProcLocks, TellsHowManyLeasesThereAreAndWhoWaits) {
    const SystemLeases found = parse_locks(
        "1: LEASE  BREAKING  UNLCK 7 08:21:5 0 EOF\n"
        "1: -> LEASE  BREAKER   WRITE 42 <none>:0 0 EOF\n"
        "1:    -> LEASE  BREAKER   READ  43 <none>:0 0 EOF\n"
        "2: LEASE  BREAKING  UNLCK 8 08:21:5 0 EOF\n"
        "3: POSIX  ADVISORY  WRITE 9 08:21:6 0 EOF\n"
        "3: -> POSIX  ADVISORY  WRITE 44 08:21:6 0 EOF\n"
        "4: DELEG  BREAKING  READ  9 08:21:7 0 EOF\n"
        "4: -> DELEG  BREAKER   READ  45 <none>:0 0 EOF\n"
        "5: LEASE  ACTIVE    READ  9 08:21:7 0 EOF\n");
    const Inode broken{makedev(8, 0x21), 5};
    EXPECT_EQ(found.count, (std::map<Inode, std::size_t>{{broken, 2}, {{makedev(8, 0x21), 7}, 1}}));
    ASSERT_EQ(found.breakers.size(), 2U);
    EXPECT_EQ(found.breakers[0].pid, 42);
    EXPECT_EQ(found.breakers[0].inode, broken);
    EXPECT_EQ(found.breakers[1].pid, 43);
    EXPECT_EQ(found.breakers[1].inode, broken);
}

TEST(ProcLocks, WhoWaitsForALockHasNoLease) {
    EXPECT_EQ(parse_lock("3: LEASE  ACTIVE    READ 7 08:21:5 0 EOF"),
              (FdinfoLease{false, LockType::rdlck, {makedev(8, 0x21), 5}}));
    EXPECT_FALSE(parse_lock("3: -> LEASE  ACTIVE    READ 7 08:21:5 0 EOF"));
}

TEST(Fdinfo, NothingElseIsALease) {
    for (const char* const line :
         {"", "pos:\t0", "lock:\t1: POSIX  ADVISORY  WRITE 7 fe:00:5 0 EOF",
          "lock:\t1: FLOCK  ADVISORY  WRITE 7 fe:00:5 0 EOF",
          "lock:\t1: DELEG  ACTIVE    READ  7 fe:00:5 0 EOF",
          "lock:\t1: LEASE  BREAKER   READ  7 fe:00:5 0 EOF",
          "lock:\t1: LEASE  ACTIVE    OTHER 7 fe:00:5 0 EOF",
          "lock:\t1: LEASE  ACTIVE    READ  7 fe:00 0 EOF",
          "lock:\t1: LEASE  ACTIVE    READ  7 fe:xx:5 0 EOF"}) {
        EXPECT_FALSE(parse_fdinfo_line(line)) << line;
    }
}

TEST(TimerList, TellsJiffies) {
    EXPECT_EQ(parse_timer_list("Timer List Version: v0.10\nHRTIMER_MAX_CLOCK_BASES: 8\n"
                               "now at 1000000000000 nsecs\n\ncpu: 0\n  .idle_jiffies   : 7\n"
                               "jiffies: 4295142296\n"),
              4295142296U);
}

TEST(TimerList, OneThatDoesNotTellIsNone) {
    EXPECT_FALSE(parse_timer_list(""));
    EXPECT_FALSE(parse_timer_list("now at 1000000000000 nsecs\n")) << "no jiffies";
    EXPECT_FALSE(parse_timer_list("jiffies: soon\n"));
}

constexpr SteadyTime kMoment(1000s);
constexpr Jiffies kNow{4295000000, 250, kMoment};

std::string line_of(const std::string& flags, const std::string& type, const std::string& times) {
    return "  ckpt-lease-42 [001] ..... 12.345: time_out_leases: fl=00000000ab dev=0xfe:0x1 "
           "ino=0x1f fl_blocker=0000 fl_owner=00cd fl_flags=" +
           flags + " fl_type=" + type + " " + times;
}

TEST(Trace, AWriterBreaksAWriteLease) {
    const auto lease = parse_trace_line(line_of("FL_LEASE|FL_UNLOCK_PENDING", "F_WRLCK",
                                                "fl_break_time=4295001001 fl_downgrade_time=0"),
                                        kNow, kMoment);
    ASSERT_TRUE(lease);
    EXPECT_EQ(lease->inode, (Inode{makedev(0xfe, 1), 0x1f}));
    EXPECT_EQ(lease->state,
              (LeaseState{true, LockType::unlck, LockType::wrlck, true, Remaining(4004ms)}));
}

TEST(Trace, AReaderBreaksAWriteLease) {
    const auto lease = parse_trace_line(line_of("FL_LEASE|FL_DOWNGRADE_PENDING", "F_WRLCK",
                                                "fl_break_time=0 fl_downgrade_time=4295000250"),
                                        kNow, kMoment);
    ASSERT_TRUE(lease);
    EXPECT_EQ(lease->state,
              (LeaseState{true, LockType::rdlck, LockType::wrlck, true, Remaining(1s)}));
}

TEST(Trace, OfTwoBreaksTheUnlockIsTold) {
    const auto lease =
        parse_trace_line(line_of("FL_LEASE|FL_DOWNGRADE_PENDING|FL_UNLOCK_PENDING", "F_WRLCK",
                                 "fl_break_time=4295000500 fl_downgrade_time=4295000250"),
                         kNow, kMoment);
    ASSERT_TRUE(lease);
    EXPECT_EQ(lease->state.type, LockType::unlck);
    EXPECT_EQ(lease->state.remaining, Remaining(2s));
}

TEST(Trace, PastDeadlinesAndNone) {
    const auto remaining = [](const std::string& times) {
        return parse_trace_line(line_of("FL_LEASE|FL_UNLOCK_PENDING", "F_RDLCK", times), kNow,
                                kMoment)
            ->state.remaining;
    };
    EXPECT_EQ(remaining("fl_break_time=4294999999 fl_downgrade_time=0"), Remaining(0s));
    EXPECT_EQ(remaining("fl_break_time=0 fl_downgrade_time=0"), Remaining::no_deadline());
}

TEST(Trace, WhatIsLeftCountsFromAnyMoment) {
    const std::string line = line_of("FL_LEASE|FL_UNLOCK_PENDING", "F_RDLCK",
                                     "fl_break_time=4295000250 fl_downgrade_time=0");
    EXPECT_EQ(parse_trace_line(line, kNow, kMoment - 30s)->state.remaining, Remaining(31s));
    EXPECT_EQ(parse_trace_line(line, kNow, kMoment + 1ms)->state.remaining, Remaining(999ms));
    EXPECT_EQ(parse_trace_line(line, kNow, kMoment + 2s)->state.remaining, Remaining(0s));
}

TEST(Trace, ALeaseThatIsHeldHasNoTime) {
    const auto lease = parse_trace_line(
        line_of("FL_LEASE", "F_RDLCK", "fl_break_time=0 fl_downgrade_time=0"), kNow, kMoment);
    ASSERT_TRUE(lease);
    EXPECT_EQ(lease->state, LeaseState());
}

TEST(Trace, NothingElseIsALease) {
    for (const std::string& line :
         {std::string(), std::string("# tracer: nop"),
          std::string("x-1 [000] ..... 1.0: generic_add_lease: dev=0xfe:0x1"),
          line_of("FL_LEASE", "F_OTHER", "fl_break_time=0 fl_downgrade_time=0"),
          line_of("FL_LEASE", "F_RDLCK", "fl_break_time=0")}) {
        EXPECT_FALSE(parse_trace_line(line, kNow, kMoment)) << line;
    }
}

}  // namespace
}  // namespace ckpt_lease::live
