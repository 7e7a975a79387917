// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/live_options.hpp"

#include <set>
#include <utility>

#include "ckpt-lease/base/problem.hpp"
#include "cli/containers.hpp"
#include "cli/options.hpp"

namespace ckpt_lease::cli {

CLI::Option* declare_container(CLI::App& app, std::string& name) {
    return app
        .add_option("--container", name,
                    "the processes of this container of podman or docker, or of the control group "
                    "of this path")
        ->type_name("NAME");
}

void ProcessOptions::declare(CLI::App& app, const char* what) {
    auto* const pid = app.add_option("--pid", pids_, what)
                          ->type_name("N")
                          ->allow_extra_args(false)
                          ->check(offer("<pid>"));
    declare_container(app, container_)->excludes(pid);
    app.add_flag("--tree", tree_, "its descendants too")->excludes("--container");
}

std::vector<live::Process> ProcessOptions::read() const {
    if (!container_.empty()) {
        return read_processes(find_container(container_));
    }
    if (pids_.empty()) {
        refuse("no process is given", "give --pid N, or --container NAME");
    }
    return read_processes({.pids = parse_pids("--pid", pids_), .tree = tree_});
}

std::vector<live::Process> read_processes(const LiveChoice& choice, live::Reading reading) {
    if (choice.may_end) {
        return live::read_group(choice.pids, live::kProc, reading);
    }
    std::vector<live::Process> all;
    std::set<pid_t> known;
    for (const pid_t pid : choice.pids) {
        if (known.count(pid) > 0) {
            continue;  // it stood in the tree of another one
        }
        for (live::Process& process : choice.tree ? live::read_tree(pid, live::kProc, reading)
                                                  : live::read_process(pid, live::kProc, reading)) {
            if (known.insert(process.pid).second) {
                all.push_back(std::move(process));
            }
        }
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
