// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/live_show.hpp"

#include "ckpt-lease/live/breakers.hpp"
#include "ckpt-lease/live/capture.hpp"
#include "cli/live_options.hpp"

namespace ckpt_lease::cli {

LiveLeases::LiveLeases(const std::vector<std::int32_t>& pids, bool tree) : name_("process") {
    for (const std::int32_t pid : pids) {
        name_ += (pid == pids.front() ? " " : ", ") + std::to_string(pid);
    }
    live::Captured captured = live::capture(read_processes(pids, tree), {});
    breakers_.resize(captured.inodes.size());
    for (const live::Breaker& breaker : live::find_breakers()) {
        for (std::size_t i = 0; i < captured.inodes.size(); ++i) {
            if (captured.inodes[i] == breaker.inode) {
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

bool LiveLeases::show(ShowOutput& output, const Filter& filter) const {
    const std::string no_layout = "none";
    ShownImage shown{name_, no_layout, image_, filter};
    shown.breakers = &breakers_;
    return output.image(shown);
}

}  // namespace ckpt_lease::cli
