// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "live/processes.hpp"

namespace ckpt_lease::cli {

/// --pid, --container and --tree: live processes.
class ProcessOptions {
 public:
    /// `what`: the meaning of --pid.
    void declare(CLI::App& app, const char* what);
    [[nodiscard]] std::vector<live::Process> read() const;

 private:
    std::vector<std::string> pids_;
    std::string container_;
    bool tree_ = false;
};

/// --container
CLI::Option* declare_container(CLI::App& app, std::string& name);

/// Which live processes a command is about.
struct LiveChoice {
    std::vector<std::int32_t> pids;
    bool tree = false;     ///< and their descendants
    bool may_end = false;  ///< just these, and those that have ended are left out: no `tree`
    bool system = false;   ///< all there are, instead
    std::string name;      ///< for users: "process 4711, 4712", "container web", "system"
};

/// The processes, each once. `reading`: see live::read_process(). Throws Error(io).
[[nodiscard]] std::vector<live::Process> read_processes(
    const LiveChoice& choice, live::Reading reading = live::Reading::descriptors);

/// Reads the numbers of processes. Throws Error(refused), naming `option`.
[[nodiscard]] std::vector<pid_t> parse_pids(std::string_view option,
                                            const std::vector<std::string>& texts);

}  // namespace ckpt_lease::cli
