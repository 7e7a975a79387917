// SPDX-License-Identifier: GPL-2.0-or-later
// What is left when others get in between.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <string>

#include "ckpt-lease/base/problem.hpp"
#include "live/lease_calls.hpp"
#include "live/lease_state.hpp"
#include "live/set/run.hpp"
#include "live/tracefs.hpp"
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
    Locker(const std::string& path, double seconds) {
        pid_ = fork();
        if (pid_ == 0) {
            const int fd = open(path.c_str(), O_RDONLY);
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
    close(open("/run/ckpt-lease.lock", O_CREAT | O_RDONLY | O_CLOEXEC, 0600));
    const Fd machine = open_tracefs();
    ASSERT_TRUE(machine);
    for (const std::string& path :
         {std::string("/run/ckpt-lease.lock"), "/proc/self/fd/" + std::to_string(machine.get())}) {
        const Locker locker(path, 0.2);
        EXPECT_EQ(apply_one(wanted(holder, ten_seconds())), kSet);
        EXPECT_TRUE(locker.is_done()) << path;
    }
}

// The way of a patched kernel, as far as another one goes along.
TEST_F(ApplyFaults, ALeaseThatTheKernelDoesNotRestoreIsLeftAlone) {
    if (kernel_restores_leases()) {
        GTEST_SKIP() << "this kernel does";
    }
    const Holder holder(folder.file("f"), {.lease = F_WRLCK, .uid = 1234, .euid = 4321});
    const LeaseOwner owner = holder.owner();
    const ApplyHooks hooks{.kernel_restores = true};
    EXPECT_EQ(apply_one(wanted(holder, held(LockType::wrlck)), hooks), kSet);
    EXPECT_EQ(holder.lease(), F_WRLCK);
    EXPECT_EQ(
        apply_one(wanted(holder, ten_seconds()), hooks),
        (AppliedLease{Outcome::skipped,
                      "cannot restore a break that lasts 10s longer here: Invalid argument"}));
    EXPECT_EQ(holder.lease(), F_WRLCK);
    EXPECT_EQ(holder.owner(), owner);
}

}  // namespace
}  // namespace ckpt_lease::live::test
