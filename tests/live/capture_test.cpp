// SPDX-License-Identifier: GPL-2.0-or-later
// Leases of real processes, looked into.
#include "live/capture.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <memory>
#include <thread>

#include "live/breakers.hpp"
#include "live/freeze_time.hpp"
#include "live/lease_calls.hpp"
#include "live/remote_fd.hpp"
#include "live/target.hpp"
#include "processes.hpp"

namespace ckpt_lease::live::test {
namespace {

using namespace std::chrono_literals;

constexpr double kTolerance = 0.1;  // seconds

struct CaptureTest : ApplyTest {
    static Captured captured(const Holder& holder, std::optional<SteadyTime> frozen = {}) {
        return capture(read_process(holder.pid()), {.frozen = frozen});
    }
    static Lock only_lock(const Captured& captured) {
        EXPECT_EQ(captured.image.locks.size(), 1U);
        EXPECT_EQ(captured.unknown.size(), 0U);
        return captured.image.locks.size() > 0 ? captured.image.locks.at(0) : Lock();
    }
    static double left(const Lock& lock) {
        return std::chrono::duration<double>(lock.lease.remaining.time()).count();
    }
};

// A break that began when lease-break-time was `seconds`.
struct Break {
    Break(const std::string& path, int flags, int seconds)
        : setting(seconds), begin(steady_now()), breaker(path, flags) {
        breaker.wait_until_it_sleeps();
    }
    LeaseBreakTime setting;
    SteadyTime begin;
    Breaker breaker;
};

TEST_F(CaptureTest, WhatIsLeftIsTrueToATenthOfASecond) {
    struct Kind {
        int lease;
        int breaker;
        LockType before;
        LockType target;
    };
    for (const Kind& kind : {Kind{F_WRLCK, O_WRONLY, LockType::wrlck, LockType::unlck},
                             Kind{F_WRLCK, O_RDONLY, LockType::wrlck, LockType::rdlck},
                             Kind{F_RDLCK, O_WRONLY, LockType::rdlck, LockType::unlck}}) {
        for (const int seconds : {1, 3, 10}) {
            const std::string path = folder.file("f");
            const Holder holder(path, {.lease = kind.lease});
            const Break pending(path, kind.breaker, seconds);
            std::this_thread::sleep_for(300ms);
            const double wanted = seconds - seconds_since(pending.begin);
            const Lock lock = only_lock(captured(holder));
            EXPECT_TRUE(lock.lease.breaking);
            EXPECT_EQ(lock.lease.previous_type, kind.before);
            EXPECT_EQ(lock.lease.type, kind.target);
            EXPECT_TRUE(lock.lease.notified);
            EXPECT_EQ(lock.fd, 77);
            ASSERT_TRUE(lock.lease.remaining.has_deadline());
            EXPECT_NEAR(left(lock), wanted, kTolerance) << seconds;
        }
    }
}

TEST_F(CaptureTest, ALeaseThatIsHeldIsJustThat) {
    const std::string path = folder.file("f");
    const Holder holder(path, {.lease = F_WRLCK});
    const Captured found = captured(holder);
    EXPECT_EQ(only_lock(found).lease, held(LockType::wrlck));
    EXPECT_EQ(found.image.locks.path(found.image.locks.at(0)), path);
}

TEST_F(CaptureTest, TimesCountFromWhenTheTasksWereStopped) {
    const std::string path = folder.file("f");
    const Holder holder(path, {.lease = F_WRLCK});
    const Break pending(path, O_WRONLY, 2);
    const double wanted = 2 - seconds_since(pending.begin) + 30;
    EXPECT_NEAR(left(only_lock(captured(holder, steady_now() - 30s))), wanted, kTolerance);
}

// Opens a file as a breaker, and says when: as exactly as the clock can be read around it.
SteadyTime break_now(const std::string& path, const Holder& holder) {
    while (true) {
        const SteadyTime before = steady_now();
        EXPECT_EQ(open(path.c_str(), O_WRONLY | O_NONBLOCK), -1);
        const SteadyTime after = steady_now();
        if (after - before < 1ms) {
            return before;
        }
        EXPECT_EQ(holder.call(F_SETLEASE, F_UNLCK), 0);
        EXPECT_EQ(holder.call(F_SETLEASE, F_WRLCK), 0);
    }
}

// However long it takes until anybody has a look.
TEST_F(CaptureTest, TheTimeIsExactOnABusyMachine) {
    std::vector<std::unique_ptr<Neighbour>> loops;
    for (int i = 0; i < 30; ++i) {
        loops.push_back(std::make_unique<Neighbour>([] {
            if (fork() == 0) {
                while (getppid() != 1) {
                }
                _exit(0);
            }
        }));
    }
    const LeaseBreakTime setting(45);
    for (int i = 0; i < 5; ++i) {
        const std::string path = folder.file("f");
        const Holder holder(path, {.lease = F_WRLCK});
        const SteadyTime begin = break_now(path, holder);
        const SteadyTime frozen = begin + 123ms;
        sleep_for(0.2);
        EXPECT_NEAR(left(only_lock(captured(holder, frozen))), 45 - 0.123, 0.01);
    }
}

TEST_F(CaptureTest, ABreakWithoutDeadlineHasNone) {
    const std::string path = folder.file("f");
    const Holder holder(path, {.lease = F_WRLCK});
    const Break pending(path, O_WRONLY, 0);
    EXPECT_EQ(only_lock(captured(holder)).lease.remaining, Remaining::no_deadline());
}

// proc(5) shows the lease behind all of the process's locks on the file.
TEST_F(CaptureTest, ALeaseBehindManyLocksIsSeen) {
    constexpr int kLocks = 22000;
    const int fd = open(folder.file("f").c_str(), O_RDWR | O_CLOEXEC);
    ASSERT_EQ(fcntl(fd, F_SETLEASE, F_WRLCK), 0);
    for (int i = kLocks; i > 0; --i) {
        struct flock lock {
            .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2 * i, .l_len = 1, .l_pid = 0
        };
        ASSERT_EQ(fcntl(fd, F_SETLK, &lock), 0);
    }
    const std::vector<Descriptor> found = read_process(getpid()).front().descriptors;
    EXPECT_EQ(found.size(), 1U);
    EXPECT_TRUE(lease_now(fd).held);
    close(fd);
}

TEST_F(CaptureTest, NothingIsDisturbed) {
    const std::string path = folder.file("f");
    const Holder holder(path, {.lease = F_WRLCK});
    Break pending(path, O_WRONLY, 4);
    const LeaseOwner owner = holder.owner();
    for (int i = 0; i < 10; ++i) {
        EXPECT_TRUE(only_lock(captured(holder)).lease.breaking);
    }
    EXPECT_EQ(holder.signals(), 1);
    EXPECT_EQ(holder.owner(), owner);
    EXPECT_EQ(lease_break_time(), 4);
    const SteadyTime in = pending.breaker.wait(9);
    ASSERT_NE(in, kNever);
    EXPECT_NEAR(seconds_of(in - pending.begin), 4, kTolerance + wheel_granule(4));
}

TEST_F(CaptureTest, OwnerAndSignalAreFoundOut) {
    const std::string path = folder.file("f");
    const Holder holder(path, {.lease = F_WRLCK, .signal = SIGUSR1, .uid = 1000, .euid = 1001});
    const Captured found = captured(holder);
    ASSERT_EQ(found.image.owners.size(), 1U);
    const LeaseOwner wanted{LeaseOwner::Kind::process, holder.pid(), 1000, 1001, SIGUSR1};
    EXPECT_EQ(found.image.owners[0], wanted);
}

TEST_F(CaptureTest, DescriptorsOfOneOpenFileAreOneLease) {
    const std::string path = folder.file("f");
    const Holder holder(path, {.lease = F_RDLCK, .copy = 80});
    const Captured found = captured(holder);
    ASSERT_EQ(found.image.locks.size(), 2U);
    EXPECT_EQ(found.image.locks.at(0).fd, 77);
    EXPECT_EQ(found.image.locks.at(1).fd, 80);
    EXPECT_EQ(found.image.locks.at(0).file, found.image.locks.at(1).file);
}

// As read_process() finds them where the kernel has them.
TEST_F(CaptureTest, DelegationsAreLeftAlone) {
    const Holder holder(folder.file("f"), {.lease = F_WRLCK});
    std::vector<Process> processes = read_process(holder.pid());
    processes.at(0).delegations = {{.fd = 12, .path = "/srv", .lease = {}}};
    const Captured one = capture(processes, {});
    EXPECT_EQ(only_lock(one).lease, held(LockType::wrlck));
    ASSERT_EQ(one.left_alone.size(), 1U);
    EXPECT_EQ(one.left_alone[0].file, name_of(holder.pid(), 12));
    EXPECT_EQ(one.left_alone[0].message, "a delegation (F_SETDELEG) is left alone");
    processes.at(0).delegations.push_back({.fd = 13, .path = "/srv/a", .lease = {}});
    EXPECT_EQ(capture(processes, {}).left_alone.at(0).message,
              "this delegation (F_SETDELEG) and 1 more are left alone");
}

TEST_F(CaptureTest, PidsAreThoseInTheContainer) {
    const std::string path = folder.file("f");
    const Holder holder(path, {.lease = F_WRLCK, .container = true});
    const Captured found = captured(holder);
    ASSERT_EQ(found.image.tasks.size(), 1U);
    EXPECT_EQ(found.image.tasks[0].pids, (std::vector<std::int32_t>{1, holder.pid()}));
    EXPECT_EQ(found.image.locks.tasks(only_lock(found)).front().pid, 1);
    EXPECT_EQ(found.image.owners[0].id, 1);
}

TEST_F(CaptureTest, TheImageLeadsBackToTheProcess) {
    const std::string path = folder.file("f");
    const Holder holder(path, {.lease = F_WRLCK, .container = true});
    const Break pending("/proc/" + std::to_string(holder.pid()) + "/root" + path, O_WRONLY, 5);
    const Captured found = captured(holder);
    const std::string bytes = linux_cr::make_image(found.image, linux_cr::default_layout());
    io::MemorySource source("captured", as_bytes(bytes));
    const linux_cr::Image image = linux_cr::read_sound_image(source, linux_cr::default_layout());
    const Targets targets = find_targets(image, read_tree(holder.pid()));
    ASSERT_EQ(targets.wanted.size(), 1U);
    EXPECT_EQ(targets.places.at(0).missing, "");
    EXPECT_EQ(targets.wanted[0].pid, holder.pid());
    EXPECT_EQ(targets.wanted[0].fd, 77);
    EXPECT_EQ(targets.wanted[0].state, found.image.locks.at(0).lease);
    EXPECT_EQ(targets.wanted[0].owner, holder.owner());
}

// The kernel ends what is over when anybody looks: the first look has to tell of all.
TEST_F(CaptureTest, LeasesOfOneFileAreLookedIntoAtOnce) {
    const std::string path = folder.file("f");
    const Holder first(path, {.lease = F_RDLCK});
    const Holder second(path, {.lease = F_RDLCK});
    { const Break ends_before_its_deadline(path, O_WRONLY, 1); }
    sleep_for(1.1);
    std::vector<Process> both = read_process(first.pid());
    both.push_back(read_process(second.pid()).front());
    const Captured found = capture(both, {});
    EXPECT_EQ(found.unknown.size(), 0U);
    ASSERT_EQ(found.image.locks.size(), 2U);
    const LeaseState over = breaking(LockType::rdlck, LockType::unlck, Remaining());
    EXPECT_EQ(found.image.locks.at(0).lease, over);
    EXPECT_EQ(found.image.locks.at(1).lease, over);
}

TEST_F(CaptureTest, ThreadsMayComeAndGo) {
    std::atomic<bool> end = false;
    std::thread others([&] {
        while (!end) {
            std::thread([] {}).join();
        }
    });
    for (int i = 0; i < 300; ++i) {
        EXPECT_EQ(read_tree(getpid()).front().pid, getpid());
    }
    end = true;
    others.join();
}

// The kernel's tracing knows threads by their numbers outside.
TEST_F(CaptureTest, WhatIsLeftIsToldWithinAPidNamespace) {
    const std::string path = folder.file("f");
    const auto look = [&] {
        mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
        mount("proc", "/proc", "proc", 0, nullptr);
        const Holder holder(path, {.lease = F_WRLCK});
        const Break pending(path, O_WRONLY, 5);
        const Captured found = captured(holder);
        return found.unknown.empty() && found.image.locks.size() == 1 &&
               std::abs(left(found.image.locks.at(0)) + seconds_since(pending.begin) - 5) <
                   kTolerance;
    };
    const pid_t outside = fork();
    if (outside == 0) {
        unshare(CLONE_NEWPID | CLONE_NEWNS);
        const pid_t inside = fork();
        if (inside == 0) {
            _exit(look() ? 0 : 1);
        }
        int status = -1;
        waitpid(inside, &status, 0);
        _exit(status == 0 ? 0 : 1);
    }
    int status = -1;
    waitpid(outside, &status, 0);
    EXPECT_EQ(status, 0);
}

TEST_F(CaptureTest, ATaskThatIsNotThereIsSaid) {
    const std::string path = folder.file("f");
    const Holder holder(path, {.lease = F_WRLCK});
    const Captured found = captured(holder);
    const std::string bytes = linux_cr::make_image(found.image, linux_cr::default_layout());
    io::MemorySource source("captured", as_bytes(bytes));
    const linux_cr::Image image = linux_cr::read_sound_image(source, linux_cr::default_layout());
    const std::string who = "there is no process " + std::to_string(holder.pid()) + " (live-tests)";
    const auto missing = [&](std::string_view where) {
        const Targets targets = find_targets(image, {}, where);
        return targets.places.size() == 1 ? targets.places[0].missing : std::string();
    };
    EXPECT_EQ(missing({}), who);
    EXPECT_EQ(missing("in the tree of process 42"), who + " in the tree of process 42");
}

TEST_F(CaptureTest, BreakersAreFoundWithTheFileTheyWaitFor) {
    const std::string path = folder.file("f");
    const Holder holder(path, {.lease = F_WRLCK});
    const Break pending(path, O_WRONLY, 5);
    struct stat status {};
    ASSERT_EQ(stat(path.c_str(), &status), 0);
    const std::vector<live::Breaker> found = [&] {
        std::vector<live::Breaker> all = find_breakers();
        std::erase_if(all, [&](const live::Breaker& b) {
            return !(b.inode == Inode{status.st_dev, status.st_ino});
        });
        return all;
    }();
    ASSERT_EQ(found.size(), 1U);
    EXPECT_NE(found[0].pid, holder.pid());
}

// Where tracefs is not mounted, and without the capability to mount it.
TEST_F(CaptureTest, WhatCannotBeSeenIsNotGuessed) {
    const std::string path = folder.file("f");
    const Holder holder(path, {.lease = F_WRLCK});
    const Break pending(path, O_WRONLY, 20);
    const pid_t child = fork();
    if (child == 0) {
        unshare(CLONE_NEWNS);
        mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
        for (const char* const place : {"/sys/kernel/debug/tracing", "/sys/kernel/tracing"}) {
            umount2(place, MNT_DETACH);
        }
        __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
        __user_cap_data_struct data[2]{};
        syscall(SYS_capget, &header, data);
        data[CAP_SYS_ADMIN / 32].effective &= ~(1U << (CAP_SYS_ADMIN % 32));
        syscall(SYS_capset, &header, data);
        const Captured found = captured(holder);
        const LeaseState state = found.image.locks.at(0).lease;
        const bool right = state.breaking && !state.remaining.is_known() &&
                           state.type == LockType::unlck && !state.previous_type &&
                           found.unknown.size() == 1 &&
                           found.unknown[0].message.find("cannot") == 0;
        _exit(right ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
}

TEST_F(CaptureTest, TheFirstImageTellsWhenTasksWereStopped) {
    const std::filesystem::path images = folder.file("img") + ".d";
    std::filesystem::create_directory(images);
    EXPECT_FALSE(frozen_at(images, getpid())) << "no image";
    // Of somebody else, who can make links here, to what is older.
    std::filesystem::create_symlink(folder.file("older"), images / "link.img");
    EXPECT_FALSE(frozen_at(images, getpid())) << "no image";
    std::this_thread::sleep_for(300ms);
    const SteadyTime begin = steady_now();
    for (const char* const name : {"inventory.img", "pages-1.img"}) {
        close(open((images / name).c_str(), O_CREAT | O_WRONLY, 0600));
        std::this_thread::sleep_for(300ms);
    }
    const auto frozen = frozen_at(images, getpid());
    ASSERT_TRUE(frozen);
    constexpr double kTick = 0.01;
    EXPECT_NEAR(seconds_of(*frozen - begin), 0, kTick);
}

}  // namespace
}  // namespace ckpt_lease::live::test
