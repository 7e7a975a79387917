// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <stdexcept>

#include "ckpt-lease/io/file.hpp"
#include "cli/environment.hpp"

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

}  // namespace
}  // namespace ckpt_lease::cli
