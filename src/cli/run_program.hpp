// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace ckpt_lease::cli {

/// What became of a program that was started.
struct Answer {
    enum class State { done, not_there, failed, no_end };
    State state = State::not_there;
    std::string out;     ///< what it printed on standard output, at most 64 KiB of it
    std::string errors;  ///< and on standard error
};

/// Starts the program `words`, its name and its arguments, and waits for its end. If it does not
/// end in `deadline`, it is killed.
[[nodiscard]] Answer run_program(const std::vector<std::string>& words,
                                 std::chrono::milliseconds deadline = std::chrono::seconds(5));

/// What a program prints on standard output, at most 64 KiB of it; nothing if there is no such
/// program in PATH, if it fails, or if it does not end in `deadline`: then it is killed. `words`:
/// its name and its arguments.
[[nodiscard]] std::optional<std::string> output_of(
    const std::vector<std::string>& words,
    std::chrono::milliseconds deadline = std::chrono::seconds(5));

}  // namespace ckpt_lease::cli
