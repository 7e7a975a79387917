// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace ckpt_lease::cli {

/// What a program prints on standard output, at most 64 KiB of it; nothing if there is no such
/// program in PATH, if it fails, or if it does not end in `deadline`: then it is killed. `words`:
/// its name and its arguments.
[[nodiscard]] std::optional<std::string> output_of(
    const std::vector<std::string>& words,
    std::chrono::milliseconds deadline = std::chrono::seconds(5));

}  // namespace ckpt_lease::cli
