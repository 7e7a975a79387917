// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "live/processes.hpp"

namespace ckpt_lease::cli {

/// --pid and --tree: live processes.
class ProcessOptions {
 public:
    /// `what`: the meaning of --pid.
    void declare(CLI::App& app, const char* what);
    [[nodiscard]] std::vector<live::Process> read() const;

 private:
    std::vector<std::string> pids_;
    bool tree_ = false;
};

/// The processes, each once, and with `tree` their descendants.
[[nodiscard]] std::vector<live::Process> read_processes(const std::vector<pid_t>& pids, bool tree);

/// Reads the numbers of processes. Throws Error(refused), naming `option`.
[[nodiscard]] std::vector<pid_t> parse_pids(std::string_view option,
                                            const std::vector<std::string>& texts);

}  // namespace ckpt_lease::cli
