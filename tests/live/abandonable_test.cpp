// SPDX-License-Identifier: GPL-2.0-or-later
// What becomes of calls in processes that may hang, and of those behind them.
#include "live/abandonable.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <vector>

#include "live/shared_array.hpp"
#include "processes.hpp"

namespace ckpt_lease::live::test {
namespace {

// Which calls have come to their end.
std::vector<int> ended(const SharedArray<int>& calls) {
    std::vector<int> which;
    for (std::size_t i = 0; i < calls.values().size(); ++i) {
        if (calls[i] == 1) {
            which.push_back(static_cast<int>(i));
        }
    }
    return which;
}

bool all_are_alike(std::size_t /*call*/, std::size_t /*hung*/) {
    return true;
}

TEST(Abandonable, ACrashCostsOneCallAndSaysWhatItWas) {
    const SharedArray<int> calls(5);
    const auto work = [&](std::size_t i) {
        if (i == 1) {
            kill(getpid(), SIGKILL);
        } else if (i == 2) {
            throw std::runtime_error("no memory");
        } else if (i == 3) {
            _exit(7);
        }
        calls[i] = 1;
    };
    EXPECT_EQ(
        run_in_child(5, work, all_are_alike),
        (std::vector<GivenUp>{
            {1, "was killed by SIGKILL"}, {2, "failed: no memory"}, {3, "ended with status 7"}}));
    EXPECT_EQ(ended(calls), (std::vector{0, 4}));
}

TEST(Abandonable, WhatCrashesAgainAndAgainIsLeft) {
    constexpr std::size_t kMany = 10'000;
    const auto work = [](std::size_t) { kill(getpid(), SIGKILL); };
    const auto given_up = run_in_child(kMany, work, all_are_alike);
    ASSERT_EQ(given_up.size(), kMany);
    EXPECT_EQ(given_up.back(), (GivenUp{kMany - 1, "was killed by SIGKILL"}));
}

TEST(Abandonable, WhatIsLikeOneThatHungIsNotTried) {
    const SharedArray<int> calls(3);
    const auto work = [&](std::size_t i) {
        if (i == 0) {
            sleep_for(3600);
        }
        calls[i] = 1;
    };
    const auto is_second = [](std::size_t call, std::size_t) { return call == 1; };
    EXPECT_EQ(run_in_child(3, work, is_second), (std::vector<GivenUp>{{0, {}}}));
    EXPECT_EQ(ended(calls), std::vector{2});
}

// As one that closes what the kernel takes long to close. It is a zombie until the next call.
TEST(Abandonable, AChildThatHasDoneItsWorkIsNotWaitedFor) {
    constexpr std::size_t kMuch = std::size_t{64} << 20;
    const SharedArray<pid_t> children(20);
    int left = 0;
    for (pid_t& child : children.values()) {
        const auto work = [&](std::size_t) {
            child = getpid();
            static_cast<void>(mmap(nullptr, kMuch, PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0));
        };
        run_in_child(1, work, all_are_alike);
        siginfo_t info{};
        left += waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
    }
    EXPECT_GT(left, 0);
    sleep_for(0.5);
    run_in_child(
        1, [](std::size_t) {}, all_are_alike);
    for (const pid_t child : children.values()) {
        EXPECT_EQ(waitpid(child, nullptr, WNOHANG), -1) << "it was waited for";
        EXPECT_EQ(errno, ECHILD);
    }
}

// After three that hang there is less patience, but not with what is needed for looking.
TEST(Abandonable, ThePatienceIsForTheWorkOnly) {
    const SharedArray<int> calls(4);
    const auto work = [&](std::size_t i) {
        if (i < 3) {
            sleep_for(3600);
        }
        calls[i] = 1;
    };
    const auto prepare = [](std::size_t i) { sleep_for(i == 3 ? 0.6 : 0); };
    const auto none_is_alike = [](std::size_t, std::size_t) { return false; };
    EXPECT_EQ(run_in_child(4, work, none_is_alike, prepare).size(), 3U);
    EXPECT_EQ(ended(calls), std::vector{3});
}

}  // namespace
}  // namespace ckpt_lease::live::test
