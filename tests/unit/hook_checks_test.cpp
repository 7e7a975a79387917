// SPDX-License-Identifier: GPL-2.0-or-later
// What 'criu-hook --check' reads.
#include "cli/hook_checks.hpp"

#include <gtest/gtest.h>

namespace ckpt_lease::cli {
namespace {

TEST(HookChecks, CriuSaysItsVersion) {
    EXPECT_EQ(parse_version("Version: 3.17.1\n", "Version: "), 31701U);
    EXPECT_EQ(parse_version("Version: 4.2\nGitID: v4.2\n", "Version: "), 40200U);
    EXPECT_EQ(parse_version("Version: 3.19-dirty", "Version: "), 31900U);
    EXPECT_EQ(parse_version("Version: 4", "Version: "), 40000U);
    EXPECT_EQ(parse_version("crun version 1.26\ncommit: 1", "crun version "), 12600U);
}

TEST(HookChecks, WhatIsNoVersionIsNone) {
    EXPECT_EQ(parse_version("", "Version: "), std::nullopt);
    EXPECT_EQ(parse_version("criu 4.2", "Version: "), std::nullopt);
    EXPECT_EQ(parse_version("Version: ", "Version: "), std::nullopt);
    EXPECT_EQ(parse_version("Version: soon", "Version: "), std::nullopt);
    EXPECT_EQ(parse_version("Version: 4.99999", "Version: "), std::nullopt);
}

TEST(HookChecks, CapabilitiesStandInTheStatus) {
    EXPECT_EQ(missing_capabilities("Name:\tx\nCapEff:\t000001ffffffffff\n", false),
              std::vector<std::string>{});
    EXPECT_EQ(missing_capabilities("CapEff:\t0000000010280000\n", false),
              std::vector<std::string>{"CAP_SETUID"});
    const std::vector<std::string> all{"CAP_SETUID", "CAP_SYS_PTRACE", "CAP_LEASE",
                                       "CAP_SYS_ADMIN"};
    EXPECT_EQ(missing_capabilities("CapEff:\t0000000000000000\n", false), all);
    EXPECT_EQ(missing_capabilities("", false), all);
}

TEST(HookChecks, WithThePatchItNeedNotBeSysAdmin) {
    EXPECT_EQ(missing_capabilities("CapEff:\t0000010010080080\n", true),
              std::vector<std::string>{});
    EXPECT_EQ(missing_capabilities("CapEff:\t0000000010280080\n", true),
              std::vector<std::string>{});
    EXPECT_EQ(missing_capabilities("CapEff:\t0000000010080080\n", true),
              std::vector<std::string>{"CAP_CHECKPOINT_RESTORE"});
    EXPECT_EQ(missing_capabilities("CapEff:\t0000010010080080\n", false),
              std::vector<std::string>{"CAP_SYS_ADMIN"});
}

}  // namespace
}  // namespace ckpt_lease::cli
