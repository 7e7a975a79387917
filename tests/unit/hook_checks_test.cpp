// SPDX-License-Identifier: GPL-2.0-or-later
// What 'criu-hook --check' reads.
#include "cli/hook_checks.hpp"

#include <gtest/gtest.h>

namespace ckpt_lease::cli {
namespace {

TEST(HookChecks, CriuSaysItsVersion) {
    EXPECT_EQ(parse_criu_version("Version: 3.17.1\n"), 31701U);
    EXPECT_EQ(parse_criu_version("Version: 4.2\nGitID: v4.2\n"), 40200U);
    EXPECT_EQ(parse_criu_version("Version: 3.19-dirty"), 31900U);
    EXPECT_EQ(parse_criu_version("Version: 4"), 40000U);
}

TEST(HookChecks, WhatIsNoVersionIsNone) {
    EXPECT_EQ(parse_criu_version(""), std::nullopt);
    EXPECT_EQ(parse_criu_version("criu 4.2"), std::nullopt);
    EXPECT_EQ(parse_criu_version("Version: "), std::nullopt);
    EXPECT_EQ(parse_criu_version("Version: soon"), std::nullopt);
    EXPECT_EQ(parse_criu_version("Version: 4.99999"), std::nullopt);
}

TEST(HookChecks, CapabilitiesStandInTheStatus) {
    EXPECT_EQ(missing_capabilities("Name:\tx\nCapEff:\t000001ffffffffff\n"),
              std::vector<std::string>{});
    EXPECT_EQ(missing_capabilities("CapEff:\t0000000010280000\n"),
              std::vector<std::string>{"CAP_SETUID"});
    const std::vector<std::string> all{"CAP_SETUID", "CAP_SYS_PTRACE", "CAP_SYS_ADMIN",
                                       "CAP_LEASE"};
    EXPECT_EQ(missing_capabilities("CapEff:\t0000000000000000\n"), all);
    EXPECT_EQ(missing_capabilities(""), all);
}

}  // namespace
}  // namespace ckpt_lease::cli
