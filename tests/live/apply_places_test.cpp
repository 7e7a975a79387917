// SPDX-License-Identifier: GPL-2.0-or-later
// Leases wherever their files, descriptors and processes are.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <future>
#include <string>
#include <thread>

#include "live/set/run.hpp"
#include "processes.hpp"

namespace ckpt_lease::live::test {
namespace {

using ApplyPlaces = ApplyTest;

TEST_F(ApplyPlaces, DeletedFilesAreFilesToo) {
    const std::string path = folder.file("f");
    const Holder holder(path, {.lease = F_WRLCK});
    std::filesystem::remove(path);
    holder.stop();
    EXPECT_EQ(apply_one(wanted(holder, breaking(LockType::wrlck, LockType::unlck, in_seconds(5)))),
              kSet);
    EXPECT_TRUE(holder.is_breaking());
}

// The breaker came by a mount that is not read-only.
TEST_F(ApplyPlaces, FilesOnReadOnlyMountsAreBroken) {
    const std::string path = folder.file("f");
    const std::string seen = folder.file("seen");
    ASSERT_EQ(mount(path.c_str(), seen.c_str(), nullptr, MS_BIND, nullptr), 0);
    ASSERT_EQ(mount(nullptr, seen.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr), 0);
    {
        const Holder holder(seen, {.lease = F_WRLCK});
        holder.stop();
        EXPECT_EQ(
            apply_one(wanted(holder, breaking(LockType::wrlck, LockType::unlck, in_seconds(5)))),
            kSet);
        EXPECT_TRUE(holder.is_breaking());
    }
    EXPECT_EQ(umount(seen.c_str()), 0);
}

TEST_F(ApplyPlaces, AContainerIsReachedFromOutside) {
    const std::string path = folder.file("f");
    const Holder holder(path, {.lease = F_WRLCK, .container = true});
    const LeaseOwner owner = holder.owner();
    EXPECT_EQ(owner.id, holder.pid()) << "which it knows as 1 itself";
    holder.stop();
    const SteadyTime begin = steady_now();
    EXPECT_EQ(apply_one(wanted(holder, breaking(LockType::wrlck, LockType::unlck, in_seconds(1)))),
              kSet);
    EXPECT_EQ(holder.owner(), owner);
    holder.go_on();
    Breaker breaker("/proc/" + std::to_string(holder.pid()) + "/root" + path, O_WRONLY);
    const SteadyTime in = breaker.wait(5);
    ASSERT_NE(in, kNever);
    expect_met(seconds_of(in - begin), 1);
    EXPECT_EQ(holder.signals(), 0);
}

// The kernel is asked, and not apply(): what apply() cannot do is a failure.
bool threads_have_pidfds() {
    const auto fd = static_cast<int>(syscall(SYS_pidfd_open, gettid(), O_EXCL));  // PIDFD_THREAD
    close(fd);
    return fd >= 0;
}

// Since Linux 6.9.
TEST_F(ApplyPlaces, AThreadMayHaveAFileTableOfItsOwn) {
    if (!threads_have_pidfds()) {
        GTEST_SKIP() << "NOT TESTED, threads with descriptors of their own: it needs Linux 6.9";
    }
    const std::string path = folder.file("f");
    std::promise<pid_t> ready;
    std::promise<void> end;
    int type = F_UNLCK;
    std::thread thread([&] {
        unshare(CLONE_FILES);
        const int fd = open(path.c_str(), O_RDONLY);
        dup2(fd, 77);
        close(fd);
        fcntl(77, F_SETSIG, SIGRTMIN);
        ready.set_value(gettid());
        end.get_future().wait();
        type = fcntl(77, F_GETLEASE);
    });
    const WantedLease lease{.pid = ready.get_future().get(),
                            .fd = 77,
                            .path = path,
                            .state = held(LockType::wrlck),
                            .owner = LeaseOwner{.id = getpid(), .signal = SIGRTMIN}};
    const AppliedLease result = apply_one(lease);
    end.set_value();
    thread.join();
    EXPECT_EQ(result, kSet);
    EXPECT_EQ(type, F_WRLCK);
}

// F_SETLEASE is called on the holder's number, which may be one that this process uses itself.
TEST_F(ApplyPlaces, TheNumberOfTheDescriptorMayBeAny) {
    for (const int fd : {0, 3, 4, 7, 1000}) {
        const std::string path = folder.file("f");
        const Holder holder(path, {.fd = fd, .lease = F_WRLCK});
        holder.stop();
        const LeaseState state = breaking(LockType::wrlck, LockType::unlck, in_seconds(9), false);
        EXPECT_EQ(apply_one(wanted(holder, state, fd)), kSet) << fd;
        holder.go_on();
        EXPECT_EQ(holder.signals(), 1);
        EXPECT_EQ(holder.last_signal_fd(), fd);
    }
}

// What this process needs itself for longer: to set owners as others, and to see all leases.
TEST_F(ApplyPlaces, ANumberThatIsInUseHereIsNoneOfTheHolders) {
    for (int fd = 3; fd < 20; ++fd) {
        SCOPED_TRACE(testing::Message() << "descriptor " << fd);
        const HolderOptions options{.fd = fd, .lease = F_WRLCK, .uid = 1234, .euid = 4321};
        const Holder first(folder.file("f"), options);
        const Holder second(folder.file("g"), options);
        const LeaseOwner owner = second.owner();
        const std::vector<WantedLease> leases{wanted(first, ten_seconds(), fd),
                                              wanted(second, ten_seconds(), fd)};
        EXPECT_EQ(apply(leases, {}), (std::vector{kSet, kSet}));
        EXPECT_EQ(second.owner(), owner);
    }
    EXPECT_TRUE(in_pid_namespace([&] {
        const LeaseState state = breaking(LockType::rdlck, LockType::unlck, in_seconds(9));
        for (int fd = 3; fd < 20; ++fd) {
            const Holder holder(folder.file("f"), {.fd = fd, .lease = F_RDLCK});
            EXPECT_EQ(apply_one(wanted(holder, state, fd)), kSet) << fd;
        }
        return !testing::Test::HasFailure();
    }));
}

}  // namespace
}  // namespace ckpt_lease::live::test
