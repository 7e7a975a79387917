// SPDX-License-Identifier: GPL-2.0-or-later
// What is left when a process of apply's is killed or stopped, or cannot be started.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <vector>

#include "ckpt-lease/base/problem.hpp"
#include "live/set/run.hpp"
#include "live/tracefs.hpp"
#include "processes.hpp"

namespace ckpt_lease::live::test {
namespace {

using ApplyKilled = ApplyTest;

// A write lease whose holder has been notified, and a read lease whose holder has not.
struct TwoLeases {
    explicit TwoLeases(const Folder& folder)
        : writer(folder.file("w"), {.lease = F_WRLCK, .uid = 1234, .euid = 4321}),
          reader(folder.file("r"), {.lease = F_RDLCK, .signal = SIGRTMIN + 1}),
          writer_owner(writer.owner()),
          reader_owner(reader.owner()),
          leases{
              wanted(writer, ten_seconds()),
              wanted(reader, breaking(LockType::rdlck, LockType::unlck, in_seconds(10), false))} {}

    void expect_set() const {
        EXPECT_TRUE(writer.is_breaking());
        EXPECT_TRUE(reader.is_breaking());
        EXPECT_EQ(writer.signals(), 0);
        EXPECT_EQ(reader.signals(), 1);
        expect_owners();
    }
    // What is said must be what is; returns how many are lost.
    [[nodiscard]] int check(const std::vector<AppliedLease>& results) const {
        int lost = 0;
        for (std::size_t i = 0; i < results.size(); ++i) {
            const Holder& holder = i == 0 ? writer : reader;
            const bool is_held = holder.lease() != F_UNLCK || holder.is_breaking();
            EXPECT_EQ(results[i].outcome != Outcome::lost, is_held) << results[i].reason;
            EXPECT_EQ(results[i].outcome == Outcome::set, results[i].reason.empty());
            lost += is_held ? 0 : 1;
        }
        return lost;
    }
    void expect_owners() const {
        EXPECT_EQ(writer.owner(), writer_owner);
        EXPECT_EQ(reader.owner(), reader_owner);
    }

    Holder writer;
    Holder reader;
    LeaseOwner writer_owner;
    LeaseOwner reader_owner;
    std::vector<WantedLease> leases;
};

// Calls `fault` at the step number `count`, once in a run; false if there are not so many.
template <typename Fault>
bool apply_with_fault(const TwoLeases& two, int count, std::vector<AppliedLease>& results,
                      Fault fault) {
    SharedState shared;
    const ApplyHooks hooks{.step = [&](Step /*step*/) {
        if (shared->count++ == count) {
            fault();
        }
    }};
    results = apply_with(two.leases, {}, hooks);
    return shared->count > count;
}

TEST_F(ApplyKilled, AWorkerThatIsKilledIsReplaced) {
    int count = 0;
    for (bool killed = true; killed; ++count) {
        SCOPED_TRACE(testing::Message() << "step " << count);
        const TwoLeases two(folder);
        std::vector<AppliedLease> results;
        killed = apply_with_fault(two, count, results, [] { kill(getpid(), SIGKILL); });
        EXPECT_EQ(results, (std::vector{kSet, kSet}));
        EXPECT_EQ(lease_break_time(), before);
        two.expect_set();
    }
    std::printf("killed at each of %d steps\n", count - 1);
    EXPECT_GT(count, 20);
}

TEST_F(ApplyKilled, AWorkerThatIsStoppedIsReplaced) {
    for (const int count : {0, 7, 15}) {
        SCOPED_TRACE(testing::Message() << "step " << count);
        const TwoLeases two(folder);
        std::vector<AppliedLease> results;
        EXPECT_TRUE(apply_with_fault(two, count, results, [] { kill(getpid(), SIGSTOP); }));
        EXPECT_EQ(results, (std::vector{kSet, kSet}));
        two.expect_set();
    }
}

TEST_F(ApplyKilled, WithoutTheWatchTheWorkerFinishes) {
    int count = 0;
    for (bool killed = true; killed; ++count) {
        SCOPED_TRACE(testing::Message() << "step " << count);
        const TwoLeases two(folder);
        std::vector<AppliedLease> results;
        killed = apply_with_fault(two, count, results, [] { kill(getppid(), SIGKILL); });
        EXPECT_EQ(results, (std::vector{kSet, kSet}));
        EXPECT_EQ(lease_break_time(), before);
        two.expect_set();
    }
    EXPECT_GT(count, 20);
}

// Its process group, as Ctrl-C or a shell would have it.
TEST_F(ApplyKilled, WithoutTheCallerTheOthersFinish) {
    for (const int count : {0, 5, 12, 20}) {
        SCOPED_TRACE(testing::Message() << "step " << count);
        const TwoLeases two(folder);
        const pid_t caller = fork();
        if (caller == 0) {
            setpgid(0, 0);
            const pid_t self = getpid();
            std::vector<AppliedLease> results;
            apply_with_fault(two, count, results, [self] {
                kill(-self, SIGINT);
                kill(-self, SIGKILL);
            });
            _exit(0);
        }
        int status = 0;
        waitpid(caller, &status, 0);
        EXPECT_TRUE(WIFSIGNALED(status));
        // The run has ended when its lock is free, and was taken before that.
        sleep_for(0.1);
        const int fd = open("/run/ckpt-lease.lock", O_RDONLY);
        EXPECT_EQ(flock(fd, LOCK_EX), 0);
        close(fd);
        EXPECT_EQ(lease_break_time(), before);
        two.expect_set();
    }
}

TEST_F(ApplyKilled, WithoutAnybodyNothingIsLeftBehindForGood) {
    for (int count = 0; count < 24; ++count) {
        SCOPED_TRACE(testing::Message() << "step " << count);
        const TwoLeases two(folder);
        const pid_t caller = fork();
        if (caller == 0) {
            std::vector<AppliedLease> results;
            const pid_t self = getpid();
            apply_with_fault(two, count, results, [self] {
                const pid_t watch = getppid();
                kill(self, SIGKILL);
                kill(watch, SIGKILL);
                kill(getpid(), SIGKILL);
            });
            _exit(0);
        }
        int status = 0;
        waitpid(caller, &status, 0);
        EXPECT_TRUE(WIFSIGNALED(status));
        // What nobody was left to put back is put back here; the locks went with the processes.
        std::ofstream(kBreakTimePath) << before;
        EXPECT_EQ(apply_with(two.leases, {}, {}), (std::vector{kSet, kSet}));
        EXPECT_TRUE(two.writer.is_breaking());
        EXPECT_TRUE(two.reader.is_breaking());
        EXPECT_EQ(lease_break_time(), before);
    }
}

// In the process that starts others, or in one that it has started.
ApplyHooks without_processes(bool from_the_watch, int first,
                             const std::function<void(Step)>& step) {
    const pid_t caller = getpid();
    return {.step = step, .fork = [=, count = 0]() mutable {
                if ((getpid() != caller) == from_the_watch && count++ >= first) {
                    errno = EAGAIN;
                    return -1;
                }
                return fork();
            }};
}

constexpr const char* kNoProcess =
    "cannot start a process to set it: Resource temporarily unavailable";

TEST_F(ApplyKilled, AProcessThatCannotBeStartedIsNotSaidToHaveBeenKilled) {
    const Holder holder(folder.file("f"), {.lease = F_WRLCK});
    EXPECT_EQ(apply_one(wanted(holder, ten_seconds()), without_processes(true, 0, {})),
              (AppliedLease{Outcome::skipped, kNoProcess}));
    EXPECT_THROW(apply_one(wanted(holder, ten_seconds()), without_processes(false, 0, {})), Error);
    EXPECT_EQ(holder.lease(), F_WRLCK);
}

// Then something has been changed, and what became of it is said.
TEST_F(ApplyKilled, ASecondWatchThatCannotBeStartedHidesNoLoss) {
    const Holder holder(folder.file("f"), {.lease = F_WRLCK});
    const auto kill_both = [](Step step) {
        if (step == Step::taken) {
            kill(getppid(), SIGKILL);
            kill(getpid(), SIGKILL);
        }
    };
    EXPECT_EQ(apply_one(wanted(holder, ten_seconds()), without_processes(false, 1, kill_both)),
              (AppliedLease{Outcome::lost, kNoProcess}));
}

TEST_F(ApplyKilled, WhatIsThrownIsSaid) {
    for (const Step where : {Step::saved, Step::taken}) {
        const Holder holder(folder.file("f"), {.lease = F_WRLCK});
        const LeaseOwner owner = holder.owner();
        const ApplyHooks hooks{.step = [&](Step step) {
            if (step == where) {
                throw std::runtime_error("no memory");
            }
        }};
        EXPECT_EQ(apply_one(wanted(holder, ten_seconds()), hooks),
                  (AppliedLease{where == Step::taken ? Outcome::lost : Outcome::skipped,
                                "the process that was to set it failed: no memory"}));
        EXPECT_EQ(holder.owner(), owner);
    }
}

TEST_F(ApplyKilled, WhatKillsWorkersIsSaid) {
    const Holder holder(folder.file("f"), {.lease = F_WRLCK});
    const ApplyHooks hooks{.step = [&](Step step) {
        if (step == Step::saved) {
            kill(getpid(), SIGKILL);
        }
    }};
    EXPECT_EQ(
        apply_one(wanted(holder, ten_seconds()), hooks),
        (AppliedLease{Outcome::skipped, "the process that was to set it was killed by SIGKILL"}));
}

// Both workers are killed where a step is done for the nth time.
TEST_F(ApplyKilled, WorkersThatAreAllKilledLoseOneLeaseAtMost) {
    int lost_in_all = 0;
    for (const Step name : kAllSteps) {
        for (const int nth : {0, 1, 2}) {
            SCOPED_TRACE(testing::Message() << "step " << static_cast<int>(name) << ", " << nth);
            const TwoLeases two(folder);
            int times = 0;
            const auto kill_there = [&](Step step) {
                if (step == name && times++ == nth) {
                    kill(getpid(), SIGKILL);
                }
            };
            const auto results = apply_with(two.leases, {}, {.step = kill_there});
            EXPECT_EQ(lease_break_time(), before);
            two.expect_owners();
            EXPECT_EQ(two.writer.signals(), 0);
            EXPECT_LE(two.reader.signals(), 1);
            const int lost = two.check(results);
            EXPECT_LE(lost, 1);
            lost_in_all += lost;
        }
    }
    EXPECT_GT(lost_in_all, 0) << "that a lease can be lost here is what the test is about";
}

TEST_F(ApplyKilled, AWorkerAndAWatchThatAreKilledAreReplaced) {
    for (int count = 0; count < 20; ++count) {
        SCOPED_TRACE(testing::Message() << "step " << count);
        const TwoLeases two(folder);
        std::vector<AppliedLease> results;
        EXPECT_TRUE(apply_with_fault(two, count, results, [] {
            kill(getppid(), SIGKILL);
            kill(getpid(), SIGKILL);
        }));
        EXPECT_EQ(lease_break_time(), before);
        EXPECT_EQ(results, (std::vector{kSet, kSet}));
        two.expect_set();
    }
}

}  // namespace
}  // namespace ckpt_lease::live::test
