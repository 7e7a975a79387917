// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace ckpt_lease::completions {

/// All that shells need to know of an option, or of an argument.
struct Choice {
    std::vector<std::string> names;     ///< "--output", "-o"; of an argument: none
    std::vector<std::string> excluded;  ///< the names of options that cannot be given with it
    std::string description;
    std::string type;  ///< what help calls its value; of an argument: its name
    bool takes_value = false;
    bool needs_value = false;
    bool may_repeat = false;
    std::vector<std::string> offered;  ///< as offer() has it, but with the names of layouts
};

struct CommandChoices {
    std::string name;
    std::string description;
    std::vector<Choice> options;
    std::vector<Choice> arguments;
};

[[nodiscard]] std::vector<CommandChoices> choices_of(CLI::App& program);

/// All names of options; `with_value`: only of those that take one.
[[nodiscard]] std::vector<std::string> names_of(const CommandChoices& command, bool with_value);

/// A text for a single-quoted string of bash or zsh, with the quotes.
[[nodiscard]] std::string quoted(std::string text);
/// What is offered, as arguments for the function that offers it: patterns are quoted.
[[nodiscard]] std::string as_arguments(const std::vector<std::string>& offered);

[[nodiscard]] std::string bash(const std::vector<CommandChoices>& commands);
[[nodiscard]] std::string zsh(const std::vector<CommandChoices>& commands);
[[nodiscard]] std::string fish(const std::vector<CommandChoices>& commands);

}  // namespace ckpt_lease::completions
