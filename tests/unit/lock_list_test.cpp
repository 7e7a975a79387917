// SPDX-License-Identifier: GPL-2.0-or-later
// Locks, files and tasks come out of the list as they went in.
#include "ckpt-lease/lease/lock_list.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "lease_support.hpp"

namespace ckpt_lease {
namespace {

using namespace std::chrono_literals;

void expect_same(const Lock& found, const Lock& wanted) {
    EXPECT_EQ(found.index, wanted.index);
    EXPECT_EQ(found.offset, wanted.offset);
    EXPECT_EQ(found.fd, wanted.fd);
    EXPECT_EQ(found.file, wanted.file);
    EXPECT_EQ(found.table, wanted.table);
    EXPECT_EQ(found.kind, wanted.kind);
    EXPECT_EQ(found.lease, wanted.lease);
    EXPECT_EQ(found.range.start, wanted.range.start);
    EXPECT_EQ(found.range.end, wanted.range.end);
}

void expect_round_trip(Lock lock) {
    LockList list;
    list.add(Lock{});
    lock.index = 1;
    list.add(lock);
    ASSERT_EQ(list.size(), 2U);
    expect_same(list.at(1), lock);
    expect_same(list.at(0), Lock{});
}

Lock far_out(LockKind kind) {
    Lock lock;
    lock.offset = std::numeric_limits<std::uint64_t>::max();
    lock.fd = std::numeric_limits<std::int32_t>::max();
    lock.file = static_cast<FileId>(4294967295U);
    lock.table = static_cast<TableId>(4294967294U);
    lock.kind = kind;
    return lock;
}

TEST(LockList, KeepsALeaseThatIsHeld) {
    for (const LockType type : {LockType::rdlck, LockType::wrlck, static_cast<LockType>(200)}) {
        Lock lock = far_out(LockKind::lease);
        lock.lease = held(type);
        expect_round_trip(lock);
    }
}

TEST(LockList, KeepsALeaseThatIsBeingBroken) {
    for (const Remaining remaining :
         {Remaining(0s), Remaining(1ns), Remaining(5250ms), Remaining(9000000000s),
          Remaining::no_deadline(), Remaining::not_known()}) {
        Lock lock = far_out(LockKind::lease);
        lock.lease = breaking(remaining);
        expect_round_trip(lock);
        lock.lease.armed = true;
        expect_round_trip(lock);
        lock.lease.notified = false;
        lock.lease.type = LockType::rdlck;
        lock.lease.previous_type = std::nullopt;
        expect_round_trip(lock);
    }
}

TEST(LockList, KeepsLocksThatAreNoLease) {
    for (const LockKind kind :
         {LockKind::posix, LockKind::flock, LockKind::other, LockKind::delegation}) {
        Lock lock = far_out(kind);
        lock.fd = -1;
        lock.lease.type = static_cast<LockType>(18);
        lock.range = {4096, 8191};
        expect_round_trip(lock);
        lock.range = {INT64_MIN, kToEndOfFile};
        expect_round_trip(lock);
    }
}

// Rows stand in blocks, and each says only how it differs from the one before it.
TEST(LockList, KeepsManyLocksOfAllKinds) {
    LockList list;
    std::vector<Lock> wanted;
    for (std::size_t i = 0; i < 20000; ++i) {
        Lock lock = i % 5 == 3 ? far_out(LockKind::posix) : Lock{};
        lock.index = i;
        lock.offset += i * 40;
        lock.fd -= static_cast<std::int32_t>(i % 7);
        lock.kind = static_cast<LockKind>(i % 5);
        if (lock.kind == LockKind::lease) {
            lock.lease =
                i % 10 == 0 ? breaking(Remaining(Nanoseconds(i * 12345678))) : LeaseState();
            lock.file = static_cast<FileId>(i % 3 == 0 ? i : 2 * i);
        } else {
            lock.range = {static_cast<std::int64_t>(i) << (i % 40), kToEndOfFile};
            lock.table = static_cast<TableId>(i / 100);
        }
        wanted.push_back(lock);
        list.add(lock);
    }
    std::size_t count = 0;
    list.for_each([&](const Lock& lock) { expect_same(lock, wanted.at(count++)); });
    EXPECT_EQ(count, wanted.size());
    for (std::size_t i = wanted.size(); i-- > 0;) {
        expect_same(list.at(i), wanted[i]);
    }
    for (const std::size_t begin : {0U, 15U, 16U, 17U, 19999U, 20000U}) {
        count = begin;
        list.for_each_of(begin, 20000,
                         [&](const Lock& lock) { expect_same(lock, wanted.at(count++)); });
        EXPECT_EQ(count, wanted.size());
    }
    list.for_each_of(17, 17, [](const Lock&) { ADD_FAILURE(); });
}

TEST(LockList, StartsEmpty) {
    const LockList list;
    EXPECT_EQ(list.size(), 0U);
    EXPECT_EQ(list.ownership().file_count(), 0U);
    EXPECT_EQ(list.ownership().table_count(), 0U);
}

TEST(LockList, LeadsFromALockToItsPathAndItsTasks) {
    ListBuilder builder;
    builder.lease("/first", 1, 3, held(LockType::rdlck));
    const TableId shared = builder.table({{7, "main"}, {8, "worker"}});
    builder.lease(builder.file("/second\xff\t"), shared, 4, held(LockType::wrlck));
    const LockList& list = builder.list();
    EXPECT_EQ(list.path(list.at(0)), "/first");
    EXPECT_EQ(list.path(list.at(1)), "/second\xff\t");
    ASSERT_EQ(list.tasks(list.at(1)).size(), 2U);
    EXPECT_EQ(list.tasks(list.at(1))[0].pid, 7);
    EXPECT_EQ(list.tasks(list.at(1))[1].comm, "worker");
    EXPECT_EQ(list.tasks(list.at(0))[0].pid, 1);
}

TEST(Ownership, NumbersFilesAndTablesFromZero) {
    Ownership ownership;
    EXPECT_EQ(static_cast<unsigned>(ownership.add_file()), 0U);
    EXPECT_EQ(static_cast<unsigned>(ownership.add_file()), 1U);
    EXPECT_EQ(static_cast<unsigned>(ownership.add_table()), 0U);
    EXPECT_EQ(static_cast<unsigned>(ownership.add_table()), 1U);
    EXPECT_EQ(ownership.file_count(), 2U);
    EXPECT_EQ(ownership.table_count(), 2U);
}

TEST(Ownership, AFileWithoutANameHasAnEmptyPath) {
    Ownership ownership;
    const FileId file = ownership.add_file();
    EXPECT_EQ(ownership.path(file), "");
    ownership.set_path(file, "");
    EXPECT_EQ(ownership.path(file), "");
    ownership.set_path(file, "/late");
    EXPECT_EQ(ownership.path(file), "/late");
}

TEST(Ownership, TheFirstNameOfAFileCounts) {
    Ownership ownership;
    const FileId file = ownership.add_file();
    ownership.set_path(file, "/first");
    ownership.set_path(file, "/second");
    EXPECT_EQ(ownership.path(file), "/first");
}

TEST(Ownership, ATableWithoutTasksHasNone) {
    Ownership ownership;
    EXPECT_TRUE(ownership.tasks(ownership.add_table()).empty());
}

TEST(Ownership, PathsOfAnyLengthStayWhereTheyAre) {
    Ownership ownership;
    std::vector<std::pair<FileId, std::string>> wanted;
    std::vector<std::string_view> early;
    for (std::size_t i = 0; i < 5000; ++i) {
        const std::string path = "/" + std::to_string(i) + std::string(i % 97, 'x');
        const FileId file = ownership.add_file();
        ownership.set_path(file, path);
        wanted.emplace_back(file, path);
        early.push_back(ownership.path(file));
    }
    const std::string huge(200000, 'h');
    const FileId file = ownership.add_file();
    ownership.set_path(file, huge);
    EXPECT_EQ(ownership.path(file), huge);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        ASSERT_EQ(ownership.path(wanted[i].first), wanted[i].second);
        ASSERT_EQ(early[i].data(), ownership.path(wanted[i].first).data());
    }
}

}  // namespace
}  // namespace ckpt_lease
