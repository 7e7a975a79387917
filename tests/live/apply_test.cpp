// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

#include "live/lease_calls.hpp"
#include "live/set/run.hpp"
#include "live/ticks.hpp"
#include "processes.hpp"

namespace ckpt_lease::live::test {
namespace {

struct Case {
    LockType from;
    LockType to;
    double seconds;
    bool notified;
};

constexpr Case kCases[] = {
    {LockType::wrlck, LockType::unlck, 1, true},   {LockType::wrlck, LockType::unlck, 2.3, true},
    {LockType::wrlck, LockType::unlck, 3, true},   {LockType::wrlck, LockType::unlck, 10, true},
    {LockType::wrlck, LockType::unlck, 0.4, true}, {LockType::wrlck, LockType::unlck, 1, false},
    {LockType::wrlck, LockType::rdlck, 1, true},   {LockType::wrlck, LockType::rdlck, 2.3, true},
    {LockType::wrlck, LockType::rdlck, 3, true},   {LockType::wrlck, LockType::rdlck, 10, true},
    {LockType::wrlck, LockType::rdlck, 1, false},  {LockType::rdlck, LockType::unlck, 1, true},
    {LockType::rdlck, LockType::unlck, 2.3, true}, {LockType::rdlck, LockType::unlck, 10, true},
    {LockType::rdlck, LockType::unlck, 1, false},
};

// All at once: it takes as long as the longest.
TEST_F(ApplyTest, BreakersGetInAtTheDeadline) {
    std::vector<std::string> paths;
    std::vector<std::unique_ptr<Holder>> holders;
    std::vector<WantedLease> leases;
    for (const Case& one : kCases) {
        paths.push_back(folder.file("f" + std::to_string(paths.size())));
        const int type = one.from == LockType::rdlck ? F_RDLCK : F_WRLCK;
        holders.push_back(std::make_unique<Holder>(paths.back(), HolderOptions{.lease = type}));
        holders.back()->stop();
        leases.push_back(wanted(*holders.back(),
                                breaking(one.from, one.to, in_seconds(one.seconds), one.notified)));
    }
    const LeaseOwner owner = holders[0]->owner();
    const SteadyTime begin = steady_now();
    const auto results = apply(leases, {.begin = begin});
    std::printf("apply() of %zu leases: %.4f s\n", leases.size(), seconds_since(begin));
    EXPECT_EQ(holders[0]->owner(), owner);
    std::vector<std::unique_ptr<Breaker>> breakers;
    for (std::size_t i = 0; i < leases.size(); ++i) {
        EXPECT_EQ(results[i], kSet) << results[i].reason;
        holders[i]->go_on();
        const int mode = kCases[i].to == LockType::unlck ? O_WRONLY : O_RDONLY;
        breakers.push_back(std::make_unique<Breaker>(paths[i], mode));
    }
    for (std::size_t i = 0; i < leases.size(); ++i) {
        SCOPED_TRACE(testing::Message() << "case " << i);
        const SteadyTime in = breakers[i]->wait(15);
        ASSERT_NE(in, kNever);
        const double got = seconds_of(in - begin);
        std::printf("%s -> %s, notified %d: wanted %.3f s, met %.3f s\n",
                    to_string(kCases[i].from).c_str(), to_string(kCases[i].to).c_str(),
                    kCases[i].notified ? 1 : 0, kCases[i].seconds, got);
        expect_met(got, kCases[i].seconds);
        EXPECT_EQ(holders[i]->signals(), kCases[i].notified ? 0 : 1);
        EXPECT_EQ(holders[i]->lease(), kCases[i].to == LockType::unlck ? F_UNLCK : F_RDLCK);
    }
}

// What the kernel's timers add is left out: it looks at the deadline whenever somebody comes.
TEST_F(ApplyTest, DeadlinesAreExact) {
    for (const double time : {0.1, 0.75, 2.3}) {
        const std::string path = folder.file("f");
        const Holder holder(path, {.lease = F_WRLCK});
        holder.stop();
        const LeaseState state = breaking(LockType::wrlck, LockType::unlck, in_seconds(time));
        const std::vector<WantedLease> leases{wanted(holder, state)};
        const SteadyTime begin = steady_now();
        EXPECT_EQ(apply(leases, {.begin = begin}), std::vector{kSet});
        int fd = -1;
        while (fd < 0 && seconds_since(begin) < 5) {
            fd = open(path.c_str(), O_WRONLY | O_NONBLOCK);
            sleep_for(fd < 0 ? 0.001 : 0);
        }
        const double got = seconds_since(begin);
        ASSERT_GE(fd, 0);
        close(fd);
        std::printf("wanted %.3f s, set to %.3f s\n", time, got);
        EXPECT_GE(got, time - 1.0 / ticks_per_second());
        EXPECT_LE(got, time + 0.1);
    }
}

// A break whose time is over.
TEST_F(ApplyTest, NothingLeftTakesTheLeaseAway) {
    const std::string path = folder.file("f");
    const Holder holder(path, {.lease = F_WRLCK});
    holder.stop();
    EXPECT_EQ(apply_one(wanted(holder, breaking(LockType::wrlck, LockType::unlck, Remaining()))),
              kSet);
    holder.go_on();
    EXPECT_EQ(holder.lease(), F_UNLCK);
    EXPECT_EQ(holder.signals(), 0);
    // As when the kernel takes a lease away.
    EXPECT_EQ(holder.owner().id, 0);
    EXPECT_EQ(holder.owner().signal, 0);
    EXPECT_NE(Breaker(path, O_WRONLY).wait(1), kNever);
}

TEST_F(ApplyTest, NothingLeftForOneThatWasNotNotifiedIsOneSignal) {
    for (const LockType type : {LockType::rdlck, LockType::wrlck}) {
        const std::string path = folder.file("f");
        const Holder holder(path, {.lease = type == LockType::rdlck ? F_RDLCK : F_WRLCK});
        holder.stop();
        EXPECT_EQ(apply_one(wanted(holder, breaking(type, LockType::unlck, Remaining(), false))),
                  kSet);
        holder.go_on();
        EXPECT_EQ(holder.lease(), F_UNLCK);
        EXPECT_EQ(holder.signals(), 1);
    }
}

TEST_F(ApplyTest, NothingLeftDowngrades) {
    for (const int flags : {O_RDONLY, O_RDWR}) {
        for (const bool notified : {true, false}) {
            for (const bool whole_seconds : {false, true}) {
                const std::string path = folder.file("f");
                const Holder holder(path, {.flags = flags, .lease = F_WRLCK});
                const LeaseOwner owner = holder.owner();
                holder.stop();
                const SteadyTime begin = steady_now();
                const auto result = apply_one(
                    wanted(holder,
                           breaking(LockType::wrlck, LockType::rdlck, Remaining(), notified)),
                    {.whole_seconds = whole_seconds});
                EXPECT_EQ(result, kSet) << result.reason;
                // F_SETLEASE cannot set F_RDLCK on a file open for writing; the kernel can, but
                // where only whole seconds are to be had, not before one has passed.
                EXPECT_LT(seconds_since(begin), flags == O_RDWR && whole_seconds ? 1.5 : 0.5);
                holder.go_on();
                EXPECT_EQ(holder.lease(), F_RDLCK);
                EXPECT_FALSE(holder.is_breaking());
                EXPECT_EQ(holder.signals(), notified ? 0 : 1);
                EXPECT_EQ(holder.owner(), owner);
                EXPECT_NE(Breaker(path, O_RDONLY).wait(1), kNever);
            }
        }
    }
}

TEST_F(ApplyTest, NoDeadlineIsNone) {
    const LeaseBreakTime one(1);
    const std::string path = folder.file("f");
    const Holder holder(path, {.lease = F_WRLCK});
    holder.stop();
    EXPECT_EQ(apply_one(wanted(
                  holder, breaking(LockType::wrlck, LockType::unlck, Remaining::no_deadline()))),
              kSet);
    EXPECT_EQ(lease_break_time(), 1);
    holder.go_on();
    Breaker breaker(path, O_WRONLY);
    EXPECT_EQ(breaker.wait(1.5), kNever);
    EXPECT_EQ(holder.signals(), 0);
    EXPECT_EQ(holder.call(F_SETLEASE, F_UNLCK), 0);
    EXPECT_NE(breaker.wait(1), kNever);
}

// The holder may give the lease up before its time is over.
TEST_F(ApplyTest, HoldersMayComply) {
    const std::string path = folder.file("f");
    const Holder holder(path, {.lease = F_WRLCK});
    holder.stop();
    EXPECT_EQ(apply_one(wanted(holder, breaking(LockType::wrlck, LockType::unlck, in_seconds(30)))),
              kSet);
    holder.go_on();
    Breaker breaker(path, O_WRONLY);
    breaker.wait_until_it_sleeps();
    EXPECT_EQ(holder.call(F_SETLEASE, F_UNLCK), 0);
    EXPECT_NE(breaker.wait(1), kNever);
}

// The whole lease-break-time, and one signal.
void expect_normal_break(const Holder& holder, const std::string& path) {
    const LeaseBreakTime two(2);
    const int signals = holder.signals();
    const SteadyTime begin = steady_now();
    Breaker breaker(path, O_WRONLY);
    const SteadyTime in = breaker.wait(5);
    ASSERT_NE(in, kNever);
    expect_met(seconds_of(in - begin), 2);
    EXPECT_EQ(holder.signals(), signals + 1);
    EXPECT_EQ(holder.last_signal_fd(), 77);
}

TEST_F(ApplyTest, ANormalBreakFollowsOneThatWasSet) {
    const std::string path = folder.file("f");
    const Holder holder(path, {.lease = F_WRLCK});
    holder.stop();
    EXPECT_EQ(
        apply_one(wanted(holder, breaking(LockType::wrlck, LockType::unlck, in_seconds(0.2)))),
        kSet);
    holder.go_on();
    EXPECT_NE(Breaker(path, O_WRONLY).wait(3), kNever);
    EXPECT_EQ(holder.signals(), 0);
    // The kernel has taken the signal away with the lease.
    EXPECT_EQ(holder.call(F_SETSIG, SIGRTMIN), 0);
    EXPECT_EQ(holder.call(F_SETLEASE, F_WRLCK), 0);
    expect_normal_break(holder, path);
}

TEST_F(ApplyTest, ALeaseThatIsNotThereIsSet) {
    const std::string path = folder.file("f");
    const Holder holder(path);
    const LeaseOwner owner = holder.owner();
    holder.stop();
    EXPECT_EQ(apply_one(wanted(holder, held(LockType::wrlck))), kSet);
    EXPECT_EQ(holder.owner(), owner);
    holder.go_on();
    EXPECT_EQ(holder.lease(), F_WRLCK);
    expect_normal_break(holder, path);
}

// fcntl(2) would refuse it; a kernel that downgrades a write lease does not.
TEST_F(ApplyTest, AReadLeaseOnAFileOpenForWritingIsADowngradedOne) {
    const std::string path = folder.file("f");
    const Holder holder(path, {.flags = O_RDWR});
    holder.stop();
    EXPECT_EQ(apply_one(wanted(holder, held(LockType::rdlck))), kSet);
    holder.go_on();
    EXPECT_EQ(holder.lease(), F_RDLCK);
    EXPECT_EQ(holder.signals(), 0);
    expect_normal_break(holder, path);
}

// CRIU sets leases, and has begun the break anew where there was one.
TEST_F(ApplyTest, ABreakThatHasBegunAgainIsReplaced) {
    const std::string path = folder.file("f");
    const Holder holder(path, {.lease = F_WRLCK});
    holder.stop();
    EXPECT_EQ(open(path.c_str(), O_WRONLY | O_NONBLOCK), -1);
    EXPECT_TRUE(holder.is_breaking());
    EXPECT_EQ(apply_one(wanted(holder, held(LockType::wrlck))), kSet);
    EXPECT_FALSE(holder.is_breaking());
    EXPECT_EQ(open(path.c_str(), O_WRONLY | O_NONBLOCK), -1);
    const SteadyTime begin = steady_now();
    EXPECT_EQ(apply_one(wanted(holder, breaking(LockType::wrlck, LockType::unlck, in_seconds(1)))),
              kSet);
    Breaker breaker(path, O_WRONLY);
    const SteadyTime in = breaker.wait(5);
    ASSERT_NE(in, kNever);
    expect_met(seconds_of(in - begin), 1);
}

TEST_F(ApplyTest, OwnerUidsAndSignalStay) {
    const std::string path = folder.file("f");
    const Holder holder(path,
                        {.lease = F_WRLCK, .signal = SIGRTMIN + 3, .uid = 1234, .euid = 4321});
    const LeaseOwner owner = holder.owner();
    EXPECT_EQ(owner, (LeaseOwner{.kind = LeaseOwner::Kind::process,
                                 .id = holder.pid(),
                                 .uid = 1234,
                                 .euid = 4321,
                                 .signal = SIGRTMIN + 3}));
    holder.stop();
    EXPECT_EQ(apply_one(wanted(holder, breaking(LockType::wrlck, LockType::unlck, in_seconds(9)))),
              kSet);
    EXPECT_EQ(holder.owner(), owner);
}

TEST_F(ApplyTest, TheOwnerIsWhoIsAskedFor) {
    const std::string path = folder.file("f");
    const Holder holder(path, {.lease = F_WRLCK});
    holder.stop();
    WantedLease lease = wanted(holder, breaking(LockType::wrlck, LockType::unlck, in_seconds(9)));
    for (const LeaseOwner& owner : {LeaseOwner{LeaseOwner::Kind::group, getpgrp(), 7, 8, SIGUSR2},
                                    LeaseOwner{LeaseOwner::Kind::thread, getpid(), 0, 0, 0},
                                    LeaseOwner{LeaseOwner::Kind::process, 0, 11, 12, SIGRTMIN}}) {
        lease.owner = owner;
        lease.state.breaking = !lease.state.breaking;
        lease.state.type = lease.state.breaking ? LockType::unlck : LockType::wrlck;
        EXPECT_EQ(apply_one(lease), kSet);
        EXPECT_EQ(holder.owner(), owner);
    }
}

TEST_F(ApplyTest, ReadLeasesOfTwoProcessesShareTheLatestDeadline) {
    const std::string path = folder.file("f");
    const Holder first(path, {.lease = F_RDLCK});
    const Holder second(path, {.lease = F_RDLCK});
    first.stop();
    second.stop();
    const std::vector<WantedLease> leases{
        wanted(first, breaking(LockType::rdlck, LockType::unlck, in_seconds(1.5))),
        wanted(second, breaking(LockType::rdlck, LockType::unlck, in_seconds(0.5), false))};
    const SteadyTime begin = steady_now();
    EXPECT_EQ(apply(leases, {.begin = begin}), (std::vector{kSet, kSet}));
    first.go_on();
    second.go_on();
    Breaker breaker(path, O_WRONLY);
    const SteadyTime in = breaker.wait(5);
    ASSERT_NE(in, kNever);
    expect_met(seconds_of(in - begin), 1.5);
    EXPECT_EQ(first.signals(), 0);
    EXPECT_EQ(second.signals(), 1);
    EXPECT_EQ(second.last_signal_fd(), 77);
}

TEST_F(ApplyTest, DescriptorsOfOneOpenFileAreOneLease) {
    const std::string path = folder.file("f");
    const Holder holder(path, {.lease = F_WRLCK, .copy = 5});
    holder.stop();
    const LeaseState state = breaking(LockType::wrlck, LockType::unlck, in_seconds(1), false);
    std::vector<WantedLease> leases{wanted(holder, state), wanted(holder, state, 5)};
    const SteadyTime begin = steady_now();
    EXPECT_EQ(apply(leases, {.begin = begin}), (std::vector{kSet, kSet}));
    holder.go_on();
    Breaker breaker(path, O_WRONLY);
    const SteadyTime in = breaker.wait(5);
    ASSERT_NE(in, kNever);
    expect_met(seconds_of(in - begin), 1);
    EXPECT_EQ(holder.signals(), 1);

    leases[1].state.remaining = in_seconds(2);
    const auto results = apply(leases, {.dry_run = true});
    EXPECT_EQ(results[0], kSet);
    EXPECT_EQ(results[1],
              (AppliedLease{Outcome::skipped, "this is the lease of descriptor 77 of process " +
                                                  std::to_string(holder.pid()) +
                                                  ", of which something else is wanted"}));
}

// Where deadlines are whole seconds, the rest is waited for.
TEST_F(ApplyTest, WholeSecondsWillDo) {
    const double times[] = {1.3, 0.2, 2};
    std::vector<std::string> paths;
    std::vector<std::unique_ptr<Holder>> holders;
    std::vector<WantedLease> leases;
    for (const double time : times) {
        paths.push_back(folder.file("f" + std::to_string(paths.size())));
        holders.push_back(std::make_unique<Holder>(paths.back(), HolderOptions{.lease = F_WRLCK}));
        leases.push_back(
            wanted(*holders.back(), breaking(LockType::wrlck, LockType::unlck, in_seconds(time))));
    }
    const SteadyTime begin = steady_now();
    const auto results = apply_with(leases, {.begin = begin}, {.whole_seconds = true});
    EXPECT_EQ(results, (std::vector{kSet, kSet, kSet}));
    EXPECT_LT(seconds_since(begin), 1.1);
    for (std::size_t i = 0; i < leases.size(); ++i) {
        Breaker breaker(paths[i], O_WRONLY);
        const SteadyTime in = breaker.wait(5);
        ASSERT_NE(in, kNever);
        // Breakers come after apply() is done.
        if (times[i] > 1) {
            expect_met(seconds_of(in - begin), times[i]);
        }
        EXPECT_EQ(holders[i]->signals(), 0);
    }
}

}  // namespace
}  // namespace ckpt_lease::live::test
