// SPDX-License-Identifier: GPL-2.0-or-later
// Runs that are in each other's way: no holder loses its lease or its time for that.
#include "live/set/run_lock.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ckpt-lease/base/problem.hpp"
#include "live/capture.hpp"
#include "live/tracefs.hpp"
#include "processes.hpp"

namespace ckpt_lease::live::test {
namespace {

using namespace std::chrono_literals;

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

// Holds it until it is ended, or for `seconds`, and shows that it gets on.
std::function<void()> works_with(const std::string& path, double seconds = 3600) {
    return [path, seconds] {
        const Fd fd(open(path.c_str(), O_RDWR));
        if (!fd || flock(fd.get(), LOCK_EX) < 0) {
            _exit(1);
        }
        if (fork() != 0) {
            return;
        }
        const SteadyTime begin = steady_now();
        while (seconds_since(begin) < seconds) {
            futimens(fd.get(), nullptr);
            sleep_for(0.05);
        }
        flock(fd.get(), LOCK_UN);
        _exit(0);
    };
}

TEST_F(RunLockTest, OneThatIsStuckIsNamedAndCostsNobodyALease) {
    const Holder holder(folder.file("f"), {.lease = F_WRLCK});
    const std::string lock = folder.file("lock");
    const Neighbour locker(has_locked(lock, 0));
    const std::vector<WantedLease> leases{wanted(holder, ten_seconds())};
    EXPECT_EQ(apply_with(leases, options, {.lock_path = lock}), std::vector{kSet});
    const std::string who = "process " + std::to_string(locker.pid()) + " (live-tests)";
    EXPECT_EQ(said, (std::vector{who + " has had it locked for a second",
                                 who + " did not get on for 5 s, and is not waited for"}));
}

TEST_F(RunLockTest, OneThatGetsOnIsWaitedForLongerButNotForEver) {
    const std::string path = folder.file("lock");
    constexpr LockPatience kShort{
        .before_telling = 100ms, .without_progress = 1500ms, .in_all = 4s};
    struct Case {
        double works;
        double takes;
        bool is_passed_over;
    };
    for (const Case& one : {Case{2.5, 2.5, false}, Case{10, 4, true}}) {
        const Neighbour locker(works_with(path, one.works));
        RunLock lock(true, path, kShort);
        LockWaits waits;
        const SteadyTime begin = steady_now();
        lock.take(waits, [] {});
        EXPECT_NEAR(seconds_since(begin), one.takes, 1);
        EXPECT_EQ(waits.waited_for.pid, locker.pid());
        EXPECT_EQ(waits.passed_over.known, one.is_passed_over);
        EXPECT_FALSE(waits.is_stuck);
        lock.release();
    }
}

// Two that take long, as where many leases are set.
TEST_F(RunLockTest, ALongRunIsNotPassedOver) {
    std::vector<std::unique_ptr<Holder>> holders;
    std::vector<WantedLease> many;
    for (int i = 0; i < 8; ++i) {
        holders.push_back(std::make_unique<Holder>(folder.file("f" + std::to_string(i)),
                                                   HolderOptions{.lease = F_WRLCK}));
        many.push_back(wanted(*holders.back(), ten_seconds()));
    }
    const SharedState shared;
    const Neighbour other([&] {
        if (fork() != 0) {
            return;
        }
        const ApplyHooks slow{.step = [&](Step step) {
            if (step == Step::taken) {
                shared->count++;
                sleep_for(0.9);
            }
        }};
        shared->done = apply_with(many, {}, slow) == std::vector(many.size(), kSet);
        _exit(0);
    });
    while (shared->count == 0) {
        sleep_for(0.01);
    }
    const Holder holder(folder.file("f"), {.lease = F_WRLCK});
    const std::vector<WantedLease> leases{wanted(holder, ten_seconds())};
    EXPECT_EQ(live::apply(leases, options), std::vector{kSet});
    sleep_for(0.5);
    EXPECT_TRUE(shared->done);
    EXPECT_EQ(said.size(), 1U);
}

// Neither by one that can be seen, nor by one that has ended and left it to another.
TEST_F(RunLockTest, NobodyButRootCostsARunItsTime) {
    const auto locks = has_locked("/proc/self/ns/user", 1234);
    const auto locks_and_leaves = [&] {
        if (fork() == 0) {
            locks();
            if (fork() == 0) {
                sleep_for(2);
            }
            _exit(0);
        }
    };
    for (const std::function<void()>& what : {std::function<void()>(locks_and_leaves), locks}) {
        const Holder holder(folder.file("f"), {.lease = F_WRLCK});
        const Neighbour stranger(what);
        const SteadyTime begin = steady_now();
        const std::vector<WantedLease> leases{wanted(holder, ten_seconds())};
        EXPECT_EQ(live::apply(leases, options), std::vector{kSet});
        EXPECT_LT(seconds_since(begin), 1);
        EXPECT_TRUE(said.empty()) << said.front();
    }

    const Fd machine = open_tracefs();
    EXPECT_TRUE(in_child([&] {
        static_cast<void>(setresuid(1234, 1234, 1234));
        const std::string path = "/proc/self/fd/" + std::to_string(machine.get());
        const auto is_refused = [](const std::string& what) {
            return open(what.c_str(), O_RDONLY) < 0 && errno == EACCES;
        };
        return is_refused(path) && is_refused(path + "/.") && is_refused(kRunLockPath);
    }));
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
        RunLock lock(true, kRunLockPath);
        LockWaits nobody;
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

}  // namespace
}  // namespace ckpt_lease::live::test
