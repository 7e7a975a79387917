// SPDX-License-Identifier: GPL-2.0-or-later
// Which locks a filter means.
#include <gtest/gtest.h>

#include <functional>

#include "ckpt-lease/lease/rules.hpp"
#include "lease_support.hpp"
#include "support.hpp"

namespace ckpt_lease {
namespace {

using namespace std::chrono_literals;

class FilterTest : public testing::Test {
 protected:
    FilterTest() {
        const TableId table = builder_.table({{101, "db-main"}, {102, "db-worker"}});
        builder_.posix("/other", 1, 3);
        lock_ = builder_.lease(builder_.file("/srv/data/log.1"), table, 5, breaking(5s));
    }

    // Whether the filter that `fill` makes means the lease of fd 5, index 1.
    [[nodiscard]] bool matches(const std::function<void(Filter&)>& fill) const {
        Filter filter;
        fill(filter);
        return filter.matches(lock_, builder_.ownership());
    }

    ListBuilder builder_;
    Lock lock_;
};

TEST_F(FilterTest, AnEmptyFilterMeansEveryLock) {
    EXPECT_TRUE(Filter{}.matches(lock_, builder_.ownership()));
    EXPECT_TRUE(Filter{}.matches(builder_.list().at(0), builder_.ownership()));
}

TEST_F(FilterTest, PathsAreGlobPatternsThatCrossSlashes) {
    for (const auto* const pattern :
         {"/srv/data/log.1", "*", "/srv/*", "*.1", "/srv/d?ta/log.[0-9]", "/srv*log*",
          "/srv?data?log?1", "*/lo\\g.1"}) {
        EXPECT_TRUE(matches([&](Filter& f) { f.paths = {pattern}; })) << pattern;
    }
    for (const auto* const pattern :
         {"", "/srv", "log.1", "/srv/data/log.?1", "/SRV/*", "/srv/*/log.2", "[", "/srv/data/"}) {
        EXPECT_FALSE(matches([&](Filter& f) { f.paths = {pattern}; })) << pattern;
    }
}

TEST_F(FilterTest, PatternsMatchPathsThatAreNoText) {
    const Lock odd = builder_.lease("/srv/\xff\n.x", 9, 1, breaking(1s));
    Filter filter;
    filter.paths = {"/srv/??.x"};
    EXPECT_TRUE(filter.matches(odd, builder_.ownership()));
    filter.paths = {"/srv/\xff*"};
    EXPECT_TRUE(filter.matches(odd, builder_.ownership()));
}

TEST_F(FilterTest, ALeadingDotIsNothingSpecial) {
    const Lock hidden = builder_.lease("/srv/.hidden", 9, 1, breaking(1s));
    Filter filter;
    filter.paths = {"/srv/*"};
    EXPECT_TRUE(filter.matches(hidden, builder_.ownership()));
}

TEST_F(FilterTest, FileDescriptor) {
    EXPECT_TRUE(matches([](Filter& f) { f.fds = {5}; }));
    EXPECT_FALSE(matches([](Filter& f) { f.fds = {4}; }));
}

TEST_F(FilterTest, Index) {
    EXPECT_TRUE(matches([](Filter& f) { f.indexes = {1}; }));
    EXPECT_FALSE(matches([](Filter& f) { f.indexes = {0}; }));
}

TEST_F(FilterTest, TargetIsWhatTheLeaseIsToBecome) {
    EXPECT_TRUE(matches([](Filter& f) { f.targets = {LockType::unlck}; }));
    EXPECT_FALSE(matches([](Filter& f) { f.targets = {LockType::rdlck}; }));
    EXPECT_FALSE(matches([](Filter& f) { f.targets = {LockType::wrlck}; })) << "what it was";
}

TEST_F(FilterTest, ALeaseThatIsHeldMatchesNoTarget) {
    const Lock lease = builder_.lease("/x", 9, 1, held(LockType::rdlck));
    Filter filter;
    filter.targets = {LockType::rdlck};
    EXPECT_FALSE(filter.matches(lease, builder_.ownership()));
    EXPECT_FALSE(filter.matches(builder_.list().at(0), builder_.ownership())) << "a POSIX lock";
}

TEST_F(FilterTest, ATaskConditionHoldsForAnyTaskThatSharesTheTable) {
    EXPECT_TRUE(matches([](Filter& f) { f.pids = {101}; }));
    EXPECT_TRUE(matches([](Filter& f) { f.pids = {102}; }));
    EXPECT_FALSE(matches([](Filter& f) { f.pids = {103}; }));
    EXPECT_TRUE(matches([](Filter& f) { f.comms = {"db-main"}; }));
    EXPECT_TRUE(matches([](Filter& f) { f.comms = {"*work*"}; }));
    EXPECT_FALSE(matches([](Filter& f) { f.comms = {"db"}; }));
}

TEST_F(FilterTest, ALockWithoutTasksMatchesNoTaskCondition) {
    const Lock orphan = builder_.lease(builder_.file("/x"), builder_.table({}), 3, breaking(1s));
    Filter filter;
    EXPECT_TRUE(filter.matches(orphan, builder_.ownership()));
    filter.comms = {"*"};
    EXPECT_FALSE(filter.matches(orphan, builder_.ownership()));
}

TEST_F(FilterTest, AllConditionsMustHold) {
    const auto fill = [](Filter& f) {
        f.paths = {"/srv/*"};
        f.comms = {"db-*"};
        f.pids = {101};
        f.fds = {5};
        f.indexes = {1};
        f.targets = {LockType::unlck};
    };
    EXPECT_TRUE(matches(fill));
    const std::vector<std::function<void(Filter&)>> spoilers{
        [](Filter& f) { f.paths = {"/x"}; }, [](Filter& f) { f.comms = {"x"}; },
        [](Filter& f) { f.pids = {1}; },     [](Filter& f) { f.fds = {1}; },
        [](Filter& f) { f.indexes = {7}; },  [](Filter& f) { f.targets = {LockType::rdlck}; },
    };
    for (std::size_t i = 0; i < spoilers.size(); ++i) {
        EXPECT_FALSE(matches([&](Filter& f) {
            fill(f);
            spoilers[i](f);
        })) << i;
    }
}

TEST_F(FilterTest, RepeatedConditionsMustAllHold) {
    EXPECT_TRUE(matches([](Filter& f) { f.paths = {"/srv/*", "*.1"}; }));
    EXPECT_FALSE(matches([](Filter& f) { f.paths = {"/srv/*", "*.2"}; }));
    EXPECT_TRUE(matches([](Filter& f) { f.fds = {5, 5}; }));
    EXPECT_FALSE(matches([](Filter& f) { f.fds = {5, 6}; }));
    EXPECT_FALSE(matches([](Filter& f) { f.indexes = {1, 2}; }));
    EXPECT_FALSE(matches([](Filter& f) { f.targets = {LockType::unlck, LockType::rdlck}; }));
}

TEST_F(FilterTest, RepeatedTaskConditionsMayHoldForDifferentTasks) {
    EXPECT_TRUE(matches([](Filter& f) { f.pids = {101, 102}; }));
    EXPECT_FALSE(matches([](Filter& f) { f.pids = {101, 103}; }));
    EXPECT_TRUE(matches([](Filter& f) { f.comms = {"*main", "*worker"}; }));
    EXPECT_FALSE(matches([](Filter& f) { f.comms = {"*main", "x"}; }));
    EXPECT_TRUE(matches([](Filter& f) {
        f.pids = {101};
        f.comms = {"*worker"};
    }));
}

TEST_F(FilterTest, PhasesAreThoseOfLeases) {
    EXPECT_TRUE(matches([](Filter& f) { f.phases = {Phase::breaking}; }));
    EXPECT_FALSE(matches([](Filter& f) { f.phases = {Phase::held}; }));
    EXPECT_FALSE(matches([](Filter& f) { f.phases = {Phase::breaking, Phase::held}; }));
    const Lock lease = builder_.lease("/held", 9, 1, held(LockType::rdlck));
    const Lock posix = builder_.list().at(0);
    for (const Phase phase : {Phase::breaking, Phase::held}) {
        Filter filter;
        filter.phases = {phase};
        EXPECT_EQ(filter.matches(lease, builder_.ownership()), phase == Phase::held);
        EXPECT_FALSE(filter.matches(posix, builder_.ownership())) << "no lease";
    }
}

TEST_F(FilterTest, OnlyTaskConditionsNeedTasks) {
    Filter filter;
    EXPECT_FALSE(filter.needs_tasks());
    filter.paths = {"*"};
    filter.fds = {1};
    filter.indexes = {1};
    filter.targets = {LockType::unlck};
    filter.phases = {Phase::breaking};
    EXPECT_FALSE(filter.needs_tasks());
    filter.pids = {1};
    EXPECT_TRUE(filter.needs_tasks());
    filter.pids.clear();
    filter.comms = {"x"};
    EXPECT_TRUE(filter.needs_tasks());
}

TEST_F(FilterTest, AfterAddingAnotherBothMustMatch) {
    Filter filter;
    filter.paths = {"/srv/*"};
    Filter other;
    other.paths = {"*.1"};
    other.comms = {"db-*"};
    other.pids = {101};
    other.fds = {5};
    other.indexes = {1};
    other.targets = {LockType::unlck};
    other.phases = {Phase::breaking};
    filter.add(other);
    EXPECT_EQ(filter.paths, (std::vector<std::string>{"/srv/*", "*.1"}));
    EXPECT_EQ(filter.comms, other.comms);
    EXPECT_EQ(filter.pids, other.pids);
    EXPECT_EQ(filter.fds, other.fds);
    EXPECT_EQ(filter.indexes, other.indexes);
    EXPECT_EQ(filter.targets, other.targets);
    EXPECT_EQ(filter.phases, other.phases);
    EXPECT_TRUE(filter.matches(lock_, builder_.ownership()));
    other = {};
    other.fds = {6};
    filter.add(other);
    EXPECT_FALSE(filter.matches(lock_, builder_.ownership()));
}

TEST(FilterContradiction, IsTheConditionThatCanNeverHold) {
    EXPECT_EQ((Filter{.indexes = {3, 4}}).contradiction(), Condition::index);
    EXPECT_EQ((Filter{.fds = {3, 3, 4}}).contradiction(), Condition::fd);
    EXPECT_EQ((Filter{.targets = {LockType::unlck, LockType::rdlck}}).contradiction(),
              Condition::target);
    EXPECT_EQ((Filter{.phases = {Phase::held, Phase::breaking}}).contradiction(), Condition::phase);
}

TEST(FilterContradiction, IsNoneWhereALockCanMatch) {
    Filter filter;
    EXPECT_EQ(filter.contradiction(), std::nullopt);
    filter.paths = {"/a*", "*b"};
    filter.comms = {"x", "y"};
    filter.pids = {1, 2};
    filter.fds = {3, 3};
    filter.indexes = {4};
    filter.targets = {LockType::rdlck, LockType::rdlck};
    filter.phases = {Phase::breaking, Phase::breaking};
    EXPECT_EQ(filter.contradiction(), std::nullopt);
}

}  // namespace
}  // namespace ckpt_lease
