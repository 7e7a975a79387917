// SPDX-License-Identifier: GPL-2.0-or-later
// Many leases, and runs that are in each other's way: no holder loses its time for that.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/live/capture.hpp"
#include "live/set/run.hpp"
#include "live/set/run_lock.hpp"
#include "processes.hpp"

namespace ckpt_lease::live::test {
namespace {

using Many = ApplyTest;

constexpr int kFirstFd = 10;

void allow_descriptors(rlim_t soft, rlim_t hard) {
    const rlimit limit{.rlim_cur = soft, .rlim_max = hard};
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0) {
        _exit(1);
    }
}

// Holds read leases on `count` files, through the descriptors from kFirstFd on.
std::unique_ptr<Neighbour> hold_many(const std::string& name, int count, bool one_file = false) {
    return std::make_unique<Neighbour>([&] {
        allow_descriptors(4096, 4096);
        for (int i = 0; i < count; ++i) {
            const std::string path = one_file ? name : name + std::to_string(i);
            close(open(path.c_str(), O_CREAT | O_RDONLY, 0600));
            const int fd = open(path.c_str(), O_RDONLY);
            if (dup2(fd, kFirstFd + i) < 0 || (fd >= kFirstFd + count && close(fd) < 0) ||
                fcntl(kFirstFd + i, F_SETLEASE, F_RDLCK) < 0) {
                _exit(1);
            }
            if (fd < kFirstFd) {
                close(fd);
            }
        }
    });
}

std::vector<WantedLease> all_of(const Neighbour& holder, int count, const LeaseState& state) {
    std::vector<WantedLease> leases;
    for (int i = 0; i < count; ++i) {
        leases.push_back(
            {.pid = holder.pid(), .fd = kFirstFd + i, .path = {}, .state = state, .owner = {}});
    }
    return leases;
}

bool are_set(const std::vector<AppliedLease>& results) {
    for (const AppliedLease& result : results) {
        EXPECT_EQ(result, kSet) << result.reason;
        if (result != kSet) {
            return false;
        }
    }
    return true;
}

const LeaseState kBreaking = breaking(LockType::rdlck, LockType::unlck, in_seconds(100));

// 1,024 is what most processes may have, until they ask for more.
TEST_F(Many, TheSoftLimitOfDescriptorsIsNone) {
    const auto holder = hold_many(folder.file("f"), 1100);
    EXPECT_TRUE(in_child([&] {
        rlimit limit{};
        getrlimit(RLIMIT_NOFILE, &limit);
        allow_descriptors(1024, limit.rlim_max);
        return are_set(apply(all_of(*holder, 1100, held(LockType::rdlck)), {})) &&
               are_set(apply(all_of(*holder, 1100, kBreaking), {}));
    }));
}

TEST_F(Many, WhatIsBeyondTheHardLimitIsSetInPortions) {
    std::vector<std::unique_ptr<Neighbour>> holders;
    std::vector<WantedLease> leases;
    for (int i = 0; i < 6; ++i) {
        holders.push_back(hold_many(folder.file("f" + std::to_string(i)), 100));
        const auto more = all_of(*holders.back(), 100, kBreaking);
        leases.insert(leases.end(), more.begin(), more.end());
    }
    EXPECT_TRUE(in_child([&] {
        allow_descriptors(300, 300);
        keep_capabilities(~(std::uint64_t{1} << CAP_SYS_RESOURCE));
        return are_set(apply(leases, {}));
    }));
}

TEST_F(Many, WhatNoProcessHereMayHaveIsSaid) {
    const auto holder = hold_many(folder.file("f"), 1);
    const Holder far(folder.file("g"), {.fd = 900, .lease = F_RDLCK});
    EXPECT_TRUE(in_child([&] {
        allow_descriptors(300, 300);
        keep_capabilities(~(std::uint64_t{1} << CAP_SYS_RESOURCE));
        std::vector<WantedLease> leases = all_of(*holder, 1, kBreaking);
        leases.push_back(wanted(far, kBreaking, 900));
        std::vector<std::string> said;
        const auto results = apply(
            leases, {.tell = [&](const Problem& problem) { said.push_back(problem.message); }});
        EXPECT_EQ(results[0], kSet);
        EXPECT_EQ(results[1],
                  (AppliedLease{Outcome::skipped,
                                "descriptor 900 is beyond what a process may have here"}));
        EXPECT_EQ(said, (std::vector<std::string>{
                            "the limit of descriptors (RLIMIT_NOFILE) is too low, and "
                            "CAP_SYS_RESOURCE to raise it is missing: leases beyond it cannot be "
                            "set"}));
        return !testing::Test::HasFailure();
    }));
}

TEST_F(Many, LeasesOnOneFileAreSetTogether) {
    const std::string path = folder.file("f");
    const auto holder = hold_many(path, 300, true);
    const Captured found = capture(read_process(holder->pid()), {});
    EXPECT_EQ(found.image.locks.size(), 300U);
    EXPECT_TRUE(are_set(apply(all_of(*holder, 300, kBreaking), {})));
    const Captured broken = capture(read_process(holder->pid()), {});
    ASSERT_EQ(broken.image.locks.size(), 300U);
    broken.image.locks.for_each([](const Lock& lock) {
        EXPECT_TRUE(lock.lease.breaking);
        EXPECT_NEAR(seconds_of(lock.lease.remaining.time()), 100, 5);
    });
}

// What a process does that has a file locked.
std::function<void()> has_locked(const std::string& path, uid_t user) {
    return [path, user] {
        static_cast<void>(setresuid(user, user, user));
        const int fd = open(path.c_str(), O_RDONLY | O_CREAT, 0600);
        if (flock(fd, LOCK_EX) < 0) {
            _exit(1);
        }
    };
}

struct RunLockTest : ApplyTest {
    std::vector<std::string> said;
    ApplyOptions options{.begin = {}, .dry_run = false, .tell = [this](const Problem& problem) {
                             said.push_back(problem.message);
                         }};
};

TEST_F(RunLockTest, OneThatIsStuckIsNamedAndCostsNobodyALease) {
    const Holder holder(folder.file("f"), {.lease = F_WRLCK});
    const std::string lock = folder.file("lock");
    const Neighbour locker(has_locked(lock, 0));
    const std::vector<WantedLease> leases{wanted(holder, ten_seconds())};
    EXPECT_EQ(apply_with(leases, options, {.lock_path = lock}), std::vector{kSet});
    const std::string who = "process " + std::to_string(locker.pid()) + " (live-tests)";
    EXPECT_EQ(said, (std::vector{who + " has had it locked for a second",
                                 who + " did not get done in 5 s, and is not waited for"}));
}

// Anybody may lock the user namespace.
TEST_F(RunLockTest, WhoMayNotChangeTheSettingIsNotWaitedFor) {
    const Holder holder(folder.file("f"), {.lease = F_WRLCK});
    const Neighbour locker(has_locked("/proc/self/ns/user", 1234));
    const SteadyTime begin = steady_now();
    const std::vector<WantedLease> leases{wanted(holder, ten_seconds())};
    EXPECT_EQ(live::apply(leases, options), std::vector{kSet});
    EXPECT_LT(seconds_since(begin), 4);
    EXPECT_TRUE(said.empty()) << said.front();
}

// There is one lease-break-time for all of them.
TEST_F(RunLockTest, ItIsOneForTheMachine) {
    const Holder holder(folder.file("f"), {.lease = F_WRLCK});
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const Neighbour container([&] {
        if (unshare(CLONE_NEWPID | CLONE_NEWNS) < 0 || fork() != 0) {
            char byte = 0;
            close(ends[1]);
            static_cast<void>(!read(ends[0], &byte, 1));
            return;
        }
        mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
        mount("proc", "/proc", "proc", 0, nullptr);
        mount("none", "/run", "tmpfs", 0, nullptr);
        const RunLock lock(true, kRunLockPath);
        LockHolder nobody;
        lock.take(nobody, [] {});
        static_cast<void>(!write(ends[1], "l", 1));
        sleep_for(0.5);
        _exit(0);
    });
    const SteadyTime begin = steady_now();
    const std::vector<WantedLease> leases{wanted(holder, ten_seconds())};
    EXPECT_EQ(live::apply(leases, options), std::vector{kSet});
    EXPECT_GT(seconds_since(begin), 0.3);
    close(ends[0]);
    close(ends[1]);
}

// Whatever had to be waited for, all count from when there was nothing left to wait for.
TEST_F(RunLockTest, WaitingForItCostsNoHolderItsTime) {
    const std::string lock = folder.file("lock");
    const Holder holder(folder.file("f"), {.lease = F_WRLCK});
    const Neighbour locker(has_locked(lock, 0));
    const SteadyTime begin = steady_now();
    const std::vector<WantedLease> leases{wanted(holder, ten_seconds())};
    EXPECT_EQ(apply_with(leases, options, {.lock_path = lock}), std::vector{kSet});
    const double took = seconds_since(begin);
    EXPECT_GT(took, 4);
    const Captured found = capture(read_process(holder.pid()), {});
    EXPECT_NEAR(seconds_of(found.image.locks.at(0).lease.remaining.time()), 10, 1);

    const std::vector<WantedLease> again{wanted(holder, ten_seconds())};
    EXPECT_EQ(apply_with(again, {.begin = steady_now() - std::chrono::seconds(3)}, {}),
              std::vector{kSet});
    const Captured later = capture(read_process(holder.pid()), {});
    EXPECT_NEAR(seconds_of(later.image.locks.at(0).lease.remaining.time()), 7, 1);
}

// What a container mostly has not.
TEST_F(Many, WhatIsMissingIsSaidOnce) {
    const Holder first(folder.file("f"), {.lease = F_WRLCK});
    const Holder second(folder.file("g"), {.lease = F_WRLCK, .uid = 1234, .euid = 1234});
    const std::vector<WantedLease> leases{wanted(first, ten_seconds()),
                                          wanted(second, ten_seconds())};
    const auto expect_said = [&](std::vector<std::string> wanted_said) {
        std::vector<std::string> said;
        static_cast<void>(apply(
            leases, {.tell = [&](const Problem& problem) { said.push_back(problem.message); }}));
        EXPECT_EQ(said, wanted_said);
        return !testing::Test::HasFailure();
    };
    EXPECT_TRUE(in_child([&] {
        keep_capabilities(~(std::uint64_t{1} << CAP_SETUID));
        return expect_said(
            {"CAP_SETUID is missing: leases whose owner was set by another user "
             "cannot be set"});
    }));
    EXPECT_TRUE(in_child([&] {
        keep_capabilities(0);
        return expect_said(
            {"the permission to trace the processes (CAP_SYS_PTRACE) is missing: "
             "their leases cannot be reached"});
    }));
    EXPECT_TRUE(in_child([&] {
        unshare(CLONE_NEWNS);
        mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
        mount("/proc/sys", "/proc/sys", nullptr, MS_BIND, nullptr);
        mount(nullptr, "/proc/sys", nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr);
        return expect_said(
            {"/proc/sys/fs/lease-break-time cannot be written, as in a container: leases that are "
             "being broken cannot be set, on a kernel without the ckpt-lease patch"});
    }));
}

TEST_F(Many, ATracefsThatIsReadOnlyIsSaidOnce) {
    const std::string path = folder.file("f");
    const Holder first(path, {.lease = F_WRLCK});
    const Holder second(folder.file("g"), {.lease = F_WRLCK});
    ASSERT_EQ(open(path.c_str(), O_WRONLY | O_NONBLOCK), -1);
    ASSERT_EQ(open((path.substr(0, path.size() - 1) + "g").c_str(), O_WRONLY | O_NONBLOCK), -1);
    EXPECT_TRUE(in_child([&] {
        unshare(CLONE_NEWNS);
        mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
        mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, nullptr);
        mount(nullptr, "/sys/kernel/tracing", nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr);
        std::vector<Process> both = read_process(first.pid());
        both.push_back(read_process(second.pid()).front());
        const Captured found = capture(both, {});
        EXPECT_EQ(found.image.locks.size(), 2U);
        EXPECT_FALSE(found.image.locks.at(1).lease.remaining.is_known());
        EXPECT_EQ(found.unknown.size(), 1U);
        EXPECT_EQ(found.unknown.at(0).message,
                  "cannot make a tracing instance: Read-only file system");
        EXPECT_EQ(found.unknown.at(0).hint,
                  "the time that is left is not known without it: tracefs is mounted read-only "
                  "here, as in containers");
        return !testing::Test::HasFailure();
    }));
}

}  // namespace
}  // namespace ckpt_lease::live::test
