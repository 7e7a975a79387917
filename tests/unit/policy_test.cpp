// SPDX-License-Identifier: GPL-2.0-or-later
// What each policy makes of the time that a lease has left.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "ckpt-lease/lease/rules.hpp"
#include "lease_support.hpp"
#include "support.hpp"

namespace ckpt_lease {
namespace {

using namespace std::chrono_literals;

constexpr Remaining kNever = Remaining::no_deadline();
constexpr Nanoseconds kAlmost45 = 44999999999ns;

PolicyContext context_with_elapsed(Nanoseconds elapsed) {
    PolicyContext context;
    context.elapsed = elapsed;
    return context;
}

Remaining result(const Treatment& how, Remaining before, const PolicyContext& context = {}) {
    return how.apply(breaking(before), context).remaining;
}

struct Row {
    std::string name;
    std::string argument;
    // What becomes of 0 s, of 5.25 s, of 44.999999999 s and of no deadline.
    Remaining of_0;
    Remaining of_5_25;
    Remaining of_almost_45;
    Remaining of_never;
};

const std::vector<Row> kTable{
    {"favor-holder", "", Remaining(45s), Remaining(45s), Remaining(45s), kNever},
    {"favour-holder", "", Remaining(45s), Remaining(45s), Remaining(45s), kNever},
    {"favor-breaker", "", Remaining(0s), Remaining(0s), Remaining(0s), Remaining(0s)},
    {"favour-breaker", "", Remaining(0s), Remaining(0s), Remaining(0s), Remaining(0s)},
    {"add", "10", Remaining(10s), Remaining(15250ms), Remaining(54999999999ns), kNever},
    {"add", "-10", Remaining(0s), Remaining(0s), Remaining(34999999999ns), kNever},
    {"add", "-5.25", Remaining(0s), Remaining(0s), Remaining(39749999999ns), kNever},
    {"add", "0", Remaining(0s), Remaining(5250ms), Remaining(kAlmost45), kNever},
    {"set", "1m30s", Remaining(90s), Remaining(90s), Remaining(90s), Remaining(90s)},
    {"set", "0", Remaining(0s), Remaining(0s), Remaining(0s), Remaining(0s)},
    {"scale", "2", Remaining(0s), Remaining(10500ms), Remaining(89999999998ns), kNever},
    {"scale", "0.5", Remaining(0s), Remaining(2625ms), Remaining(22500ms), kNever},
    {"scale", "0", Remaining(0s), Remaining(0s), Remaining(0s), kNever},
    {"elapsed", "", Remaining(0s), Remaining(0s), Remaining(37999999999ns), kNever},
    {"keep", "", Remaining(0s), Remaining(5250ms), Remaining(kAlmost45), kNever},
};

constexpr const char* kNotKnown =
    "the remaining lease is not known: it could not be read when the leases were captured "
    "[set_time]";

TEST(PolicyTable, WhatIsNotKnownIsSetOrEndedOrKept) {
    for (const Row& row : kTable) {
        SCOPED_TRACE(row.name + " " + row.argument);
        const Treatment how = treatment(row.name, row.argument);
        const PolicyContext context = context_with_elapsed(7s);
        if (row.name == "set" || find_policy(row.name)->name == "favor-breaker") {
            EXPECT_EQ(result(how, Remaining::not_known(), context), row.of_never);
        } else if (row.name == "keep") {
            EXPECT_EQ(result(how, Remaining::not_known(), context), Remaining::not_known());
        } else {
            EXPECT_EQ(
                refusal([&] { static_cast<void>(result(how, Remaining::not_known(), context)); }),
                kNotKnown);
        }
    }
}

TEST(PolicyTable, BoundsDoNotApplyToWhatIsNotKnown) {
    Treatment how = treatment("keep", "");
    how.min = 5s;
    EXPECT_EQ(refusal([&] { static_cast<void>(result(how, Remaining::not_known(), {})); }),
              kNotKnown);
}

TEST(PolicyTable, EachPolicyMakesThisOfEachTime) {
    for (const Row& row : kTable) {
        SCOPED_TRACE(row.name + " " + row.argument);
        const Treatment how = treatment(row.name, row.argument);
        const PolicyContext context = context_with_elapsed(7s);
        EXPECT_EQ(result(how, Remaining(0s), context), row.of_0);
        EXPECT_EQ(result(how, Remaining(5250ms), context), row.of_5_25);
        EXPECT_EQ(result(how, Remaining(kAlmost45), context), row.of_almost_45);
        EXPECT_EQ(result(how, kNever, context), row.of_never);
    }
}

TEST(PolicyTable, EveryPolicyIsTested) {
    for (const PolicyKind& kind : policy_kinds()) {
        for (const std::string_view name : {kind.name, kind.alias}) {
            const bool tested = std::any_of(kTable.begin(), kTable.end(),
                                            [&](const Row& row) { return row.name == name; });
            EXPECT_TRUE(name.empty() || tested) << name;
        }
    }
}

TEST(PolicyKinds, AreFoundByBothSpellings) {
    EXPECT_EQ(find_policy("favor-holder"), find_policy("favour-holder"));
    EXPECT_EQ(find_policy("favor-breaker"), find_policy("favour-breaker"));
    for (const PolicyKind& kind : policy_kinds()) {
        EXPECT_EQ(find_policy(kind.name), &kind);
        EXPECT_FALSE(kind.help.empty());
    }
    EXPECT_EQ(find_policy(""), nullptr);
    EXPECT_EQ(find_policy("min"), nullptr);
    EXPECT_EQ(find_policy("--keep"), nullptr);
}

TEST(PolicyKinds, TheseTakeAnArgument) {
    for (const PolicyKind& kind : policy_kinds()) {
        const bool takes = kind.name == "add" || kind.name == "set" || kind.name == "scale";
        EXPECT_EQ(!kind.argument.empty(), takes) << kind.name;
        EXPECT_EQ(kind.uses_elapsed, kind.name == "elapsed") << kind.name;
    }
}

TEST(PolicyArguments, AreChecked) {
    EXPECT_EQ(refusal([] { treatment("set", "-1"); }),
              "a lease cannot have '-1' left (0 is the least)");
    EXPECT_EQ(
        refusal([] { treatment("set", "soon"); }),
        "'soon' is not a length of time (write it like 90, 90s, 1.5, 1m30s, 5min, 1h or 250ms)");
    EXPECT_EQ(refusal([] { treatment("add", ""); }),
              "'' is not a length of time (write it like 90, 90s, 1.5, 1m30s, 5min, 1h or 250ms)");
    EXPECT_EQ(refusal([] { treatment("scale", "-2"); }),
              "'-2' is not a factor (write a decimal number that is not negative, like 2, 0.5 or "
              "1.25)");
}

TEST(FavorHolder, GivesTheLeaseBreakTimeOfTheContext) {
    PolicyContext context;
    context.lease_break_time = 10s;
    const Treatment how = treatment("favor-holder");
    EXPECT_EQ(result(how, Remaining(5s), context), Remaining(10s));
    EXPECT_EQ(result(how, Remaining(10s), context), Remaining(10s));
    EXPECT_EQ(result(how, Remaining(11s), context), Remaining(11s)) << "never takes time away";
}

TEST(FavorHolder, ALeaseBreakTimeOfZeroIsNoDeadline) {
    PolicyContext context;
    context.lease_break_time = 0s;
    const Treatment how = treatment("favor-holder");
    for (const Remaining before : {Remaining(0s), Remaining(5250ms), kNever}) {
        EXPECT_EQ(result(how, before, context), kNever);
    }
    context.limits.no_deadline = false;
    EXPECT_EQ(refusal([&] { static_cast<void>(result(how, Remaining(5s), context)); }),
              "the lease would have no deadline, and this layout has no value for that");
}

TEST(Elapsed, TakesTheTimeSinceTheCheckpointAway) {
    const Treatment how = treatment("elapsed");
    EXPECT_EQ(result(how, Remaining(kAlmost45), context_with_elapsed(0s)), Remaining(kAlmost45));
    EXPECT_EQ(result(how, Remaining(5250ms), context_with_elapsed(5250ms)), Remaining(0s));
    EXPECT_EQ(result(how, Remaining(5250ms), context_with_elapsed(24h * 365 * 200)), Remaining(0s));
}

TEST(Elapsed, NeedsToKnowWhenTheCheckpointWasTaken) {
    const Treatment how = treatment("elapsed");
    EXPECT_EQ(refusal([&] { static_cast<void>(result(how, Remaining(5s))); }),
              "how much time has elapsed is not known: this image does not say when the checkpoint "
              "was taken");
    EXPECT_EQ(result(how, kNever), kNever);
}

TEST(Treatment, OnlyTheTimeChanges) {
    LeaseState before = breaking(5s);
    before.type = LockType::rdlck;
    LeaseState wanted = before;
    wanted.remaining = Remaining(90s);
    EXPECT_EQ(treatment("set", "90").apply(before, {}), wanted);
    before.notified = wanted.notified = false;
    EXPECT_EQ(treatment("set", "90").apply(before, {}), wanted) << "still not notified";
}

TEST(Treatment, RenotifyHasTheHolderSignalledAgain) {
    Treatment how = treatment("keep");
    how.renotify = true;
    LeaseState wanted = breaking(5s);
    wanted.notified = false;
    EXPECT_EQ(how.apply(breaking(5s), {}), wanted);
    EXPECT_EQ(how.apply(wanted, {}), wanted);
}

TEST(Treatment, MinAndMaxBoundTheResult) {
    Treatment how = treatment("keep");
    how.min = 10s;
    how.max = 20s;
    EXPECT_EQ(result(how, Remaining(5s)), Remaining(10s));
    EXPECT_EQ(result(how, Remaining(10s)), Remaining(10s));
    EXPECT_EQ(result(how, Remaining(15s)), Remaining(15s));
    EXPECT_EQ(result(how, Remaining(20s)), Remaining(20s));
    EXPECT_EQ(result(how, Remaining(20s + 1ns)), Remaining(20s));
    how.max = 10s;
    EXPECT_EQ(result(how, Remaining(5s)), Remaining(10s)) << "min and max may be the same";
}

TEST(Treatment, AMinimumDoesNotTouchALeaseWithoutDeadlineAndAMaximumEndsIt) {
    Treatment how = treatment("keep");
    how.min = 10s;
    EXPECT_EQ(result(how, kNever), kNever);
    how.max = 60s;
    EXPECT_EQ(result(how, kNever), Remaining(60s));
}

TEST(Treatment, RefusesBoundsThatMakeNoSense) {
    Treatment how = treatment("keep");
    EXPECT_NO_THROW(how.check());
    how.min = -5s;
    EXPECT_EQ(refusal([&] { how.check(); }), "a bound of -5 s is below 0 (0 is the least)");
    how.min = 20s;
    how.max = 10500ms;
    EXPECT_EQ(refusal([&] { how.check(); }),
              "the minimum of 20 s is more than the maximum of 10.5 s");
    how.min.reset();
    how.max = -1ns;
    EXPECT_EQ(refusal([&] { how.check(); }),
              "a bound of -0.000000001 s is below 0 (0 is the least)");
    how.min = how.max = 0s;
    EXPECT_NO_THROW(how.check());
}

TEST(Treatment, BoundByAnotherTakesTheNarrowerBounds) {
    Treatment how = treatment("keep");
    how.bound_by({});
    EXPECT_EQ(how.min, std::nullopt);
    EXPECT_EQ(how.max, std::nullopt);
    EXPECT_FALSE(how.renotify);
    Treatment other;
    other.min = 5s;
    other.max = 60s;
    other.renotify = true;
    how.bound_by(other);
    EXPECT_EQ(how.min, 5s);
    EXPECT_EQ(how.max, 60s);
    EXPECT_TRUE(how.renotify);
    other.min = 10s;
    other.max = 50s;
    other.renotify = false;
    how.bound_by(other);
    EXPECT_EQ(how.min, 10s);
    EXPECT_EQ(how.max, 50s);
    EXPECT_TRUE(how.renotify) << "stays";
    other.min = 1s;
    other.max = 90s;
    how.bound_by(other);
    EXPECT_EQ(how.min, 10s) << "wider bounds change nothing";
    EXPECT_EQ(how.max, 50s);
    EXPECT_EQ(result(how, Remaining(5s)), Remaining(10s)) << "the policy is still its own";
}

TEST(Treatment, RoundsUpWhereRecordsHoldWholeSeconds) {
    PolicyContext context;
    context.limits.resolution = 1s;
    EXPECT_EQ(result(treatment("set", "0.000000001"), Remaining(5s), context), Remaining(1s));
    EXPECT_EQ(result(treatment("scale", "0.5"), Remaining(5s), context), Remaining(3s));
    EXPECT_EQ(result(treatment("set", "7"), Remaining(5s), context), Remaining(7s));
    EXPECT_EQ(result(treatment("favor-breaker"), Remaining(5s), context), Remaining(0s));
}

TEST(Treatment, TheMostThatARestartTakesIsTheLimit) {
    EXPECT_EQ(result(treatment("set", "2147483647"), Remaining(5s)), Remaining(2147483647s));
    EXPECT_EQ(result(treatment("add", "2147483642"), Remaining(5s)), Remaining(2147483647s));
    const std::string refused =
        "the time left would become more than the 2147483647 s that a restart takes [bound_time]";
    const std::vector<std::pair<std::string, std::string>> too_much{
        {"set", "2147483648"}, {"set", "2147483647.00000001"}, {"set", "4294967295"},
        {"add", "2147483643"}, {"add", "4294967295"},          {"scale", "429496729.5"},
        {"scale", "999999999"}};
    for (const auto& [name, argument] : too_much) {
        const Treatment how = treatment(name, argument);
        EXPECT_EQ(refusal([&] { static_cast<void>(result(how, Remaining(5s))); }), refused)
            << name << ' ' << argument;
    }
}

TEST(Treatment, RoundingUpMayPassTheLimit) {
    PolicyContext context;
    context.limits.resolution = 1s;
    EXPECT_EQ(result(treatment("set", "2147483646.5"), Remaining(5s), context),
              Remaining(2147483647s));
    context.limits.most = 65535s;
    EXPECT_EQ(
        refusal([&] {
            static_cast<void>(result(treatment("set", "65535.5"), Remaining(5s), context));
        }),
        "the time left would become more than the 65535 s that this layout holds [bound_time]");
}

TEST(Treatment, AMaximumBoundsWhatWouldBeTooMuch) {
    Treatment how = treatment("add", "4294967295");
    how.max = 60s;
    EXPECT_EQ(result(how, Remaining(9000000000s)), Remaining(60s));
    how = treatment("scale", "999999999.999999999");
    how.max = 2147483647s;
    EXPECT_EQ(result(how, Remaining(9000000000s)), Remaining(2147483647s));
}

TEST(Treatment, ATimeThatIsTooMuchAlreadyIsRefusedAsWhatItIs) {
    EXPECT_EQ(
        refusal([] { static_cast<void>(result(treatment("keep"), Remaining(3000000000s + 1ns))); }),
        "the time left is 3000000000.000000001s, more than the 2147483647 s that a restart "
        "takes [bound_time]");
}

TEST(Treatment, ALayoutMayHoldLess) {
    PolicyContext context;
    context.limits.most = 65535s;
    EXPECT_EQ(result(treatment("set", "65535"), Remaining(5s), context), Remaining(65535s));
    EXPECT_EQ(
        refusal(
            [&] { static_cast<void>(result(treatment("set", "65536"), Remaining(5s), context)); }),
        "the time left would become more than the 65535 s that this layout holds [bound_time]");
}

TEST(PolicyContextTest, HasTheKernelsDefaults) {
    EXPECT_EQ(PolicyContext{}.lease_break_time, 45s);
    EXPECT_EQ(PolicyContext{}.elapsed, std::nullopt);
    EXPECT_EQ(RecordLimits{}.resolution, 1ns);
    EXPECT_EQ(RecordLimits{}.most, 4294967295s);
    EXPECT_TRUE(RecordLimits{}.no_deadline);
}

}  // namespace
}  // namespace ckpt_lease
