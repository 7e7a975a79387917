// SPDX-License-Identifier: GPL-2.0-or-later
// What is decided about each lock, and that the records of one lease stay alike.
#include "lease/planner.hpp"

#include <gtest/gtest.h>

#include "lease_support.hpp"
#include "support.hpp"

namespace ckpt_lease {
namespace {

using namespace std::chrono_literals;

RuleSet one_rule(const Filter& filter, const Treatment& how) {
    RuleSet set;
    set.rules.push_back({filter, how});
    return set;
}

Filter only_fd(std::int32_t fd) {
    Filter filter;
    filter.fds = {fd};
    return filter;
}

std::vector<Outcome> outcomes(const ListBuilder& builder, Planner& planner) {
    std::vector<Outcome> all;
    for (std::size_t i = 0; i < builder.list().size(); ++i) {
        all.push_back(planner.consider(builder.list().at(i)).outcome);
    }
    return all;
}

TEST(Planner, EachLockHasAnOutcome) {
    ListBuilder builder;
    builder.posix("/p", 1, 3);
    builder.lease("/held", 1, 3, held(LockType::rdlck));
    builder.lease("/other", 1, 4, breaking(5s));
    builder.lease("/same", 1, 3, breaking(90s));
    builder.lease("/new", 1, 3, breaking(5s));
    const RuleSet rules = one_rule(only_fd(3), treatment("set", "90"));
    Planner planner("x.img", rules, {}, builder.ownership());
    EXPECT_EQ(outcomes(builder, planner),
              (std::vector{Outcome::not_a_lease, Outcome::not_breaking, Outcome::filtered_out,
                           Outcome::unchanged, Outcome::changed}));
    const Counts& counts = planner.counts();
    EXPECT_EQ(counts.changed, 1U);
    EXPECT_EQ(counts.unchanged, 1U);
    EXPECT_EQ(counts.not_breaking, 1U);
    EXPECT_EQ(counts.filtered_out, 1U);
    EXPECT_EQ(counts.changed_leases, 1U);
    EXPECT_EQ(counts.matched(), 2U);
}

TEST(Planner, TellsWhatTheLeaseIsAfterwards) {
    ListBuilder builder;
    const Lock changed = builder.lease("/a", 1, 3, breaking(5s));
    const Lock filtered = builder.lease("/b", 1, 4, breaking(6s));
    const Lock kept = builder.lease("/c", 1, 3, held(LockType::wrlck));
    const RuleSet rules = one_rule(only_fd(3), treatment("add", "10"));
    Planner planner("x.img", rules, {}, builder.ownership());
    EXPECT_EQ(planner.consider(changed).after, breaking(15s));
    EXPECT_EQ(planner.consider(filtered).after, breaking(6s));
    EXPECT_EQ(planner.consider(kept).after, held(LockType::wrlck));
}

TEST(Planner, RenotifyAloneIsAChange) {
    ListBuilder builder;
    const Lock lock = builder.lease("/a", 1, 3, breaking(5s));
    Treatment how = treatment("keep");
    how.renotify = true;
    const RuleSet rules = one_rule({}, how);
    Planner planner("x.img", rules, {}, builder.ownership());
    const Decision decision = planner.consider(lock);
    EXPECT_EQ(decision.outcome, Outcome::changed);
    EXPECT_FALSE(decision.after.notified);
}

TEST(Planner, UsesItsContext) {
    ListBuilder builder;
    const Lock lock = builder.lease("/a", 1, 3, breaking(5s));
    PolicyContext context;
    context.lease_break_time = 70s;
    const RuleSet rules = one_rule({}, treatment("favor-holder"));
    Planner planner("x.img", rules, context, builder.ownership());
    EXPECT_EQ(planner.consider(lock).after, breaking(70s));
}

TEST(Planner, NoRuleLeavesALeaseAlone) {
    ListBuilder builder;
    const Lock lock = builder.lease("/a", 1, 3, breaking(5s));
    const RuleSet rules;
    Planner planner("x.img", rules, {}, builder.ownership());
    EXPECT_EQ(planner.consider(lock).outcome, Outcome::filtered_out);
}

TEST(Planner, RefusalsNameTheLock) {
    ListBuilder builder;
    builder.lease("/a", 1, 3, breaking(5s));
    const Lock lock = builder.lease("/b", 1, 3, breaking(6s));
    const RuleSet rules = one_rule({}, treatment("set", "2147483648"));
    Planner planner("x.img", rules, {}, builder.ownership());
    EXPECT_EQ(refusal([&] { planner.consider(lock); }),
              "x.img: offset 1040: lock 1: the time left would become more than the 2147483647 s "
              "that a restart takes [bound_time]");
    EXPECT_EQ(planner.counts().matched(), 0U);
}

// A lease that descriptors 3 and 7 hold, and one of another file between them.
class SharedLease : public testing::Test {
 protected:
    void build(const LeaseState& first, const LeaseState& second) {
        const FileId file = builder_.file("/shared");
        const TableId table = builder_.table({{1, "holder"}});
        builder_.lease(file, table, 3, first);
        builder_.lease("/other", 1, 3, breaking(20s));
        builder_.lease(file, table, 7, second);
    }
    [[nodiscard]] std::vector<Outcome> plan(const RuleSet& rules) {
        Planner planner("x.img", rules, {}, builder_.ownership());
        auto all = outcomes(builder_, planner);
        counts_ = planner.counts();
        return all;
    }

    // What the image has wrong, and no filter.
    static constexpr auto kTorn =
        "x.img: offset 1080: lock 2: locks 0 and 2 are one lease, held through two descriptors, "
        "and do not have the same values [make_records_agree]";
    static constexpr auto kSplit =
        "x.img: offset 1080: lock 2: locks 0 and 2 are one lease, held through two descriptors, "
        "and would not have the same values (choose filters that mean all records of a lease or "
        "none)";

    ListBuilder builder_;
    Counts counts_;
};

TEST_F(SharedLease, IsChangedInAllItsRecordsAndCountedOnce) {
    build(breaking(5s), breaking(5s));
    EXPECT_EQ(plan(one_rule({}, treatment("add", "1"))), std::vector(3, Outcome::changed));
    EXPECT_EQ(counts_.changed, 3U);
    EXPECT_EQ(counts_.changed_leases, 2U);
}

TEST_F(SharedLease, AFilterThatSplitsItIsRefused) {
    build(breaking(5s), breaking(5s));
    EXPECT_EQ(
        refusal([&] { static_cast<void>(plan(one_rule(only_fd(3), treatment("add", "1")))); }),
        kSplit);
    EXPECT_EQ(
        refusal([&] { static_cast<void>(plan(one_rule(only_fd(7), treatment("add", "1")))); }),
        kSplit);
}

TEST_F(SharedLease, RulesThatTreatItsRecordsDifferentlyAreRefused) {
    build(breaking(5s), breaking(5s));
    RuleSet rules = one_rule(only_fd(3), treatment("set", "1"));
    rules.otherwise = treatment("set", "2");
    EXPECT_EQ(refusal([&] { static_cast<void>(plan(rules)); }), kSplit);
}

TEST_F(SharedLease, RulesMayLeadToTheSameByDifferentWays) {
    build(breaking(5s), breaking(5s));
    RuleSet rules = one_rule(only_fd(3), treatment("set", "10"));
    rules.otherwise = treatment("scale", "2");
    EXPECT_EQ(plan(rules), std::vector(3, Outcome::changed));
}

TEST_F(SharedLease, AFilterThatSplitsItButChangesNothingIsFine) {
    build(breaking(5s), breaking(5s));
    EXPECT_EQ(plan(one_rule(only_fd(7), treatment("set", "5"))),
              (std::vector{Outcome::filtered_out, Outcome::filtered_out, Outcome::unchanged}));
}

TEST_F(SharedLease, DisagreementThatWasThereAndStaysUntouchedIsFine) {
    build(breaking(5s), breaking(6s));
    EXPECT_EQ(plan(one_rule({}, treatment("keep"))), std::vector(3, Outcome::unchanged));
    EXPECT_EQ(plan({}), std::vector(3, Outcome::filtered_out));
}

TEST_F(SharedLease, DisagreementThatWasThereCanBeMended) {
    build(breaking(5s), breaking(6s));
    EXPECT_EQ(plan(one_rule({}, treatment("set", "5"))),
              (std::vector{Outcome::unchanged, Outcome::changed, Outcome::changed}));
    EXPECT_EQ(counts_.changed_leases, 2U);
}

TEST_F(SharedLease, ADisagreementIsNotCarriedOnByAChange) {
    build(breaking(5s), breaking(6s));
    for (const Filter& filter : {Filter{}, Filter{.paths = {"/shared"}}}) {
        const RuleSet rules = one_rule(filter, treatment("add", "1"));
        EXPECT_EQ(message_of(Error::Kind::damaged, [&] { static_cast<void>(plan(rules)); }), kTorn)
            << "the filter means both records";
    }
}

TEST_F(SharedLease, AFilterThatMeansSomeRecordsIsRefusedEvenIfTheyDisagreed) {
    build(breaking(5s), breaking(6s));
    for (const std::int32_t fd : {3, 7}) {
        EXPECT_EQ(
            refusal([&] { static_cast<void>(plan(one_rule(only_fd(fd), treatment("add", "2")))); }),
            kSplit);
    }
}

TEST_F(SharedLease, OneRecordHeldAndOneBreakingCannotBeChanged) {
    build(held(LockType::wrlck), breaking(5s));
    EXPECT_EQ(message_of(Error::Kind::damaged,
                         [&] { static_cast<void>(plan(one_rule({}, treatment("add", "1")))); }),
              kTorn);
    EXPECT_EQ(plan(one_rule({}, treatment("keep"))),
              (std::vector{Outcome::not_breaking, Outcome::unchanged, Outcome::unchanged}));
}

TEST(Planner, NamesTheRecordThatIsDifferentAndNotTheOneThatChanges) {
    ListBuilder builder;
    const FileId file = builder.file("/shared");
    const TableId table = builder.table({{1, "holder"}});
    builder.lease(file, table, 3, breaking(20s));
    builder.lease(file, table, 7, breaking(10s));
    builder.lease(file, table, 9, breaking(30s));
    Treatment how = treatment("keep");
    how.max = 20s;
    const RuleSet rules = one_rule({}, how);
    Planner planner("x.img", rules, {}, builder.ownership());
    EXPECT_EQ(
        message_of(Error::Kind::damaged, [&] { static_cast<void>(outcomes(builder, planner)); }),
        "x.img: offset 1040: lock 1: locks 0 and 1 are one lease, held through two "
        "descriptors, and do not have the same values [make_records_agree]");
}

TEST_F(SharedLease, PosixLocksOnItsFileDoNotCount) {
    const FileId file = builder_.file("/shared");
    const TableId table = builder_.table({{1, "holder"}});
    const Lock lease = builder_.lease(file, table, 3, breaking(5s));
    Lock posix = builder_.lease(file, table, 3, held(LockType::rdlck));
    posix.kind = LockKind::posix;
    const RuleSet rules = one_rule({}, treatment("add", "1"));
    Planner planner("x.img", rules, {}, builder_.ownership());
    EXPECT_EQ(planner.consider(posix).outcome, Outcome::not_a_lease);
    EXPECT_EQ(planner.consider(lease).outcome, Outcome::changed);
    EXPECT_EQ(planner.consider(posix).outcome, Outcome::not_a_lease);
}

TEST(Planner, FilesMayAppearWhileItWorks) {
    ListBuilder builder;
    const RuleSet rules = one_rule({}, treatment("add", "1"));
    Planner planner("x.img", rules, {}, builder.ownership());
    for (int i = 0; i < 100; ++i) {
        const Lock lock = builder.lease("/f", 1, 3, breaking(5s));
        EXPECT_EQ(planner.consider(lock).outcome, Outcome::changed);
    }
    EXPECT_EQ(planner.counts().changed_leases, 100U);
}

}  // namespace
}  // namespace ckpt_lease
