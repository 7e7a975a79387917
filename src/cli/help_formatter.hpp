// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace ckpt_lease::cli {

/// Help that fits into 80 columns: descriptions are wrapped in a column of their own. All of it is
/// put together here, as each version of CLI11 has a layout of its own.
class HelpFormatter final : public CLI::Formatter {
 public:
    std::string make_help(const CLI::App* app, std::string name,
                          CLI::AppFormatMode mode) const override;
};

}  // namespace ckpt_lease::cli
