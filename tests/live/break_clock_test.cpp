// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include <chrono>

#include "live/set/break_time.hpp"

namespace ckpt_lease::live::test {
namespace {

using namespace std::chrono_literals;

TEST(BreakClock, WholeSecondsAreThemselves) {
    for (const std::uint32_t hz : {100U, 250U, 300U, 1000U, 1024U}) {
        for (const bool wraps : {false, true}) {
            const BreakClock clock(hz, wraps);
            EXPECT_EQ(clock.value_for(1s), 1) << hz;
            EXPECT_EQ(clock.value_for(45s), 45) << hz;
            EXPECT_EQ(clock.value_for(std::chrono::seconds(2'000'000)), 2'000'000) << hz;
        }
    }
}

// What the kernel makes of a value: an int, times an int, of which 32 bits are left.
std::int32_t ticks_of(int value, std::uint32_t hz) {
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(value) * hz);
}

TEST(BreakClock, PartsOfASecondAreMadeByWrapping) {
    for (const std::uint32_t hz : {100U, 250U, 300U, 1000U}) {
        const BreakClock clock(hz, true);
        for (const Nanoseconds time : {Nanoseconds(1), Nanoseconds(8ms), Nanoseconds(400ms),
                                       Nanoseconds(2300ms), Nanoseconds(86400'001ms)}) {
            const auto value = clock.value_for(time);
            ASSERT_TRUE(value) << hz;
            const auto made = Nanoseconds(std::int64_t{ticks_of(*value, hz)} * 1'000'000'000 / hz);
            EXPECT_GE(made + 1ns, time) << hz;
            EXPECT_LT(made, time + clock.resolution() + Nanoseconds(1'000'000'000 / hz)) << hz;
        }
    }
    EXPECT_EQ(BreakClock(250, true).value_for(2304ms), 1185410976);
    EXPECT_EQ(BreakClock(250, true).resolution(), 8ms);
    EXPECT_EQ(BreakClock(1000, true).resolution(), 8ms);
    EXPECT_EQ(BreakClock(100, true).resolution(), 40ms);
}

TEST(BreakClock, ADeadlineCanBePast) {
    EXPECT_EQ(BreakClock(250, true).value_for_past(), 1494648619);
    for (const std::uint32_t hz : {100U, 250U, 300U, 1000U}) {
        const auto value = BreakClock(hz, true).value_for_past();
        ASSERT_TRUE(value) << hz;
        EXPECT_GT(*value, 0) << hz;
        EXPECT_LT(ticks_of(*value, hz), 0) << hz;
    }
    EXPECT_EQ(BreakClock(250, false).value_for_past(), std::nullopt);
    EXPECT_EQ(BreakClock(1024, true).value_for_past(), std::nullopt) << "whole seconds are all";
}

TEST(BreakClock, WithoutWrappingSecondsAreRoundedUp) {
    EXPECT_EQ(BreakClock(250, false).value_for(1ns), 1);
    EXPECT_EQ(BreakClock(250, false).value_for(2300ms), 3);
    EXPECT_EQ(BreakClock(250, false).resolution(), 1s);
}

TEST(BreakClock, EndsBeforeTheTicksPassAnInt) {
    EXPECT_EQ(BreakClock(250, true).value_for(std::chrono::seconds(8'589'934)), 8'589'934);
    EXPECT_EQ(BreakClock(250, true).value_for(std::chrono::seconds(8'589'935)), std::nullopt);
    EXPECT_EQ(BreakClock(250, false).value_for(std::chrono::seconds(9'000'000)), std::nullopt);
}

}  // namespace
}  // namespace ckpt_lease::live::test
