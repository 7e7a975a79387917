// SPDX-License-Identifier: GPL-2.0-or-later
// What the kernel is told, and tells, with F_SETLEASE_STATE and F_GETLEASE_STATE.
#include "live/lease_state.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "live/look/inspector.hpp"
#include "live/steady_time.hpp"
#include "processes.hpp"

namespace ckpt_lease::live::test {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::steady_clock::time_point kBegin{7s + 5ns};

std::string bytes_of(const KernelLeaseState& state) {
    std::string bytes(sizeof state, '\0');
    std::memcpy(bytes.data(), &state, sizeof state);
    return bytes;
}

// remaining_ns, begin_ns, type, target, flags, fd, padding.
TEST(LeaseState, ABreakIsToldAsItIs) {
    const LeaseState state = breaking(LockType::wrlck, LockType::unlck, Remaining(2'000'000'003ns));
    EXPECT_EQ(bytes_of(to_kernel(state, 9, kBegin)),
              std::string("\x03\x94\x35\x77\0\0\0\0"
                          "\x05\x86\x3b\xa1\x01\0\0\0"
                          "\x01\0\x02\0\x01\0\0\0\x09\0\0\0\0\0\0\0",
                          32));
}

TEST(LeaseState, ADowngradeOfWhichTheHolderKnowsNothing) {
    LeaseState state = breaking(LockType::wrlck, LockType::rdlck, Remaining(0ns));
    state.notified = false;
    const KernelLeaseState wanted = to_kernel(state, 3, kBegin);
    EXPECT_EQ(wanted.type, F_WRLCK);
    EXPECT_EQ(wanted.target, F_RDLCK);
    EXPECT_EQ(wanted.flags, 0U);
    EXPECT_EQ(wanted.remaining_ns, 0U);
    EXPECT_EQ(wanted.fd, 3);
}

TEST(LeaseState, WithoutADeadlineAllBitsAreSet) {
    const KernelLeaseState wanted =
        to_kernel(breaking(LockType::rdlck, LockType::unlck, Remaining::no_deadline()), 3, kBegin);
    EXPECT_EQ(wanted.remaining_ns, 0xffffffffffffffffU);
}

// A kernel may have something else under these numbers.
TEST(LeaseState, OnlyTheAnswerForNoLeaseIsTakenForTheCommand) {
    const KernelLeaseState none{.type = F_UNLCK, .target = F_UNLCK, .fd = -1};
    EXPECT_TRUE(is_no_lease(0, none));
    EXPECT_FALSE(is_no_lease(-1, none));
    EXPECT_FALSE(is_no_lease(1, none));
    EXPECT_FALSE(is_no_lease(0, {.remaining_ns = 1, .type = F_UNLCK, .target = F_UNLCK}));
    EXPECT_FALSE(is_no_lease(0, {.begin_ns = 1, .type = F_UNLCK, .target = F_UNLCK}));
    EXPECT_FALSE(is_no_lease(0, {.type = F_RDLCK, .target = F_UNLCK}));
    EXPECT_FALSE(is_no_lease(0, {.type = F_UNLCK, .target = 3}));
    EXPECT_FALSE(is_no_lease(0, {.type = F_UNLCK, .target = F_UNLCK, .flags = 1}));
    EXPECT_FALSE(is_no_lease(0, {.type = F_UNLCK, .target = F_UNLCK, .fd = 3}));
}

// What is no break has no time: a kernel refuses both.
TEST(LeaseState, OfAHeldLeaseOnlyTheTypeIsTold) {
    EXPECT_EQ(bytes_of(to_kernel(held(LockType::wrlck), 4, kBegin)),
              std::string("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                          "\x01\0\x01\0\0\0\0\0\x04\0\0\0\0\0\0\0",
                          32));
}

TEST(LeaseState, WhatTheKernelTellsIsTheStateThatItWasTold) {
    LeaseState silent = breaking(LockType::wrlck, LockType::rdlck, Remaining(1ns));
    silent.notified = false;
    for (const LeaseState& state :
         {held(LockType::rdlck), held(LockType::wrlck), silent,
          breaking(LockType::wrlck, LockType::unlck, Remaining(45s)),
          breaking(LockType::rdlck, LockType::unlck, Remaining::no_deadline()),
          breaking(LockType::rdlck, LockType::unlck, Remaining(0ns))}) {
        EXPECT_EQ(from_kernel(to_kernel(state, 5, kBegin)), state);
    }
}

// It is told of a break only, and is nothing that the kernel is told.
TEST(LeaseState, ABreakMayWaitForItsBreakerToComeBack) {
    LeaseState state = breaking(LockType::wrlck, LockType::unlck, Remaining(45s));
    KernelLeaseState told = to_kernel(state, 5, kBegin);
    told.flags |= KernelLeaseState::kArmed;
    state.armed = true;
    EXPECT_EQ(from_kernel(told), state);
    EXPECT_EQ(to_kernel(state, 5, kBegin).flags, KernelLeaseState::kNotified);
}

// What the kernel tells of a break whose time is over need not be so when the processes were
// stopped: only then another source is asked, and never of a lease that nobody breaks.
TEST(LeaseState, IsOverSinceTheProcessesWereStopped) {
    const SteadyTime frozen = steady_now();
    const LeaseState over = breaking(LockType::wrlck, LockType::unlck, Remaining(0ns));
    EXPECT_TRUE(is_over_since(over, frozen));
    EXPECT_FALSE(is_over_since(over, std::nullopt));
    EXPECT_FALSE(is_over_since(breaking(LockType::wrlck, LockType::unlck, Remaining(1ns)), frozen));
    EXPECT_FALSE(is_over_since(breaking(LockType::wrlck, LockType::unlck, Remaining::no_deadline()),
                               frozen));
    EXPECT_FALSE(is_over_since(held(LockType::wrlck), frozen));
}

}  // namespace
}  // namespace ckpt_lease::live::test
