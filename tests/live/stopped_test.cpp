// SPDX-License-Identifier: GPL-2.0-or-later
// Processes are kept stopped for a time only: nothing is set in those that go on.
#include "live/stopped.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "ckpt-lease/base/problem.hpp"
#include "processes.hpp"

namespace ckpt_lease::live::test {
namespace {

using namespace std::chrono_literals;

constexpr const char* kNotSet =
    "the time for which its process is kept stopped was over before it could be set";
constexpr const char* kTimeOver =
    "the time for which processes are kept stopped was over: leases that were not set by then are "
    "left as they are";
constexpr const char* kOverMeanwhile =
    "the time for which processes are kept stopped was over while a lease was being set: its "
    "holder may have gone on without it for a moment";

TEST(StopHold, IsTakenAndGivenBackAsOftenAsOneLikes) {
    StopHold hold;
    for (int i = 0; i < 2; ++i) {
        EXPECT_TRUE(hold.take());
        EXPECT_TRUE(hold.give_back());
    }
    EXPECT_FALSE(hold.is_over());
}

TEST(StopHold, NobodyTakesItOnceItHasEnded) {
    StopHold hold;
    hold.end(10s);
    EXPECT_TRUE(hold.is_over());
    EXPECT_FALSE(hold.take());
}

// One that was killed has not given it back.
TEST(StopHold, WhoComesAfterOneThatWasKilledTakesItToo) {
    StopHold hold;
    EXPECT_TRUE(hold.take());
    EXPECT_TRUE(hold.take());
    EXPECT_TRUE(hold.give_back());
}

TEST(StopHold, WhoHasItIsWaitedFor) {
    StopHold hold;
    ASSERT_TRUE(hold.take());
    std::atomic<bool> has_ended{false};
    std::thread other([&] {
        hold.end(60s);
        has_ended = true;
    });
    while (!hold.is_over()) {
        std::this_thread::yield();
    }
    EXPECT_FALSE(hold.take()) << "it is to be given back for the last time";
    EXPECT_FALSE(has_ended);
    EXPECT_TRUE(hold.give_back());
    other.join();
    EXPECT_TRUE(hold.is_over());
}

TEST(StopHold, ButNotForEver) {
    StopHold hold;
    ASSERT_TRUE(hold.take());
    hold.end(1ms);
    EXPECT_FALSE(hold.give_back()) << "they were let go meanwhile";
    EXPECT_FALSE(hold.take());
}

// Two threads at it: either the lease is set while all are stopped, or it is not set.
TEST(StopHold, LeavesNoGap) {
    for (int i = 0; i < 200; ++i) {
        StopHold hold;
        std::atomic<bool> runs{false};
        std::thread guard([&] {
            hold.end(60s);
            runs = true;
        });
        while (hold.take()) {
            EXPECT_FALSE(runs);
            EXPECT_TRUE(hold.give_back());
        }
        guard.join();
    }
}

bool is_stopped(pid_t pid) {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    std::getline(stat, text);
    return text.find(") T ") != std::string::npos;
}

void wait_until_runs(pid_t pid) {
    while (is_stopped(pid)) {
        sleep_for(0.005);
    }
}

// Wakes what is stopped, or is just about to be, once it is time.
class Waker {
 public:
    Waker(const std::function<bool()>& is_time, const std::function<void()>& wake)
        : waker_(static_cast<pid_t>(checked(fork(), "fork"))) {
        while (waker_ == 0) {
            if (is_time()) {
                wake();
            }
            sleep_for(0.02);
        }
    }
    Waker(const Waker&) = delete;
    Waker& operator=(const Waker&) = delete;
    ~Waker() { end_process(waker_); }

 private:
    pid_t waker_;
};

// Two write leases on files of their own, which are to be broken.
struct StoppedTest : ApplyTest {
    void SetUp() override {
        ApplyTest::SetUp();
        if (!IsSkipped() && !HasFatalFailure()) {
            one.emplace(folder.file("one"), HolderOptions{.lease = F_WRLCK});
            two.emplace(folder.file("two"), HolderOptions{.lease = F_WRLCK});
            leases = {wanted(*one, ten_seconds()), wanted(*two, ten_seconds())};
        }
    }

    [[nodiscard]] std::vector<Process> processes() const {
        std::vector<Process> all = read_process(one->pid());
        for (Process& process : read_process(two->pid())) {
            all.push_back(std::move(process));
        }
        return all;
    }

    // Sets both while they are stopped.
    std::vector<AppliedLease> set(const StopPatience& patience, const ApplyHooks& hooks) {
        const Stopped stopped(leases, processes(), patience);
        EXPECT_TRUE(is_stopped(one->pid()) && is_stopped(two->pid()));
        told.clear();
        return apply_with(
            leases,
            {.hold = &stopped.hold(),
             .tell = [&](const Problem& problem) { told.push_back(problem.message); }},
            hooks);
    }

    void expect_untouched(const Holder& holder) const {
        EXPECT_EQ(holder.lease(), F_WRLCK);
        EXPECT_FALSE(holder.is_breaking());
        EXPECT_EQ(holder.signals(), 0);
    }

    std::optional<Holder> one;
    std::optional<Holder> two;
    std::vector<WantedLease> leases;
    std::vector<std::string> told;
};

const AppliedLease kLeftAlone{Outcome::skipped, kNotSet};

TEST_F(StoppedTest, BothAreSetInTime) {
    EXPECT_EQ(set({}, {}), (std::vector{kSet, kSet}));
    EXPECT_EQ(told, std::vector<std::string>());
    EXPECT_TRUE(one->is_breaking() && two->is_breaking());
}

// It is stopped itself, before it begins, until the guard has let the others go.
TEST_F(StoppedTest, OneThatIsStoppedTooLongChangesNothing) {
    EXPECT_TRUE(in_child([&] {
        const Stopped stopped(leases, processes(), {.in_all = 300ms, .to_finish = 100ms});
        const bool were_stopped = is_stopped(one->pid()) && is_stopped(two->pid());
        const Waker waker([&] { return !is_stopped(one->pid()); },
                          [self = getpid()] { kill(self, SIGCONT); });
        raise(SIGSTOP);
        const bool runs = !is_stopped(one->pid());
        try {
            static_cast<void>(apply(leases, {.hold = &stopped.hold()}));
        } catch (const Error& error) {
            return were_stopped && runs && error.kind() == Error::Kind::io &&
                   error.problem().message ==
                       "the time for which processes are kept stopped was over before a lease "
                       "could be set: nothing was changed";
        }
        return false;
    }));
    expect_untouched(*one);
    expect_untouched(*two);
}

// Between the last look and the first change.
TEST_F(StoppedTest, NothingIsBegunOnceTheyAreLetGo) {
    const ApplyHooks hooks{.step = [&](Step step) {
        if (step == Step::prepared) {
            wait_until_runs(one->pid());
        }
    }};
    EXPECT_EQ(set({.in_all = 300ms, .to_finish = 100ms}, hooks),
              (std::vector{kLeftAlone, kLeftAlone}));
    EXPECT_EQ(told, std::vector<std::string>{kTimeOver});
    expect_untouched(*one);
    expect_untouched(*two);
}

// The time is over while the first is being set: that is waited for, and the second is left alone.
TEST_F(StoppedTest, WhatHasBegunIsWaitedFor) {
    SharedState shared;
    const ApplyHooks hooks{.step = [&](Step step) {
        if (step == Step::taken && !shared->done) {
            shared->done = true;
            sleep_for(0.6);
            shared->count = is_stopped(one->pid()) && is_stopped(two->pid()) ? 1 : 0;
        }
    }};
    const auto results = set({.in_all = 20300ms, .to_finish = 20s}, hooks);
    EXPECT_EQ(results, (std::vector{kSet, kLeftAlone}));
    EXPECT_EQ(told, std::vector<std::string>{kTimeOver});
    EXPECT_EQ(shared->count, 1) << "they are stopped for as long";
    EXPECT_TRUE(one->is_breaking());
    expect_untouched(*two);
}

// Nobody is kept for ever. What was begun is done all the same: else the lease would be lost.
TEST_F(StoppedTest, WhatTakesTooLongIsSaid) {
    SharedState shared;
    const ApplyHooks hooks{.step = [&](Step step) {
        if (step == Step::taken && !shared->done) {
            shared->done = true;
            wait_until_runs(one->pid());
        }
    }};
    EXPECT_EQ(set({.in_all = 300ms, .to_finish = 100ms}, hooks), (std::vector{kSet, kLeftAlone}));
    EXPECT_EQ(told, (std::vector<std::string>{kTimeOver, kOverMeanwhile}));
    EXPECT_TRUE(one->is_breaking());
    expect_untouched(*two);
}

// The same where all processes of the run are stopped, as by somebody who stops all that he sees.
TEST_F(StoppedTest, ARunThatIsStoppedInTheMiddleGoesOnWithNoOther) {
    EXPECT_TRUE(in_child([&] {
        const SharedArray<std::atomic<pid_t>> pids(3);
        pids[0] = getpid();
        // The worker first: the watch takes one that is stopped for killed.
        const Waker waker([&] { return pids[2] != 0 && !is_stopped(one->pid()); },
                          [&] {
                              for (const std::size_t place : std::array<std::size_t, 3>{2, 1, 0}) {
                                  kill(pids[place], SIGCONT);
                              }
                          });
        const ApplyHooks hooks{.step = [&](Step step) {
            if (step == Step::taken && pids[2] == 0) {
                kill(pids[0], SIGSTOP);
                pids[1] = getppid();
                kill(pids[1], SIGSTOP);
                pids[2] = getpid();
                raise(SIGSTOP);
            }
        }};
        return set({.in_all = 600ms, .to_finish = 100ms}, hooks) == std::vector{kSet, kLeftAlone} &&
               told == std::vector<std::string>{kTimeOver, kOverMeanwhile};
    }));
    EXPECT_TRUE(one->is_breaking());
    expect_untouched(*two);
}

// The second worker may set nothing any more: owner and signal are put back.
TEST_F(StoppedTest, WhatAKilledWorkerHasBegunIsPutRight) {
    const LeaseOwner owner = one->owner();
    SharedState shared;
    const ApplyHooks hooks{.step = [&](Step step) {
        if (step == Step::taken && !shared->done) {
            shared->done = true;
            wait_until_runs(one->pid());
            kill(getpid(), SIGKILL);
        }
    }};
    const auto results = set({.in_all = 300ms, .to_finish = 100ms}, hooks);
    EXPECT_EQ(results, (std::vector{AppliedLease{Outcome::lost, kNotSet}, kLeftAlone}));
    EXPECT_EQ(told, std::vector<std::string>{kTimeOver});
    EXPECT_EQ(one->lease(), F_UNLCK);
    EXPECT_EQ(one->owner(), owner);
    expect_untouched(*two);
}

}  // namespace
}  // namespace ckpt_lease::live::test
