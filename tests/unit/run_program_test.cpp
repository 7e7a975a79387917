// SPDX-License-Identifier: GPL-2.0-or-later
// Programs that are asked something: what they print, and how they end.
#include "cli/run_program.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ckpt_lease::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using State = Answer::State;

Answer run_script(const std::string& script, milliseconds deadline = kPatience) {
    return run_program({"sh", "-c", script}, deadline);
}

TEST(RunProgram, ItsOutputAndItsErrorsAreToldApart) {
    const Answer answer = run_script("echo out; echo wrong >&2");
    EXPECT_EQ(answer.state, State::done);
    EXPECT_EQ(answer.out, "out\n");
    EXPECT_EQ(answer.errors, "wrong\n");
}

TEST(RunProgram, AnotherStatusIsAFailure) {
    EXPECT_EQ(run_script("exit 3").state, State::failed);
    EXPECT_EQ(run_script("kill -9 $$").state, State::failed);
}

// Under qemu-user the parent does not learn of it: the process ends with 127 instead.
bool is_told_of_a_failed_start() {
    std::string name = "no-such-program-of-anybody";
    char* const arguments[] = {name.data(), nullptr};
    pid_t pid = 0;
    if (posix_spawnp(&pid, name.c_str(), nullptr, nullptr, arguments, environ) != 0) {
        return true;
    }
    waitpid(pid, nullptr, 0);
    return false;
}

TEST(RunProgram, OneThatIsNotThereIsNone) {
    if (!is_told_of_a_failed_start()) {
        GTEST_SKIP() << "NOT TESTED: this machine does not tell that a program cannot be started";
    }
    EXPECT_EQ(run_program({"no-such-program-of-anybody"}).state, State::not_there);
    const Answer folder = run_program({"/"});
    EXPECT_EQ(folder.state, State::failed);
    EXPECT_EQ(folder.errors, "Permission denied");
}

TEST(RunProgram, ItIsNotWaitedForLongerThanItsTime) {
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(run_script("echo early; sleep 1000", milliseconds(200)).state, State::no_end);
    EXPECT_EQ(run_script("trap '' TERM; exec >&- 2>&-; sleep 1000", milliseconds(200)).state,
              State::no_end);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(100));
}

// More than a pipe holds, and more than is kept.
TEST(RunProgram, AFloodIsReadToItsEnd) {
    const Answer answer =
        run_script("head -c 1000000 /dev/zero >&2; head -c 1000000 /dev/zero; echo end");
    EXPECT_EQ(answer.state, State::done);
    EXPECT_EQ(answer.out.size(), 65536U);
    EXPECT_EQ(answer.errors.size(), 65536U);
}

TEST(RunProgram, WhatItHasStartedMayGoOn) {
    const Answer answer = run_script("sleep 5 & echo started");
    EXPECT_EQ(answer.state, State::done);
    EXPECT_EQ(answer.out, "started\n");
}

// The kernel keeps no status then: a failure must not pass for a success.
TEST(RunProgram, WhereNobodyKnowsItsStatusItHasFailed) {
    const auto before = signal(SIGCHLD, SIG_IGN);
    EXPECT_EQ(run_script("exit 3").state, State::failed);
    signal(SIGCHLD, before);
}

}  // namespace
}  // namespace ckpt_lease::cli
