// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "support.hpp"

// The tests run in a process of their own, so that the system's settings are put back however it
// ends.
int main(int argc, char** argv) {
    constexpr int kSkipped = 77;
    if (geteuid() != 0) {
        static_cast<void>(std::puts("NOT TESTED, attacks by another user: it needs root"));
        return kSkipped;
    }
    const auto settings = attack::Protections::read();
    const pid_t tests = fork();
    if (tests == 0) {
        ::testing::InitGoogleTest(&argc, argv);
        return RUN_ALL_TESTS();
    }
    for (const int stops : {SIGINT, SIGTERM, SIGHUP}) {
        static_cast<void>(signal(stops, SIG_IGN));
    }
    int status = 0;
    waitpid(tests, &status, 0);
    attack::Protections::write(settings);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
