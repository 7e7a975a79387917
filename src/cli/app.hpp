// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.hpp"

namespace ckpt_lease::cli {

/// The command line: all options of all commands. Help, man pages' tests and shell completions look
/// at this, and nothing says twice what there is.
class Program {
 public:
    /// `only`: the command that will be looked at: the others then have no options. None: all.
    explicit Program(std::optional<std::string_view> only = {});

    [[nodiscard]] CLI::App& app() noexcept { return app_; }
    [[nodiscard]] bool has_command(std::string_view name) const;
    /// The command that was chosen; null if none was.
    [[nodiscard]] Command* chosen() const;
    /// How much -v and --log-level ask for, as a spdlog level's name.
    [[nodiscard]] std::string log_level() const;
    /// --quiet
    [[nodiscard]] bool is_quiet() const noexcept { return quiet_; }
    /// What --color says of a page that has colours if it is not asked for any.
    [[nodiscard]] bool has_colour(bool by_itself) const {
        return colour_ == "always" || (by_itself && colour_ != "never");
    }

 private:
    struct Entry {
        CLI::App* app;
        std::unique_ptr<Command> command;
    };
    CLI::App app_;
    std::vector<Entry> commands_;
    std::int64_t verbosity_ = 0;
    std::string log_level_;
    std::string colour_;
    bool quiet_ = false;
};

/// Runs the program and returns its exit status.
int run(int argc, const char* const* argv, Environment& environment);

}  // namespace ckpt_lease::cli
