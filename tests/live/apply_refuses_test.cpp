// SPDX-License-Identifier: GPL-2.0-or-later
// What is refused before anything is changed.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "ckpt-lease/base/problem.hpp"
#include "live/lease_calls.hpp"
#include "live/ordinary_break.hpp"
#include "live/set/run.hpp"
#include "live/ticks.hpp"
#include "processes.hpp"

namespace ckpt_lease::live::test {
namespace {

using ApplyRefuses = ApplyTest;

TEST_F(ApplyRefuses, WhatIsNotThere) {
    const Holder holder(folder.file("f"), {.lease = F_WRLCK});
    WantedLease lease = wanted(holder, ten_seconds(), 76);
    const std::string pid = std::to_string(holder.pid());
    EXPECT_EQ(apply_one(lease),
              (AppliedLease{Outcome::skipped, "process " + pid + " has no descriptor 76"}));
    lease.pid = 1 << 22;
    EXPECT_EQ(apply_one(lease), (AppliedLease{Outcome::skipped, "process 4194304 is not there"}));
    lease = wanted(holder, ten_seconds());
    lease.owner = LeaseOwner{.id = 1 << 22};
    EXPECT_EQ(apply_one(lease),
              (AppliedLease{Outcome::skipped, "the owner, process 4194304, is not there"}));
    EXPECT_FALSE(holder.is_breaking());
}

// What a restore falls back to.
TEST_F(ApplyRefuses, WhatIsNotSetCanBeBrokenOrdinarily) {
    const Holder written(folder.file("f"), {.lease = F_WRLCK});
    const Holder downgraded(folder.file("g"), {.lease = F_WRLCK});
    const Holder without(folder.file("h"), {});
    WantedLease downgrade = wanted(downgraded, ten_seconds());
    downgrade.state.type = LockType::rdlck;
    WantedLease gone = wanted(written, ten_seconds(), 76);
    const std::vector<WantedLease> leases{wanted(written, ten_seconds()), downgrade,
                                          wanted(without, ten_seconds()), gone};
    using Begun = OrdinaryBreak::Outcome;
    EXPECT_EQ(begin_ordinary_breaks(leases),
              (std::vector<OrdinaryBreak>{{Begun::begun, ""},
                                          {Begun::begun, ""},
                                          {Begun::failed, "there is no lease"},
                                          {Begun::failed, "Bad file descriptor"}}));
    EXPECT_EQ(written.lease(), F_UNLCK) << "what it is to become";
    EXPECT_EQ(downgraded.lease(), F_RDLCK);
    EXPECT_TRUE(written.is_breaking() && downgraded.is_breaking());
    EXPECT_EQ(written.signals(), 1);
    EXPECT_EQ(begin_ordinary_breaks(leases).front().outcome, Begun::goes_on);
    EXPECT_EQ(written.signals(), 1);
}

TEST_F(ApplyRefuses, AnOwnerThatNobodyCanBe) {
    const Holder holder(folder.file("f"), {.lease = F_WRLCK});
    WantedLease lease = wanted(holder, ten_seconds());
    for (const LeaseOwner& owner :
         {LeaseOwner{.signal = 1000}, LeaseOwner{.signal = -1}, LeaseOwner{.uid = 0xFFFFFFFF},
          LeaseOwner{.euid = 0xFFFFFFFF}}) {
        lease.owner = owner;
        const AppliedLease result = apply_one(lease);
        EXPECT_EQ(result.outcome, Outcome::skipped);
        EXPECT_NE(result.reason.find("cannot be set"), std::string::npos) << result.reason;
    }
    lease.owner = LeaseOwner{.signal = 1000};
    EXPECT_EQ(apply_one(lease).reason,
              "an owner with signal 1000 and the uids 0 and 0 cannot be set");
    EXPECT_EQ(holder.lease(), F_WRLCK);
}

TEST_F(ApplyRefuses, WhatCannotHaveALease) {
    for (const auto& [path, flags] : {std::pair<std::string, int>("/dev/null", 0),
                                      {"/", O_DIRECTORY},
                                      {folder.file("f"), O_PATH}}) {
        const int fd = open(path.c_str(), flags | O_CLOEXEC);
        ASSERT_GE(fd, 0);
        const WantedLease lease{
            .pid = getpid(), .fd = fd, .path = {}, .state = ten_seconds(), .owner = {}};
        EXPECT_EQ(apply_one(lease),
                  (AppliedLease{Outcome::skipped,
                                "leases are for regular files that are open, and this descriptor "
                                "is none"}));
        close(fd);
    }
}

TEST_F(ApplyRefuses, ToGuessWhatIsNotKnown) {
    const std::string path = folder.file("f");
    const Holder holder(path, {.lease = F_WRLCK});
    holder.stop();
    const LeaseState state = breaking(LockType::wrlck, LockType::unlck, Remaining::not_known());
    EXPECT_EQ(apply_one(wanted(holder, state)),
              (AppliedLease{Outcome::skipped, "the remaining lease is not known"}));
    holder.go_on();
    EXPECT_EQ(holder.lease(), F_WRLCK);
}

TEST_F(ApplyRefuses, WhatNoKernelDoes) {
    const Holder holder(folder.file("f"), {.lease = F_WRLCK});
    const auto reason = [&](const LeaseState& state) {
        const AppliedLease result = apply_one(wanted(holder, state));
        EXPECT_EQ(result.outcome, Outcome::skipped);
        return result.reason;
    };
    EXPECT_EQ(reason(held(LockType::unlck)),
              "F_UNLCK is no type of a lease that is not being broken");
    EXPECT_EQ(reason(breaking(LockType::rdlck, LockType::rdlck, Remaining())),
              "no lease break makes F_RDLCK of F_RDLCK");
    EXPECT_EQ(reason(breaking(LockType::wrlck, LockType::wrlck, Remaining())),
              "no lease break makes F_WRLCK of F_WRLCK");
    const std::string longest = std::to_string(2147483647 / ticks_per_second());
    EXPECT_EQ(
        reason(breaking(LockType::wrlck, LockType::unlck, in_seconds(30'000'000))),
        "the remaining lease of 30000000s is more than this kernel can set (" + longest + " s)");
    EXPECT_FALSE(holder.is_breaking());
}

TEST_F(ApplyRefuses, ABeginningInTheFuture) {
    const Holder holder(folder.file("f"), {.lease = F_WRLCK});
    const std::vector<WantedLease> leases{wanted(holder, ten_seconds())};
    EXPECT_THROW(
        static_cast<void>(apply(leases, {.begin = steady_now() + std::chrono::seconds(1)})), Error);
}

// One break would be one for all leases of the file.
TEST_F(ApplyRefuses, ToBreakOtherLeases) {
    const std::string path = folder.file("f");
    const Holder holder(path, {.lease = F_RDLCK});
    const Holder other(path, {.lease = F_RDLCK});
    const LeaseState state = breaking(LockType::rdlck, LockType::unlck, in_seconds(5));
    EXPECT_EQ(apply_one(wanted(holder, state)),
              (AppliedLease{Outcome::skipped,
                            "another process has a lease on the file, and this kernel would break "
                            "both"}));
    const std::vector<WantedLease> leases{wanted(holder, state),
                                          wanted(other, held(LockType::rdlck))};
    const auto results = apply(leases, {});
    EXPECT_EQ(results[0],
              (AppliedLease{Outcome::skipped,
                            "another lease on the file is not being broken, and this kernel would "
                            "break both"}));
    EXPECT_EQ(results[1], kSet);
    EXPECT_FALSE(holder.is_breaking());
    EXPECT_FALSE(other.is_breaking());
}

// To take the lease away would let the opener in, and the lease could not come back.
TEST_F(ApplyRefuses, ALeaseThatWouldBeLost) {
    const std::string path = folder.file("f");
    const Holder holder(path, {.lease = F_WRLCK});
    Breaker breaker(path, O_WRONLY);
    breaker.wait_until_it_sleeps();
    const LeaseOwner owner = holder.owner();
    const AppliedLease result = apply_one(wanted(holder, ten_seconds()));
    EXPECT_EQ(result.outcome, Outcome::skipped);
    EXPECT_EQ(result.reason, breaker.name() + " waits for it: stop it first");
    EXPECT_TRUE(holder.is_breaking());
    EXPECT_EQ(holder.owner(), owner);
    EXPECT_EQ(breaker.wait(0.05), kNever);
}

TEST_F(ApplyRefuses, NothingInADryRunThatCouldBeDone) {
    const Holder holder(folder.file("f"), {.lease = F_WRLCK});
    const LeaseOwner owner = holder.owner();
    const std::vector<WantedLease> leases{wanted(holder, ten_seconds(false)),
                                          wanted(holder, ten_seconds(), 12)};
    const auto results = apply(leases, {.dry_run = true});
    EXPECT_EQ(results[0], kSet);
    EXPECT_EQ(results[1].outcome, Outcome::skipped);
    EXPECT_FALSE(holder.is_breaking());
    EXPECT_EQ(holder.owner(), owner);
    EXPECT_EQ(holder.lease(), F_WRLCK);
    EXPECT_EQ(holder.signals(), 0);
}

// A pid is somebody else's by now, or a descriptor was closed and another file opened.
TEST_F(ApplyRefuses, AnotherFileIsLeftAlone) {
    const std::string path = folder.file("f");
    const Holder holder(path, {.lease = F_WRLCK});
    holder.stop();
    WantedLease lease = wanted(holder, breaking(LockType::wrlck, LockType::unlck, in_seconds(5)));
    lease.path = "/srv/other";
    EXPECT_EQ(apply_one(lease), (AppliedLease{Outcome::skipped, "descriptor 77 of process " +
                                                                    std::to_string(holder.pid()) +
                                                                    " is another file: " + path}));
    EXPECT_FALSE(holder.is_breaking());
    lease.path = path;
    EXPECT_EQ(apply_one(lease), kSet);
}

TEST_F(ApplyRefuses, ADryRunSeesWhoWaits) {
    const LeaseBreakTime setting(30);
    const std::string path = folder.file("f");
    const Holder holder(path, {.lease = F_WRLCK});
    Breaker breaker(path, O_WRONLY);
    breaker.wait_until_it_sleeps();
    const std::vector<WantedLease> leases{
        wanted(holder, breaking(LockType::wrlck, LockType::unlck, in_seconds(5)))};
    const AppliedLease result = apply(leases, {.dry_run = true}).at(0);
    EXPECT_EQ(result.outcome, Outcome::skipped);
    EXPECT_EQ(result.reason, breaker.name() + " waits for it: stop it first");
}

// One by one they could be set in place to see; together they are in each other's way.
TEST_F(ApplyRefuses, ReadLeasesThatSomebodyWaitsForAreLeftAlone) {
    const LeaseBreakTime setting(30);
    const std::string path = folder.file("f");
    const Holder first(path, {.lease = F_RDLCK});
    const Holder second(path, {.lease = F_RDLCK});
    Breaker breaker(path, O_WRONLY);
    breaker.wait_until_it_sleeps();
    const LeaseState state = breaking(LockType::rdlck, LockType::unlck, in_seconds(5));
    for (const AppliedLease& result :
         apply(std::vector<WantedLease>{wanted(first, state), wanted(second, state)}, {})) {
        EXPECT_EQ(result.outcome, Outcome::skipped);
        EXPECT_EQ(result.reason, breaker.name() + " waits for it: stop it first");
    }
    EXPECT_TRUE(first.is_breaking());
    EXPECT_TRUE(second.is_breaking());
}

}  // namespace
}  // namespace ckpt_lease::live::test
