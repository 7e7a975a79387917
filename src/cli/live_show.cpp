// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/live_show.hpp"

#include "ckpt-lease/live/breakers.hpp"
#include "ckpt-lease/live/capture.hpp"
#include "cli/live_options.hpp"

namespace ckpt_lease::cli {
namespace {

const std::string kNoLayout = "none";

}  // namespace

std::string name_of_processes(const std::vector<std::int32_t>& pids) {
    std::string name = "process";
    for (std::size_t i = 0; i < pids.size(); ++i) {
        name += (i == 0 ? " " : ", ") + std::to_string(pids[i]);
    }
    return name;
}

LiveLeases::LiveLeases(const std::vector<std::int32_t>& pids, bool tree)
    : name_(name_of_processes(pids)) {
    std::vector<live::Process> processes = read_processes(pids, tree);
    for (live::Process& process : processes) {
        // Not those of a container: who looks can do nothing with them.
        process.pids = {process.pid};
    }
    live::Captured captured = live::capture(processes, {});
    breakers_.resize(captured.shown_inodes.size());
    for (const live::Breaker& breaker : live::find_breakers()) {
        for (std::size_t i = 0; i < captured.shown_inodes.size(); ++i) {
            if (captured.shown_inodes[i] == breaker.inode) {
                breakers_[i].push_back({breaker.pid, breaker.comm});
            }
        }
    }
    image_.facts = captured.image.facts;
    image_.facts.has_header = true;
    image_.facts.complete = true;
    image_.locks = std::move(captured.image.locks);
    for (std::size_t i = 0; i < captured.image.owners.size(); ++i) {
        image_.owners.emplace(i, captured.image.owners[i]);
    }
    unknown_ = std::move(captured.unknown);
}

void show_failed_live(ShowOutput& output, const std::vector<std::int32_t>& pids,
                      const Problem& problem) {
    linux_cr::Image image;
    image.damage = problem;
    const std::string name = name_of_processes(pids);
    const std::vector<std::vector<Task>> nobody;
    const Filter all;
    ShownImage shown{name, kNoLayout, image, all};
    shown.breakers = &nobody;
    output.image(shown);
}

bool LiveLeases::show(ShowOutput& output, const Filter& filter) const {
    ShownImage shown{name_, kNoLayout, image_, filter};
    shown.breakers = &breakers_;
    return output.image(shown);
}

}  // namespace ckpt_lease::cli
