// SPDX-License-Identifier: GPL-2.0-or-later
// To begin a break is to open a file, and that may take long, or for ever.
#include <gtest/gtest.h>

#include <string>

#include "live/set/run.hpp"
#include "processes.hpp"

namespace ckpt_lease::live::test {
namespace {

using ApplyHangs = ApplyTest;

// To begin a break is to open a file, and that may take long: for a virus scanner, say.
TEST_F(ApplyHangs, LeaseBreakTimeIsPutBackWhileAnOpenHangs) {
    const Holder holder(folder.file("f"), {.lease = F_WRLCK});
    const LeaseOwner owner = holder.owner();
    const SharedState shared;
    const ApplyHooks hooks{.step = [&](Step step) {
        if (step == Step::written) {
            sleep_for(0.6);
            shared->count = lease_break_time();
        }
    }};
    EXPECT_EQ(apply_one(wanted(holder, ten_seconds()), hooks),
              (AppliedLease{Outcome::skipped,
                            "cannot begin the break: the lease is held, but not with this "
                            "deadline: Timer expired"}));
    EXPECT_EQ(shared->count, before);
    EXPECT_EQ(holder.owner(), owner);
}

// A machine that was busy for a moment is not a file system that hangs.
TEST_F(ApplyHangs, ABreakThatBeganLateIsBegunAgain) {
    const Holder holder(folder.file("f"), {.lease = F_WRLCK});
    const Holder other(folder.file("g"), {.lease = F_WRLCK});
    const LeaseOwner owner = holder.owner();
    for (const bool notified : {true, false}) {
        int opened = 0;
        const ApplyHooks hooks{.step = [&](Step step) {
            // The first is to see how finely deadlines can be set.
            if (step == Step::opened && ++opened == 2) {
                sleep_for(0.3);
            }
        }};
        const Holder& one = notified ? holder : other;
        EXPECT_EQ(apply_one(wanted(one, ten_seconds(notified)), hooks), kSet);
        EXPECT_TRUE(one.is_breaking());
        EXPECT_EQ(one.signals(), notified ? 0 : 1);
    }
    EXPECT_EQ(holder.owner(), owner);
}

// The watch has looked by then, and found nothing to put back.
TEST_F(ApplyHangs, LeaseBreakTimeIsPutBackIfItWasWrittenLate) {
    const Holder holder(folder.file("f"), {.lease = F_WRLCK});
    const ApplyHooks hooks{.step = [&](Step step) {
        if (step == Step::armed) {
            sleep_for(0.3);
        }
    }};
    EXPECT_EQ(apply_one(wanted(holder, ten_seconds()), hooks),
              (AppliedLease{Outcome::skipped,
                            "cannot begin the break: the lease is held, but not with this "
                            "deadline: Timer expired"}));
    EXPECT_EQ(lease_break_time(), before);
}

TEST_F(ApplyHangs, AnOpenThatHangsForGoodIsGivenUp) {
    const Holder holder(folder.file("f"), {.lease = F_WRLCK});
    const LeaseOwner owner = holder.owner();
    int opened = 0;
    const ApplyHooks hooks{.step = [&](Step step) {
        // The first is to see how finely deadlines can be set.
        if (step == Step::opened && ++opened == 2) {
            sleep_for(3600);
        }
    }};
    const AppliedLease result = apply_one(wanted(holder, ten_seconds()), hooks);
    EXPECT_EQ(result.outcome, Outcome::skipped);
    EXPECT_NE(result.reason.find("does not answer"), std::string::npos) << result.reason;
    EXPECT_TRUE(holder.is_breaking());
    EXPECT_EQ(holder.owner(), owner);
}

}  // namespace
}  // namespace ckpt_lease::live::test
