// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace ckpt_lease::cli {

/// Help that fits into 80 columns: descriptions are wrapped in a column of their own.
class HelpFormatter final : public CLI::Formatter {
 public:
    std::string make_help(const CLI::App* app, std::string name,
                          CLI::AppFormatMode mode) const override;
    std::string make_option(const CLI::Option* option, bool is_positional) const override;
    std::string make_subcommand(const CLI::App* subcommand) const override;
    std::string make_option_opts(const CLI::Option* option) const override;
};

}  // namespace ckpt_lease::cli
