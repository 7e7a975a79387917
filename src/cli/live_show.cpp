// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/live_show.hpp"

#include <utility>

#include "cli/live_options.hpp"
#include "live/breakers.hpp"
#include "live/capture.hpp"

namespace ckpt_lease::cli {

std::string name_of_processes(const std::vector<std::int32_t>& pids) {
    std::string name = "process";
    for (std::size_t i = 0; i < pids.size(); ++i) {
        name += (i == 0 ? " " : ", ") + std::to_string(pids[i]);
    }
    return name;
}

LiveLeases read_live(const std::vector<std::int32_t>& pids, bool tree) {
    std::vector<live::Process> processes = read_processes(pids, tree);
    for (live::Process& process : processes) {
        // Not those of a container: who looks can do nothing with them.
        process.pids = {process.pid};
    }
    live::Captured captured = live::capture(processes, {});
    Snapshot snapshot;
    linux_cr::ImageFacts& facts = captured.image.facts;
    snapshot.origin = {.name = name_of_processes(pids),
                       .format = Format::live,
                       .kernel = Kernel{.release = std::move(facts.uts_release),
                                        .build = std::move(facts.uts_version),
                                        .machine = std::move(facts.uts_machine)},
                       .taken = facts.time};
    snapshot.locks = std::move(captured.image.locks);
    for (std::size_t i = 0; i < captured.image.owners.size(); ++i) {
        snapshot.owners.emplace(i, captured.image.owners[i]);
    }
    snapshot.breakers.resize(captured.shown_inodes.size());
    for (const live::Breaker& breaker : live::find_breakers()) {
        for (std::size_t i = 0; i < captured.shown_inodes.size(); ++i) {
            if (captured.shown_inodes[i] == breaker.inode) {
                snapshot.breakers[i].push_back({breaker.pid, breaker.comm});
            }
        }
    }
    return {std::move(snapshot), std::move(captured.unknown)};
}

}  // namespace ckpt_lease::cli
