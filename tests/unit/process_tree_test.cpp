// SPDX-License-Identifier: GPL-2.0-or-later
#include "render/process_tree.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ckpt_lease::render {
namespace {

ProcessFacts process(std::int32_t pid, std::int32_t parent) {
    return {.task = {pid, {}}, .leader = pid, .parent = parent};
}

// A line for each process, and one for what is below it.
std::string drawn(const std::vector<ProcessFacts>& processes, const std::vector<bool>& wanted,
                  bool utf8 = false) {
    std::string text;
    draw_tree(processes, wanted, utf8, [&](const TreeNode& node) {
        text += node.before + std::to_string(processes[node.process].task.pid) + "\n";
        text += node.below + "*\n";
    });
    return text;
}

std::string drawn(const std::vector<ProcessFacts>& processes, bool utf8 = false) {
    return drawn(processes, std::vector<bool>(processes.size(), true), utf8);
}

TEST(ProcessTree, LinesLeadFromParentsToChildren) {
    const std::vector<ProcessFacts> family{process(1, 0), process(2, 1), process(3, 1),
                                           process(4, 2)};
    EXPECT_EQ(drawn(family),
              "1\n"
              "| *\n"
              "|-2\n"
              "| | *\n"
              "| `-4\n"
              "|     *\n"
              "`-3\n"
              "    *\n");
    EXPECT_EQ(drawn(family, true),
              "1\n"
              "│ *\n"
              "├─2\n"
              "│ │ *\n"
              "│ └─4\n"
              "│     *\n"
              "└─3\n"
              "    *\n");
}

TEST(ProcessTree, WhoHasNoParentHereStandsAtTheLeft) {
    EXPECT_EQ(drawn({process(2, 1), process(3, 1)}), "2\n  *\n3\n  *\n");
}

TEST(ProcessTree, AParentMayComeBehindItsChild) {
    EXPECT_EQ(drawn({process(3, 2), process(2, 1)}), "2\n| *\n`-3\n    *\n");
}

TEST(ProcessTree, AThreadIsBelowItsProcess) {
    ProcessFacts thread = process(3, 1);
    thread.leader = 2;
    EXPECT_EQ(drawn({process(1, 0), process(2, 1), thread}),
              "1\n| *\n`-2\n  | *\n  `-3\n      *\n");
}

TEST(ProcessTree, PidsThatWereUsedAgainMakeNoRing) {
    EXPECT_EQ(drawn({process(1, 2), process(2, 1)}), "2\n| *\n`-1\n    *\n");
    EXPECT_EQ(drawn({process(1, 1)}), "1\n  *\n");
}

TEST(ProcessTree, OnlyThoseThatAreWantedAndThoseAboveThem) {
    EXPECT_EQ(drawn({process(1, 0), process(2, 1), process(3, 1), process(4, 2)},
                    {false, false, false, true}),
              "1\n| *\n`-2\n  | *\n  `-4\n      *\n");
    EXPECT_EQ(drawn({process(1, 0)}, std::vector<bool>{false}), "");
}

}  // namespace
}  // namespace ckpt_lease::render
