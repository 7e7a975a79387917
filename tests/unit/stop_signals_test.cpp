// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <stdexcept>

#include "cli/environment.hpp"
#include "io/file.hpp"

namespace ckpt_lease::cli {
namespace {

// Once a `policy -` that was stopped in this very moment went on waiting for its pipe.
TEST(StopSignals, EndAWaitThatBeginsRightAfterTheSignal) {
    const Environment environment = process_environment();
    std::array<int, 2> ends{};
    ASSERT_EQ(pipe(ends.data()), 0);
    io::File in = io::File::adopt(io::posix_system(), "pipe", ends[0]);
    const io::File open_end = io::File::adopt(io::posix_system(), "pipe", ends[1]);
    const StopSignals stop_signals;
    std::raise(SIGTERM);

    std::array<std::byte, 1> byte{};
    EXPECT_THROW(static_cast<void>(in.read_some(byte,
                                                [&] {
                                                    if (environment.stop_signal() == SIGTERM) {
                                                        throw std::runtime_error("stopped");
                                                    }
                                                })),
                 std::runtime_error);
}

// timeout(1) signals its child, and then its group: once that left a temporary file behind.
TEST(StopSignals, TwoAtOnceAreOne) {
    const auto signal_twice = [] {
        const StopSignals stop_signals;
        std::raise(SIGTERM);
        std::raise(SIGTERM);
        std::exit(7);
    };
    EXPECT_EXIT(signal_twice(), testing::ExitedWithCode(7), "");
}

TEST(StopSignals, ALaterOneEndsTheProgram) {
    const auto signal_again = [] {
        const StopSignals stop_signals;
        std::raise(SIGTERM);
        pause();  // for SIGALRM
        std::raise(SIGINT);
        std::exit(7);
    };
    EXPECT_EXIT(signal_again(), testing::KilledBySignal(SIGINT), "");
}

}  // namespace
}  // namespace ckpt_lease::cli
