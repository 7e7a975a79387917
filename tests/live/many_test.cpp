// SPDX-License-Identifier: GPL-2.0-or-later
// Many leases, and what is missing for some of them.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "ckpt-lease/base/problem.hpp"
#include "live/capture.hpp"
#include "live/set/run.hpp"
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

// As many leases are on the file as are wanted, but one of them is somebody else's.
TEST_F(Many, ALeaseOfSomebodyElseIsNotTakenForOneOfOurs) {
    constexpr int kCount = 20;
    const std::string path = folder.file("f");
    const Neighbour holder([&] {
        for (int i = 0; i < kCount; ++i) {
            const int fd = open(path.c_str(), O_RDONLY);
            if (dup2(fd, kFirstFd + 50 + i) < 0 || close(fd) < 0 ||
                fcntl(kFirstFd + 50 + i, F_SETLEASE, F_RDLCK) < 0) {
                _exit(1);
            }
        }
        // This one is given up, and looks as if it were not.
        if (fcntl(kFirstFd + 57, F_SETLEASE, F_UNLCK) < 0 ||
            fcntl(kFirstFd + 57, F_SETOWN, getpid()) < 0) {
            _exit(1);
        }
    });
    const Holder other(path, {.lease = F_RDLCK});
    std::vector<WantedLease> leases;
    for (int i = 0; i < kCount; ++i) {
        leases.push_back({.pid = holder.pid(),
                          .fd = kFirstFd + 50 + i,
                          .path = {},
                          .state = kBreaking,
                          .owner = {}});
    }
    for (const AppliedLease& result : apply(leases, {})) {
        EXPECT_EQ(result.outcome, Outcome::skipped);
    }
    EXPECT_FALSE(other.is_breaking());
    EXPECT_EQ(other.lease(), F_RDLCK);
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
            {"the processes may not be traced (it takes CAP_SYS_PTRACE, and a security module "
             "may forbid it): their leases cannot be reached"});
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

// Two leases that are being broken, and tracefs as `prepare` leaves it.
class Tracing : public Many {
 protected:
    bool capture_both(const std::function<void()>& prepare,
                      const std::function<void(const Captured&)>& expect) const {
        const std::string path = folder.file("f");
        const std::string other = folder.file("g");
        const Holder first(path, {.lease = F_WRLCK});
        const Holder second(other, {.lease = F_WRLCK});
        EXPECT_EQ(open(path.c_str(), O_WRONLY | O_NONBLOCK), -1);
        EXPECT_EQ(open(other.c_str(), O_WRONLY | O_NONBLOCK), -1);
        return in_child([&] {
            unshare(CLONE_NEWNS);
            mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
            for (const char* const place : {"/sys/kernel/debug/tracing", "/sys/kernel/tracing"}) {
                while (umount(place) == 0) {
                }
            }
            prepare();
            std::vector<Process> both = read_process(first.pid());
            both.push_back(read_process(second.pid()).front());
            const Captured found = capture(both, {});
            EXPECT_EQ(found.image.locks.size(), 2U);
            expect(found);
            return !testing::Test::HasFailure();
        });
    }
};

void mount_tracefs() {
    mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, nullptr);
}

constexpr int kPerfmon = 38;  // CAP_PERFMON, which not all headers have
constexpr std::uint64_t kTracing =
    (std::uint64_t{1} << CAP_SYS_ADMIN) | (std::uint64_t{1} << kPerfmon);

TEST_F(Tracing, ATracefsThatIsReadOnlyWillDo) {
    EXPECT_TRUE(capture_both(
        [] {
            mount_tracefs();
            mount(nullptr, "/sys/kernel/tracing", nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY,
                  nullptr);
        },
        [](const Captured& found) {
            EXPECT_TRUE(found.image.locks.at(0).lease.remaining.is_known());
            EXPECT_TRUE(found.image.locks.at(1).lease.remaining.is_known());
            EXPECT_TRUE(found.unknown.empty());
        }));
}

TEST_F(Tracing, WithoutTracefsWhatIsMissingIsSaidOnce) {
    EXPECT_TRUE(capture_both([] { keep_capabilities(~kTracing); },
                             [](const Captured& found) {
                                 EXPECT_FALSE(found.image.locks.at(1).lease.remaining.is_known());
                                 ASSERT_EQ(found.unknown.size(), 1U);
                                 EXPECT_EQ(to_string(found.unknown.at(0)),
                                           "tracefs: cannot open: Operation not permitted (the "
                                           "time that is left is not known without it: on a kernel "
                                           "without the ckpt-lease patch it takes root, and "
                                           "CAP_SYS_ADMIN)");
                             }));
}

TEST_F(Tracing, WithoutThePermissionToTraceWhatIsMissingIsSaidOnce) {
    EXPECT_TRUE(capture_both(
        [] {
            mount_tracefs();
            keep_capabilities(~kTracing);
        },
        [](const Captured& found) {
            EXPECT_FALSE(found.image.locks.at(1).lease.remaining.is_known());
            ASSERT_EQ(found.unknown.size(), 1U);
            EXPECT_EQ(found.unknown.at(0).message.find("cannot trace filelock:time_out_leases: "),
                      0U)
                << found.unknown.at(0).message;
        }));
}

// The kernel tells of all leases on the file, of which there may be any number.
TEST_F(Tracing, MoreLeasesOnAFileThanWereLookedForAreSaid) {
    constexpr int kMany = 12'000;
    const std::string path = folder.file("f");
    const Holder holder(path, {.lease = F_RDLCK});
    const Neighbour others([&] {
        rlimit most{};
        getrlimit(RLIMIT_NOFILE, &most);
        most.rlim_cur = most.rlim_max;
        setrlimit(RLIMIT_NOFILE, &most);
        signal(SIGIO, SIG_IGN);
        for (int i = 0; i < kMany; ++i) {
            fcntl(open(path.c_str(), O_RDONLY), F_SETLEASE, F_RDLCK);
        }
    });
    EXPECT_EQ(open(path.c_str(), O_WRONLY | O_NONBLOCK), -1);
    const std::string other = folder.file("g");
    const Holder next(other, {.lease = F_WRLCK});
    EXPECT_EQ(open(other.c_str(), O_WRONLY | O_NONBLOCK), -1);
    std::vector<Process> both = read_process(holder.pid());
    both.push_back(read_process(next.pid()).front());
    const Captured found = capture(both, {});
    ASSERT_EQ(found.image.locks.size(), 2U);
    EXPECT_TRUE(found.image.locks.at(1).lease.remaining.is_known()) << "of the file behind it";
    EXPECT_TRUE(found.image.locks.at(0).lease.breaking);
    EXPECT_FALSE(found.image.locks.at(0).lease.remaining.is_known());
    ASSERT_EQ(found.unknown.size(), 1U);
    EXPECT_EQ(found.unknown.at(0).message,
              "there are more leases on this file than were looked for");
}

}  // namespace
}  // namespace ckpt_lease::live::test
