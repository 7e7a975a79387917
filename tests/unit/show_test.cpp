// SPDX-License-Identifier: GPL-2.0-or-later
// What 'show' prints of snapshots of any format.
#include "render/show.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "ckpt-lease/base/text.hpp"
#include "lease_support.hpp"
#include "render_support.hpp"
#include "show_support.hpp"
#include "support.hpp"

namespace ckpt_lease::render {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

std::string text_of(const Snapshot& snapshot, bool all = false) {
    return shown(snapshot, false, {.all = all});
}

json json_of(const Snapshot& snapshot, bool all = false) {
    return json::parse(shown(snapshot, true, {.all = all})).at("images").at(0);
}

// Every lease of it is of an unknown type before its break.
Snapshot of_criu() {
    Snapshot snapshot;
    snapshot.origin = {.name = "img",
                       .format = Format::criu,
                       .criu = CriuTasks{.count = 2, .root_pid = 7, .has_file_locks = true}};
    LeaseState state = breaking(Remaining::not_known());
    state.previous_type.reset();
    add(snapshot, LockKind::lease, state);
    return snapshot;
}

Snapshot of_linux_cr() {
    Snapshot snapshot;
    snapshot.origin = {.name = "j.img",
                       .format = Format::linux_cr,
                       .encoding = Encoding{ByteOrder::big, "s390x", 6},
                       .layout = "lease-1",
                       .complete = true,
                       .kernel = Kernel{"2.6.35", "2.6.35-ckpt", "#1 SMP", "s390x"},
                       .taken = 1285123224};
    add(snapshot, LockKind::lease, held(LockType::rdlck));
    add(snapshot, LockKind::lease, breaking(5250ms));
    add(snapshot, LockKind::posix, held(LockType::wrlck));
    return snapshot;
}

TEST(ShowText, OfAnImage) {
    EXPECT_EQ(text_of(of_linux_cr()),
              "j.img: linux-cr revision 6, s390x, big endian, Linux 2.6.35-ckpt, taken 2010-09-22 "
              "02:40:24 UTC, complete\n"
              "IDX  STATE     REMAINING  TYPE     BECOMES  SIG  FD  HOLDER    PATH\n"
              "  1  breaking      5.25s  F_WRLCK  F_UNLCK  yes   3  7 holder  /srv/1\n"
              "  0  held              -  F_RDLCK  -        -     3  7 holder  /srv/0\n");
}

TEST(ShowText, OfAllLocks) {
    EXPECT_NE(text_of(of_linux_cr(), true)
                  .find("  2  posix             -  F_WRLCK  -        -     3  100-107  7 holder"),
              std::string::npos);
}

TEST(ShowText, WhatALeaseWasIsNotMadeUp) {
    EXPECT_EQ(text_of(of_criu()),
              "img: CRIU checkpoint of 2 tasks, root 7, without captured leases\n"
              "IDX  STATE     REMAINING  TYPE  BECOMES  SIG  FD  HOLDER    PATH\n"
              "  0  breaking  not known  -     F_UNLCK  yes   3  7 holder  /srv/0\n");
}

TEST(ShowText, OfTasksThatCannotBeRead) {
    Snapshot snapshot = of_criu();
    snapshot.origin.criu = CriuTasks{.has_file_locks = true};
    EXPECT_EQ(text_of(snapshot).find(
                  "img: CRIU checkpoint of tasks that cannot be read, without captured leases\n"),
              0U);
}

TEST(ShowText, OfLiveProcesses) {
    EXPECT_EQ(text_of(of_live()),
              "process 7: live, x86_64, Linux 6.12, at 2010-09-22 02:40:24 UTC\n"
              "IDX  STATE     REMAINING  TYPE     BECOMES  SIG  FD  HOLDER    BREAKER  PATH\n"
              "  0  breaking      5.25s  F_WRLCK  F_UNLCK  yes   3  7 holder  42 cat   /srv/0\n");
}

// The holder has it, and no breaker is back: nothing of the break is under way.
TEST(ShowText, OfALeaseWhoseRestoredBreakIsArmed) {
    Snapshot snapshot;
    snapshot.origin = of_live().origin;
    snapshot.lease_break_time = 45s;
    LeaseState state = breaking(5s);
    state.armed = true;
    add(snapshot, LockKind::lease, state);
    const ShowTable table{.columns = parse_columns("STATE,REMAINING,SINCE,TYPE,BECOMES"),
                          .lines = Table::Lines::raw};
    EXPECT_EQ(shown(snapshot, false, table),
              "STATE REMAINING SINCE TYPE BECOMES\narmed 5s - F_WRLCK F_UNLCK\n");
    const json lease = json_of(snapshot).at("leases").at(0);
    EXPECT_EQ(lease.at("state"), "breaking") << "as the kernel shows it in /proc/locks";
    EXPECT_EQ(lease.at("armed"), true);
    EXPECT_EQ(lease.at("since_seconds"), nullptr);
    EXPECT_EQ(json_of(of_live()).at("leases").at(0).at("armed"), false);
}

TEST(ShowText, OfDelegations) {
    Snapshot snapshot = of_live();
    add(snapshot, LockKind::delegation, held(LockType::rdlck));
    add(snapshot, LockKind::delegation,
        {true, LockType::rdlck, LockType::wrlck, false, Remaining::not_known()});
    const ShowTable table{.columns = parse_columns("STATE,REMAINING,TYPE,BECOMES,SIG,PATH"),
                          .lines = Table::Lines::raw};
    EXPECT_EQ(shown(snapshot, false, table),
              "STATE REMAINING TYPE BECOMES SIG PATH\n"
              "breaking 5.25s F_WRLCK F_UNLCK yes /srv/0\n"
              "delegation - F_RDLCK - - /srv/1\n"
              "delegation - F_WRLCK F_RDLCK - /srv/2\n");
    const json image = json_of(snapshot);
    EXPECT_EQ(image.at("leases").size(), 1U);
    ASSERT_EQ(image.at("locks").size(), 2U);
    EXPECT_EQ(image.at("locks").at(0).at("kind"), "delegation");
    EXPECT_EQ(image.at("locks").at(0).at("type"), "F_RDLCK");
    EXPECT_EQ(image.at("locks").at(0).at("state"), "held");
    EXPECT_EQ(image.at("locks").at(1).at("state"), "breaking");
    EXPECT_EQ(image.at("locks").at(1).at("previous_type"), "F_WRLCK");
    EXPECT_FALSE(json_of(of_live()).contains("locks"));
}

// As a process and its child have them: each looks at its descriptors in their order.
TEST(ShowText, ADelegationOfSeveralProcessesHasOneLine) {
    Snapshot snapshot = of_live();
    add(snapshot, LockKind::delegation, held(LockType::rdlck));
    add(snapshot, LockKind::delegation, held(LockType::wrlck));
    Ownership& ownership = snapshot.locks.ownership();
    const TableId table = ownership.add_table();
    ownership.add_task(table, {8, "child"});
    for (const std::size_t index : {1U, 2U}) {
        Lock lock = snapshot.locks.at(index);
        lock.index = snapshot.locks.size();
        lock.table = table;
        snapshot.locks.add(lock);
    }
    const ShowTable shape{.columns = parse_columns("IDX,STATE,PATH"), .lines = Table::Lines::raw};
    EXPECT_EQ(shown(snapshot, false, shape),
              "IDX STATE PATH\n"
              "0 breaking /srv/0\n"
              "1,3 delegation /srv/1\n"
              "2,4 delegation /srv/2\n");
}

TEST(ShowText, OfNothingThatCouldBeRead) {
    Snapshot snapshot;
    snapshot.damage = Problem{.message = "no"};
    EXPECT_EQ(text_of(snapshot), "") << "the error says it all";
}

// The owners of both leases, and a path that means something to a shell.
Snapshot of_owned() {
    Snapshot snapshot = of_linux_cr();
    snapshot.owners = {{0, {.kind = LeaseOwner::Kind::thread, .id = 8, .signal = 10}},
                       {1, {.kind = LeaseOwner::Kind::group, .id = 0}}};
    Ownership& ownership = snapshot.locks.ownership();
    Lock lock = snapshot.locks.at(0);
    lock.index = 3;
    lock.file = ownership.add_file();
    ownership.set_path(lock.file, "/a b\\\"$(x)`");
    snapshot.locks.add(lock);
    return snapshot;
}

TEST(ShowText, OfChosenColumns) {
    const ShowTable table{
        .columns = parse_columns("remaining,Path,DEADLINE,owner,signal,offset,image"),
        .headings = false};
    EXPECT_EQ(shown(of_owned(), false, table),
              "5.25s  /srv/1        2010-09-22 02:40:30 UTC  nobody    SIGIO  1040  j.img\n"
              "    -  /srv/0        -                        thread 8  10     1000  j.img\n"
              "    -  /a b\\\\\"$(x)`  -                        -         -      1000  j.img\n");
    const std::string more = shown(of_linux_cr(), false, {.columns = parse_columns("+OFFSET")});
    EXPECT_NE(more.find("FD  HOLDER    PATH    OFFSET\n"), std::string::npos) << more;
}

TEST(ShowText, OfColumnsThatAreNot) {
    EXPECT_EQ(
        message_of(Error::Kind::refused, [] { static_cast<void>(parse_columns("IDX,,PATH")); }),
        "a column has no name (give names with commas between them, like FD,PATH)");
}

TEST(ShowText, ForScripts) {
    const ColumnChoice columns = parse_columns("IDX,PATH,HOLDER");
    EXPECT_EQ(shown(of_owned(), false, {.columns = columns, .lines = Table::Lines::raw}),
              "IDX PATH HOLDER\n"
              "1 /srv/1 7\\x20holder\n"
              "0 /srv/0 7\\x20holder\n"
              "3 /a\\x20b\\x5c\"$(x)` 7\\x20holder\n");
    EXPECT_EQ(shown(of_owned(), false, {.columns = columns, .lines = Table::Lines::pairs}),
              "IDX=\"1\" PATH=\"/srv/1\" HOLDER=\"7 holder\"\n"
              "IDX=\"0\" PATH=\"/srv/0\" HOLDER=\"7 holder\"\n"
              "IDX=\"3\" PATH=\"/a b\\x5c\\x22\\x24(x)\\x60\" HOLDER=\"7 holder\"\n");
}

TEST(ShowText, HeadingsForScriptsStandThereOnce) {
    const ShowTable table{.columns = parse_columns("IMAGE,IDX"), .lines = Table::Lines::raw};
    EXPECT_EQ(printed([&](Out& out) {
                  ShowReport report(out, {false, kWide}, table);
                  report.snapshot(of_linux_cr(), {});
                  report.snapshot(of_live(), {});
                  report.end();
              }),
              "IMAGE IDX\nj.img 1\nj.img 0\nprocess\\x207 0\n");
}

TEST(ShowText, InTheOrderOfAColumn) {
    const auto order_by = [](std::string_view column) {
        Snapshot snapshot = of_linux_cr();
        add(snapshot, LockKind::lease, breaking(Remaining::no_deadline()));
        add(snapshot, LockKind::lease, breaking(1s));
        add(snapshot, LockKind::lease, breaking(Remaining::not_known()));
        return shown(snapshot, false,
                     {.columns = parse_columns("IDX"),
                      .sorted_by = &find_column(column),
                      .lines = Table::Lines::raw,
                      .headings = false});
    };
    EXPECT_EQ(order_by("idx"), "0\n1\n3\n4\n5\n");
    EXPECT_EQ(order_by("REMAINING"), "4\n1\n3\n5\n0\n");
    EXPECT_EQ(order_by("STATE"), "1\n3\n4\n5\n0\n");
}

TEST(ShowJson, OfAnImage) {
    Snapshot snapshot = of_linux_cr();
    snapshot.owners = {{1, {.kind = LeaseOwner::Kind::thread, .id = 8, .uid = 5, .signal = 10}}};
    snapshot.damage = Problem{.message = "cut off"};
    const json image = json_of(snapshot, true);
    const json expected = json::parse(R"({
        "subject": "j.img", "path": "j.img", "format": "linux-cr", "byte_order": "big", "arch": "s390x", "revision": 6,
        "kernel": {"version": "2.6.35", "release": "2.6.35-ckpt", "build": "#1 SMP",
                   "machine": "s390x"},
        "checkpoint_time": 1285123224, "complete": true, "layout": "lease-1",
        "leases": [
            {"index": 0, "offset": 1000, "fd": 3, "path": "/srv/0",
             "tasks": [{"pid": 7, "comm": "holder"}], "state": "held", "type": "F_RDLCK",
             "previous_type": null, "break_notified": false, "remaining_seconds": null,
             "no_deadline": false, "remaining_reason": "held"},
            {"index": 1, "offset": 1040, "fd": 3, "path": "/srv/1",
             "tasks": [{"pid": 7, "comm": "holder"}], "state": "breaking", "type": "F_UNLCK",
             "previous_type": "F_WRLCK", "break_notified": true, "remaining_seconds": 5.25,
             "no_deadline": false, "remaining_reason": null,
             "owner": {"kind": "thread", "id": 8, "uid": 5, "euid": 0, "signal": 10}}],
        "locks": [
            {"index": 2, "offset": 1080, "fd": 3, "path": "/srv/2",
             "tasks": [{"pid": 7, "comm": "holder"}], "kind": "posix", "type": "F_WRLCK",
             "start": 100, "end": 107}],
        "error": "cut off",
        "errors": [{"subject": "j.img", "code": "damaged", "message": "cut off", "file": null,
                    "offset": null, "record": null, "hint": null}]})");
    EXPECT_EQ(image, expected);
}

TEST(ShowJson, MembersStandInTheirOrder) {
    const std::string text = shown(of_live(), true, {});
    std::size_t at = 0;
    for (const char* const member :
         {"path",        "format",        "byte_order",      "arch",
          "revision",    "kernel",        "version",         "release",
          "build",       "machine",       "checkpoint_time", "complete",
          "layout",      "leases",        "index",           "offset",
          "fd",          "path",          "tasks",           "state",
          "type",        "previous_type", "break_notified",  "remaining_seconds",
          "no_deadline", "breakers"}) {
        at = text.find('"' + std::string(member) + "\":", at);
        ASSERT_NE(at, std::string::npos) << member;
    }
}

TEST(ShowJson, WhatAFormatDoesNotHaveIsNull) {
    const json image = json_of(of_criu());
    EXPECT_EQ(image.at("format"), "criu");
    for (const char* const member :
         {"byte_order", "arch", "revision", "kernel", "checkpoint_time", "complete", "layout"}) {
        EXPECT_TRUE(image.at(member).is_null()) << member;
    }
    const json& lease = image.at("leases").at(0);
    EXPECT_TRUE(lease.at("previous_type").is_null()) << "nobody knows";
    EXPECT_EQ(lease.at("not_known"), true);
    EXPECT_FALSE(lease.contains("owner") || lease.contains("breakers"));
}

TEST(ShowJson, WhoWaitsIsKnownOfLiveProcesses) {
    EXPECT_EQ(json_of(of_live()).at("leases").at(0).at("breakers"),
              json::parse(R"([{"pid": 42, "comm": "cat"}])"));
}

// With all that can be known.
Snapshot of_live_with_facts() {
    Snapshot snapshot = of_live();
    snapshot.lease_break_time = 45s;
    snapshot.files = {{.device_major = 254, .device_minor = 1, .inode = 99, .mount_id = 31}};
    snapshot.cgroups = {{7, "/a\x1b"}, {8, "/b"}};
    snapshot.breakers = {{{{42, "cat"}, 3s}, {{43, "tac"}, 1h}, {{0, ""}, std::nullopt}}};
    return snapshot;
}

TEST(ShowText, OfAllThatIsKnownOfLiveProcesses) {
    const ShowTable table{.columns = parse_columns("SINCE,WAITING,DEVICE,INODE,MNT,CGROUP"),
                          .lines = Table::Lines::pairs};
    EXPECT_EQ(shown(of_live_with_facts(), false, table),
              "SINCE=\"39.75s\" WAITING=\"42 cat 3s at most, 43 tac 39.75s at most, 0  39.75s at "
              "most\" DEVICE=\"254:1\" INODE=\"99\" MNT=\"31\" CGROUP=\"/a\\x1b\"\n");
    EXPECT_EQ(shown(of_live(), false, table),
              "SINCE=\"-\" WAITING=\"42 cat\" DEVICE=\"-\" INODE=\"-\" MNT=\"-\" CGROUP=\"-\"\n");
}

TEST(ShowText, ABreakIsUnderWayForWhatIsNotLeft) {
    const auto since = [](const LeaseState& state, std::optional<Nanoseconds> whole) {
        Snapshot snapshot;
        snapshot.origin = of_live().origin;
        snapshot.lease_break_time = whole;
        add(snapshot, LockKind::lease, state);
        return shown(
            snapshot, false,
            {.columns = parse_columns("SINCE"), .lines = Table::Lines::raw, .headings = false});
    };
    EXPECT_EQ(since(breaking(44s), 45s), "1s\n");
    EXPECT_EQ(since(breaking(45s), 45s), "0s\n");
    EXPECT_EQ(since(breaking(46s), 45s), "-\n") << "it was changed meanwhile";
    EXPECT_EQ(since(breaking(0s), 45s), "-\n") << "it is over since nobody knows when";
    EXPECT_EQ(since(breaking(44s), std::nullopt), "-\n");
    EXPECT_EQ(since(breaking(Remaining::not_known()), 45s), "-\n");
    EXPECT_EQ(since(breaking(Remaining::no_deadline()), 45s), "-\n");
    EXPECT_EQ(since(held(LockType::rdlck), 45s), "-\n");
}

TEST(ShowJson, OfAllThatIsKnownOfLiveProcesses) {
    const json lease = json_of(of_live_with_facts()).at("leases").at(0);
    EXPECT_EQ(lease.at("since_seconds"), 39.75);
    EXPECT_EQ(lease.at("breakers"),
              json::parse(R"([{"pid": 42, "comm": "cat", "waiting_at_most_seconds": 3},
                              {"pid": 43, "comm": "tac", "waiting_at_most_seconds": 39.75},
                              {"pid": 0, "comm": "", "waiting_at_most_seconds": 39.75}])"));
    EXPECT_EQ(lease.at("device"), "254:1");
    EXPECT_EQ(lease.at("inode"), 99);
    EXPECT_EQ(lease.at("mount_id"), 31);
    EXPECT_EQ(lease.at("cgroups"), json::parse(R"([{"pid": 7, "path": "/a\u001b"}])"));
}

TEST(ShowJson, WhatIsNotKnownOfLiveProcessesIsNull) {
    const json lease = json_of(of_live()).at("leases").at(0);
    for (const char* const member : {"since_seconds", "device", "inode", "mount_id"}) {
        EXPECT_TRUE(lease.at(member).is_null()) << member;
    }
    EXPECT_EQ(lease.at("cgroups"), json::array());
    for (const char* const member : {"since_seconds", "device", "inode", "mount_id", "cgroups"}) {
        EXPECT_FALSE(json_of(of_linux_cr()).at("leases").at(1).contains(member)) << member;
    }
}

TEST(ShowColumns, EveryOneIsDescribed) {
    const std::string text = describe_columns();
    ShowTable all{.all = true, .columns = ColumnChoice{text_columns()}};
    const std::string table = shown(of_linux_cr(), false, all);
    std::size_t lines = 0;
    for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1, ++lines) {
        const std::string heading = text.substr(at + 2, text.find(' ', at + 2) - at - 2);
        EXPECT_NE(table.find(heading), std::string::npos) << heading;
        EXPECT_NE(text[at + 13], '\n') << heading << " has no words";
    }
    EXPECT_EQ(lines, 22U);
}

}  // namespace
}  // namespace ckpt_lease::render
