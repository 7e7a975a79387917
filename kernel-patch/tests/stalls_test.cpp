// SPDX-License-Identifier: GPL-2.0-or-later
#include "stalls.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <string>

#include "support.hpp"

namespace proof {
namespace {

// Of those that sleep on a processor each, one.
pid_t one_watcher() {
    const std::string me = std::to_string(getpid());
    std::ifstream children("/proc/" + me + "/task/" + me + "/children");
    pid_t pid = 0;
    children >> pid;
    return pid;
}

TEST(Stalls, TellOfAProcessorThatRanNobody) {
    const Stalls stalls;
    const pid_t watcher = one_watcher();
    ASSERT_GT(watcher, 0);
    const std::int64_t begin = now();
    ASSERT_EQ(kill(watcher, SIGSTOP), 0);
    sleep_for(0.2);
    EXPECT_GE(stalls.longest(begin, now()), 0.1) << "while it lasts";
    ASSERT_EQ(kill(watcher, SIGCONT), 0);
    sleep_for(0.2);
    EXPECT_GE(stalls.longest(begin, now()), 0.1) << "when it is over";
}

TEST(Stalls, DoNotConcernWhatWasOverBefore) {
    const std::int64_t before = now();
    const Stalls stalls;
    const pid_t watcher = one_watcher();
    ASSERT_GT(watcher, 0);
    ASSERT_EQ(kill(watcher, SIGSTOP), 0);
    sleep_for(0.2);
    ASSERT_EQ(kill(watcher, SIGCONT), 0);
    sleep_for(0.2);
    EXPECT_EQ(stalls.longest(before - 1'000'000'000, before), 0);
}

TEST(Stalls, AreNotTakenForGrantedWhereNobodyWatches) {
    const Stalls stalls;
    const pid_t watcher = one_watcher();
    ASSERT_GT(watcher, 0);
    ASSERT_EQ(kill(watcher, SIGKILL), 0);
    sleep_for(0.2);
    EXPECT_THROW(static_cast<void>(stalls.longest(0, now())), Failure);
}

}  // namespace
}  // namespace proof
