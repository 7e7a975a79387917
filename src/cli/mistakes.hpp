// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ckpt-lease/base/problem.hpp"

namespace ckpt_lease::cli {

/// What is wrong with a command line. CLI11 words it differently in each version: its text stays
/// only where a value was checked, by us, or where nothing else is known.
[[nodiscard]] Problem mistake(const CLI::App& app, const CLI::ParseError& error);

/// There is no command `name`; `known`: those that there are.
[[nodiscard]] Problem no_such_command(std::string_view name, const std::vector<std::string>& known);

/// What is wrong with `words`, the program's name first, if its first argument is an option that
/// the program itself does not have. `command`: the command that follows, null if none does.
[[nodiscard]] std::optional<Problem> option_before_command(const CLI::App& app,
                                                           const CLI::App* command,
                                                           const std::vector<const char*>& words);

}  // namespace ckpt_lease::cli
