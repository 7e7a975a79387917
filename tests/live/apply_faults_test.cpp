// SPDX-License-Identifier: GPL-2.0-or-later
// What is left when others get in between, and when a process is killed or stopped.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "ckpt-lease/base/problem.hpp"
#include "live/kernel_patch.hpp"
#include "live/lease_calls.hpp"
#include "live/set/run.hpp"
#include "processes.hpp"

namespace ckpt_lease::live::test {
namespace {

using ApplyFaults = ApplyTest;

TEST_F(ApplyFaults, AnOpenerThatSlipsInCostsTheLease) {
    const std::string path = folder.file("f");
    const Holder holder(path, {.lease = F_WRLCK});
    const LeaseOwner owner = holder.owner();
    const ApplyHooks hooks{.step = [&](Step step) {
        if (step == Step::taken) {
            // Open until the process that sets leases ends.
            static_cast<void>(open(path.c_str(), O_WRONLY));
        }
    }};
    EXPECT_EQ(apply_one(wanted(holder, ten_seconds()), hooks),
              (AppliedLease{Outcome::lost, kInUse}));
    EXPECT_EQ(holder.lease(), F_UNLCK);
    EXPECT_EQ(holder.owner(), owner);
}

TEST_F(ApplyFaults, AnOpenerThatGoesAgainCostsNothing) {
    const std::string path = folder.file("f");
    const Holder holder(path, {.lease = F_WRLCK});
    SharedState shared;
    const auto look_into_file = [&](Step step) {
        if (step != Step::taken) {
            return;
        }
        if (fork() == 0) {
            static_cast<void>(open(path.c_str(), O_WRONLY));
            shared->done = true;
            sleep_for(0.003);
            _exit(0);
        }
        while (!shared->done) {
            sleep_for(0.0001);
        }
    };
    EXPECT_EQ(apply_one(wanted(holder, ten_seconds()), {.step = look_into_file}), kSet);
    EXPECT_TRUE(holder.is_breaking());
}

// Then the deadline is that of any break, and not what was wanted.
TEST_F(ApplyFaults, ABreakerThatSlipsInIsNotPassedOver) {
    const std::string path = folder.file("f");
    const Holder holder(path, {.lease = F_WRLCK});
    const LeaseOwner owner = holder.owner();
    const auto slip_in = [&](Step step) {
        if (step == Step::set) {
            static_cast<void>(open(path.c_str(), O_WRONLY | O_NONBLOCK));
        }
    };
    EXPECT_EQ(apply_one(wanted(holder, ten_seconds()), {.step = slip_in}),
              (AppliedLease{Outcome::skipped,
                            "cannot begin the break: the lease is held, but not with this "
                            "deadline: Device or resource busy"}));
    EXPECT_EQ(holder.owner(), owner);
}

TEST_F(ApplyFaults, WhoSetsLeaseBreakTimeMeanwhileHasTheLastWord) {
    const LeaseBreakTime back(45);
    const Holder holder(folder.file("f"), {.lease = F_WRLCK});
    const ApplyHooks hooks{.step = [](Step step) {
        if (step == Step::opened) {
            std::ofstream(kBreakTimePath) << 37;
        }
    }};
    EXPECT_EQ(apply_one(wanted(holder, ten_seconds()), hooks), kSet);
    EXPECT_EQ(lease_break_time(), 37);
}

// A process that has a file locked.
class Locker {
 public:
    Locker(const char* path, double seconds) {
        pid_ = fork();
        if (pid_ == 0) {
            const int fd = open(path, O_RDONLY | O_CREAT, 0600);
            flock(fd, LOCK_EX);
            shared_->count = 1;
            sleep_for(seconds);
            shared_->done = true;
            _exit(0);
        }
        while (shared_->count == 0) {
            sleep_for(0.001);
        }
    }
    Locker(const Locker&) = delete;
    Locker& operator=(const Locker&) = delete;
    ~Locker() {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    [[nodiscard]] bool is_done() const { return shared_->done; }

 private:
    SharedState shared_;
    pid_t pid_ = -1;
};

TEST_F(ApplyFaults, OneRunAtATime) {
    const Holder holder(folder.file("f"), {.lease = F_WRLCK});
    for (const char* const path : {"/run/ckpt-lease.lock", "/proc/self/ns/user"}) {
        const Locker locker(path, 0.2);
        EXPECT_EQ(apply_one(wanted(holder, ten_seconds())), kSet);
        EXPECT_TRUE(locker.is_done()) << path;
    }
}

// The way of a patched kernel, as far as another one goes along.
TEST_F(ApplyFaults, ALeaseThatTheKernelDoesNotRestoreIsLost) {
    if (kernel_restores_leases()) {
        GTEST_SKIP() << "this kernel does";
    }
    const Holder holder(folder.file("f"), {.lease = F_WRLCK, .uid = 1234, .euid = 4321});
    const LeaseOwner owner = holder.owner();
    const ApplyHooks hooks{.kernel_restores = true};
    EXPECT_EQ(apply_one(wanted(holder, held(LockType::wrlck)), hooks), kSet);
    EXPECT_EQ(holder.lease(), F_WRLCK);
    EXPECT_EQ(apply_one(wanted(holder, ten_seconds()), hooks),
              (AppliedLease{Outcome::lost, "cannot restore the lease: Invalid argument"}));
    EXPECT_EQ(holder.lease(), F_UNLCK);
    EXPECT_EQ(holder.owner(), owner);
}

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

TEST_F(ApplyFaults, AWorkerThatIsKilledIsReplaced) {
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

TEST_F(ApplyFaults, AWorkerThatIsStoppedIsReplaced) {
    for (const int count : {0, 7, 15}) {
        SCOPED_TRACE(testing::Message() << "step " << count);
        const TwoLeases two(folder);
        std::vector<AppliedLease> results;
        EXPECT_TRUE(apply_with_fault(two, count, results, [] { kill(getpid(), SIGSTOP); }));
        EXPECT_EQ(results, (std::vector{kSet, kSet}));
        two.expect_set();
    }
}

TEST_F(ApplyFaults, WithoutTheWatchTheWorkerFinishes) {
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
TEST_F(ApplyFaults, WithoutTheCallerTheOthersFinish) {
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

TEST_F(ApplyFaults, WithoutAnybodyNothingIsLeftBehindForGood) {
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

// Both workers are killed where a step is done for the nth time.
TEST_F(ApplyFaults, WorkersThatAreAllKilledLoseOneLeaseAtMost) {
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

TEST_F(ApplyFaults, AWorkerAndAWatchThatAreKilledAreReplaced) {
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
