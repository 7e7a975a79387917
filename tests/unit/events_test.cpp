// SPDX-License-Identifier: GPL-2.0-or-later
// What has become of leases between two looks at live processes.
#include "lease/events.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lease_support.hpp"

namespace ckpt_lease {
namespace {

using namespace std::chrono_literals;
using Kind = EventKind;

// A look at live processes.
class LookBuilder {
 public:
    LookBuilder& process(std::int32_t pid, Nanoseconds started = 1s) {
        snapshot_.processes.push_back(
            {.task = {pid, "holder"}, .leader = pid, .parent = 1, .started = started});
        tables_.push_back(ownership().add_table());
        ownership().add_task(tables_.back(), {pid, "holder"});
        return *this;
    }
    // Of the process that came last.
    LookBuilder& lease(std::int32_t fd, std::uint64_t inode, const LeaseState& state) {
        const FileId file = ownership().add_file();
        ownership().set_path(file, "/srv/" + std::to_string(inode));
        snapshot_.files.push_back({.device_major = 8, .device_minor = 1, .inode = inode});
        return record(fd, file, state);
    }
    // The lease that came last, through another descriptor.
    LookBuilder& again(std::int32_t fd) {
        const Lock last = snapshot_.locks.at(snapshot_.locks.size() - 1);
        return record(fd, last.file, last.lease);
    }
    [[nodiscard]] Snapshot take() { return std::move(snapshot_); }

 private:
    Ownership& ownership() { return snapshot_.locks.ownership(); }
    LookBuilder& record(std::int32_t fd, FileId file, const LeaseState& state) {
        Lock lock;
        lock.index = snapshot_.locks.size();
        lock.fd = fd;
        lock.file = file;
        lock.table = tables_.back();
        lock.kind = LockKind::lease;
        lock.lease = state;
        snapshot_.locks.add(lock);
        return *this;
    }

    Snapshot snapshot_;
    std::vector<TableId> tables_;
};

// Of one process with one lease, on descriptor 3.
Snapshot look(const LeaseState& state) {
    return LookBuilder().process(7).lease(3, 100, state).take();
}
Snapshot nothing() {
    return LookBuilder().process(7).take();
}
LeaseState to_read(Nanoseconds left) {
    return {true, LockType::rdlck, LockType::wrlck, true, Remaining(left)};
}

std::vector<Kind> kinds(const std::vector<LeaseEvent>& events) {
    std::vector<Kind> found;
    for (const LeaseEvent& event : events) {
        found.push_back(event.kind);
    }
    return found;
}

std::vector<Kind> between(const Snapshot& before, const Snapshot& after, Nanoseconds passed = 2s) {
    return kinds(events_between(before, after, passed));
}

using Kinds = std::vector<Kind>;

TEST(Events, NothingHappens) {
    EXPECT_EQ(between(look(held(LockType::wrlck)), look(held(LockType::wrlck))), Kinds());
    EXPECT_EQ(between(look(breaking(45s)), look(breaking(43s))), Kinds());
    EXPECT_EQ(between(look(breaking(0s)), look(breaking(0s))), Kinds());
    EXPECT_EQ(between(nothing(), nothing()), Kinds());
}

TEST(Events, ABreakBegins) {
    const auto events = events_between(look(held(LockType::wrlck)), look(breaking(44s)), 2s);
    ASSERT_EQ(kinds(events), Kinds{Kind::break_begins});
    EXPECT_EQ(events[0].task.pid, 7);
    EXPECT_EQ(events[0].lock->fd, 3);
    EXPECT_EQ(events[0].lock->lease, breaking(44s));
    EXPECT_FALSE(events[0].is_before);
    EXPECT_EQ(events[0].remaining, Nanoseconds(44s));
}

TEST(Events, ABreakThatIsToTakeAll) {
    EXPECT_EQ(between(look(to_read(40s)), look(breaking(38s))), Kinds{Kind::break_begins});
}

TEST(Events, TimeIsOver) {
    const auto events = events_between(look(breaking(1s)), look(breaking(0s)), 2s);
    ASSERT_EQ(kinds(events), Kinds{Kind::time_over});
    EXPECT_EQ(events[0].remaining, Nanoseconds(0s));
    EXPECT_EQ(between(look(held(LockType::wrlck)), look(breaking(0s))),
              (Kinds{Kind::break_begins, Kind::time_over}));
}

TEST(Events, TimeIsOverThoughItCannotBeSeenAnyMore) {
    EXPECT_EQ(between(look(breaking(1s)), look(breaking(Remaining::not_known()))),
              Kinds{Kind::time_over});
    EXPECT_EQ(between(look(breaking(3s)), look(breaking(Remaining::not_known()))), Kinds());
}

TEST(Events, GivenUpInTime) {
    const auto events = events_between(look(breaking(10s)), nothing(), 2s);
    ASSERT_EQ(kinds(events), Kinds{Kind::given_up});
    EXPECT_TRUE(events[0].is_before);
    EXPECT_EQ(events[0].lock->fd, 3);
    EXPECT_EQ(events[0].remaining, Nanoseconds(8s));
    EXPECT_EQ(between(look(breaking(Remaining::no_deadline())), nothing()), Kinds{Kind::given_up});
}

TEST(Events, GivenUpThoughNobodyBrokeIt) {
    const auto events = events_between(look(held(LockType::wrlck)), nothing(), 2s);
    ASSERT_EQ(kinds(events), Kinds{Kind::given_up});
    EXPECT_EQ(events[0].remaining, std::nullopt);
}

TEST(Events, Lost) {
    const auto events = events_between(look(breaking(1s)), nothing(), 2s);
    EXPECT_EQ(kinds(events), (Kinds{Kind::time_over, Kind::lost}));
    EXPECT_EQ(events[1].remaining, Nanoseconds(0s));
    EXPECT_EQ(between(look(breaking(0s)), nothing()), Kinds{Kind::lost}) << "told before";
}

// The kernel counts in ticks, and who waits may be let in before the look has come to its end.
TEST(Events, LostAMomentBeforeItsTimeIsOver) {
    EXPECT_EQ(between(look(breaking(2040ms)), nothing()), (Kinds{Kind::time_over, Kind::lost}));
    EXPECT_EQ(between(look(breaking(2060ms)), nothing()), Kinds{Kind::given_up});
}

TEST(Events, EndedWhereNobodyKnowsWhatWasLeft) {
    const auto events = events_between(look(breaking(Remaining::not_known())), nothing(), 2s);
    ASSERT_EQ(kinds(events), Kinds{Kind::ended});
    EXPECT_EQ(events[0].remaining, std::nullopt);
}

TEST(Events, Downgraded) {
    const Snapshot after = look(held(LockType::rdlck));
    EXPECT_EQ(between(look(to_read(10s)), after), Kinds{Kind::downgraded});
    EXPECT_EQ(between(look(to_read(1s)), after), (Kinds{Kind::time_over, Kind::downgraded}));
    EXPECT_EQ(between(look(to_read(0s)), after), Kinds{Kind::downgraded}) << "told before";
    EXPECT_EQ(between(look(held(LockType::wrlck)), after), Kinds{Kind::downgraded});
}

TEST(Events, ANewLease) {
    const auto events = events_between(nothing(), look(held(LockType::rdlck)), 2s);
    ASSERT_EQ(kinds(events), Kinds{Kind::new_lease});
    EXPECT_EQ(events[0].task.pid, 7);
    EXPECT_EQ(between(nothing(), look(breaking(44s))),
              (Kinds{Kind::new_lease, Kind::break_begins}));
    EXPECT_EQ(between(look(held(LockType::rdlck)), look(held(LockType::wrlck))),
              Kinds{Kind::new_lease});
}

TEST(Events, GivenUpAndTakenAgain) {
    EXPECT_EQ(between(look(breaking(10s)), look(held(LockType::wrlck))),
              (Kinds{Kind::given_up, Kind::new_lease}));
}

TEST(Events, AnotherFileOnTheSameDescriptor) {
    EXPECT_EQ(between(look(held(LockType::rdlck)),
                      LookBuilder().process(7).lease(3, 200, held(LockType::rdlck)).take()),
              (Kinds{Kind::given_up, Kind::new_lease}));
}

// Restored in the middle of a break, and no breaker is back.
LeaseState armed(Nanoseconds left) {
    LeaseState state = breaking(left);
    state.armed = true;
    return state;
}

TEST(Events, AnArmedLeaseIsANewOneThatNobodyBreaks) {
    const auto events = events_between(nothing(), look(armed(5s)), 2s);
    ASSERT_EQ(kinds(events), Kinds{Kind::new_lease});
    EXPECT_EQ(events[0].remaining, Nanoseconds(5s));
    EXPECT_EQ(between(look(held(LockType::wrlck)), look(armed(5s))), Kinds{Kind::new_lease});
    EXPECT_EQ(between(look(breaking(7s)), look(armed(5s))), Kinds{Kind::new_lease});
}

TEST(Events, WhileItIsArmedNobodysTimeIsOver) {
    EXPECT_EQ(between(look(armed(5s)), look(armed(3s))), Kinds());
    EXPECT_EQ(between(look(armed(1s)), look(armed(0s))), Kinds());
    EXPECT_EQ(between(look(armed(0s)), look(armed(0s))), Kinds());
    EXPECT_EQ(between(nothing(), look(armed(0s))), Kinds{Kind::new_lease});
}

TEST(Events, ItsBreakBeginsWhenTheBreakerIsBack) {
    EXPECT_EQ(between(look(armed(5s)), look(breaking(3s))), Kinds{Kind::break_begins});
    EXPECT_EQ(between(look(armed(0s)), look(breaking(0s))),
              (Kinds{Kind::break_begins, Kind::time_over}));
}

TEST(Events, AnArmedLeaseIsGivenUpAsLongAsItsTimeLasts) {
    EXPECT_EQ(between(look(armed(5s)), nothing()), Kinds{Kind::given_up});
    // Whether its holder has closed the file, or a breaker has come and got it at once, nobody saw.
    EXPECT_EQ(between(look(armed(1s)), nothing()), Kinds{Kind::ended});
    EXPECT_EQ(between(look(armed(0s)), nothing()), Kinds{Kind::ended});
}

TEST(Events, AnArmedLeaseThatItsHolderSetsIsANewOne) {
    EXPECT_EQ(between(look(armed(5s)), look(held(LockType::wrlck))), Kinds{Kind::new_lease});
    LeaseState downgrade = to_read(1s);
    downgrade.armed = true;
    EXPECT_EQ(between(look(downgrade), look(held(LockType::rdlck))), Kinds{Kind::downgraded});
}

// A lease goes with the open file, not with the descriptor.
TEST(Events, OneDescriptorOfSeveralIsClosedOrAdded) {
    const auto one = [] { return look(held(LockType::rdlck)); };
    const auto two = [] {
        return LookBuilder().process(7).lease(3, 100, held(LockType::rdlck)).again(4).take();
    };
    EXPECT_EQ(between(two(), one()), Kinds());
    EXPECT_EQ(between(one(), two()), Kinds());
    const auto events = events_between(two(), nothing(), 2s);
    EXPECT_EQ(kinds(events), Kinds{Kind::given_up}) << "once";
}

TEST(Events, AProcessIsGone) {
    const auto events = events_between(look(breaking(10s)), Snapshot(), 2s);
    ASSERT_EQ(kinds(events), Kinds{Kind::process_gone});
    EXPECT_EQ(events[0].task.pid, 7);
    EXPECT_FALSE(events[0].lock);
}

TEST(Events, AChildKeepsTheLeaseOfAProcessThatIsGone) {
    const auto both =
        LookBuilder().process(7).lease(3, 100, held(LockType::rdlck)).process(8).again(3).take();
    const auto one = LookBuilder().process(8).lease(3, 100, held(LockType::rdlck)).take();
    EXPECT_EQ(between(both, one), Kinds{Kind::process_gone});
}

TEST(Events, APidThatIsUsedAgainIsAnotherProcess) {
    EXPECT_EQ(between(look(held(LockType::rdlck)),
                      LookBuilder().process(7, 2s).lease(3, 100, held(LockType::rdlck)).take()),
              (Kinds{Kind::new_lease, Kind::process_gone}));
}

}  // namespace
}  // namespace ckpt_lease
