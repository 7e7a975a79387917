// SPDX-License-Identifier: GPL-2.0-or-later
// What 'show --tree' prints of processes and their leases.
#include <gtest/gtest.h>

#include <string>

#include "lease_support.hpp"
#include "render/show.hpp"
#include "render_support.hpp"
#include "show_support.hpp"

namespace ckpt_lease::render {
namespace {

// Process 7 with a lease, its child 8 without, and their child 9 that shares the lease.
Snapshot of_family() {
    Snapshot snapshot = of_live();
    snapshot.processes = {{.task = {7, "holder"}, .leader = 7, .parent = 1},
                          {.task = {8, "b"}, .leader = 8, .parent = 7},
                          {.task = {9, "c"}, .leader = 9, .parent = 8},
                          {.task = {10, "d"}, .leader = 10, .parent = 7}};
    Ownership& ownership = snapshot.locks.ownership();
    Lock lock = snapshot.locks.at(0);
    lock.index = 1;
    lock.fd = 4;
    lock.table = ownership.add_table();
    ownership.add_task(lock.table, {9, "c"});
    snapshot.locks.add(lock);
    return snapshot;
}

std::string tree_of(const Snapshot& snapshot, const Filter& filter, ShowTable table, Page page) {
    table.tree = true;
    return printed([&](Out& out) {
        ShowReport report(out, {false, page}, table);
        report.snapshot(snapshot, filter);
        report.end();
    });
}

TEST(ShowTree, HasLeasesBelowTheirProcesses) {
    EXPECT_EQ(tree_of(of_family(), {}, {}, kWide),
              "process 7: live, x86_64, Linux 6.12, at 2010-09-22 02:40:24 UTC\n"
              "PROCESS   IDX  STATE     REMAINING  TYPE     BECOMES  SIG  FD  BREAKER  PATH\n"
              "7 holder\n"
              "|           0  breaking      5.25s  F_WRLCK  F_UNLCK  yes   3  42 cat   /srv/0\n"
              "|-8 b\n"
              "| `-9 c\n"
              "|           1  breaking      5.25s  F_WRLCK  F_UNLCK  yes   4  42 cat   /srv/0\n"
              "`-10 d\n");
}

TEST(ShowTree, WithAFilterHasThoseThatMatchAndThoseAboveThem) {
    const ShowTable table{.columns = parse_columns("FD"), .headings = false};
    EXPECT_EQ(tree_of(of_family(), {.fds = {4}}, table, {.width = 200, .utf8 = true}),
              "7 holder\n"
              "└─8 b\n"
              "  └─9 c\n"
              "          4\n");
}

TEST(ShowTree, IsForNoScript) {
    const auto of = [](ShowTable table) {
        table.columns = parse_columns("FD");
        table.headings = false;
        return tree_of(of_family(), {}, table, kWide);
    };
    EXPECT_EQ(of({.lines = Table::Lines::raw}), "3,4\n");
    EXPECT_EQ(of({.sorted_by = &find_column("FD")}), "3,4\n");
}

}  // namespace
}  // namespace ckpt_lease::render
