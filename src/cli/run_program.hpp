// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace ckpt_lease::cli {

/// How long a program is waited for that is only asked something.
inline constexpr std::chrono::seconds kPatience{5};

/// What became of a program that was started.
struct Answer {
    enum class State {
        done,       ///< it ended, with status 0
        not_there,  ///< there is no such program in PATH
        failed,     ///< it could not be started (`errors` says why), or ended in another way
        no_end,     ///< it did not end in time, and was killed
    };
    State state = State::failed;
    std::string out;     ///< what it printed on standard output, at most 64 KiB of it
    std::string errors;  ///< and on standard error, as much
};

/// Starts the program `words`, its name and its arguments, in a process group of its own, and waits
/// for its end. If it does not end in `deadline`, the group is killed.
[[nodiscard]] Answer run_program(const std::vector<std::string>& words,
                                 std::chrono::milliseconds deadline = kPatience);

/// What a program prints on standard output, at most 64 KiB of it; nothing if there is no such
/// program in PATH, if it fails, or if it does not end in `deadline`: then it is killed. `words`:
/// its name and its arguments.
[[nodiscard]] std::optional<std::string> output_of(const std::vector<std::string>& words,
                                                   std::chrono::milliseconds deadline = kPatience);

}  // namespace ckpt_lease::cli
