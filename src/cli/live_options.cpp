// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/live_options.hpp"

#include <algorithm>
#include <iterator>

#include "cli/options.hpp"

namespace ckpt_lease::cli {

void ProcessOptions::declare(CLI::App& app, const char* what) {
    app.add_option("--pid", pids_, what)
        ->type_name("N")
        ->allow_extra_args(false)
        ->required()
        ->check(offer("<pid>"));
    app.add_flag("--tree", tree_, "its descendants too");
}

std::vector<live::Process> ProcessOptions::read() const {
    return read_processes(parse_pids("--pid", pids_), tree_);
}

std::vector<live::Process> read_processes(const std::vector<pid_t>& pids, bool tree) {
    std::vector<live::Process> all;
    for (const pid_t pid : pids) {
        std::vector<live::Process> more = tree ? live::read_tree(pid) : live::read_process(pid);
        std::copy_if(std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()),
                     std::back_inserter(all), [&](const live::Process& process) {
                         return std::none_of(all.begin(), all.end(), [&](const auto& known) {
                             return known.pid == process.pid;
                         });
                     });
    }
    return all;
}

std::vector<pid_t> parse_pids(std::string_view option, const std::vector<std::string>& texts) {
    std::vector<pid_t> pids;
    pids.reserve(texts.size());
    for (const std::string& text : texts) {
        pids.push_back(static_cast<pid_t>(parse_number_option(option, text, INT32_MAX)));
    }
    return pids;
}

}  // namespace ckpt_lease::cli
