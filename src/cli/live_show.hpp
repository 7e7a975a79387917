// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/lease/filter.hpp"
#include "ckpt-lease/linux_cr/image.hpp"
#include "render/show_output.hpp"

namespace ckpt_lease::cli {

/// "process 4711, 4712"
[[nodiscard]] std::string name_of_processes(const std::vector<std::int32_t>& pids);

/// What output has of processes that could not be looked at.
void show_failed_live(ShowOutput& output, const std::vector<std::int32_t>& pids,
                      const Problem& problem);

/// The leases of live processes, and who waits for them, as 'show' shows those of an image.
class LiveLeases {
 public:
    /// Throws Error(io) if a process is not there or may not be looked at.
    LiveLeases(const std::vector<std::int32_t>& pids, bool tree);

    bool show(ShowOutput& output, const Filter& filter) const;
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    /// What could not be found out.
    [[nodiscard]] const std::vector<Problem>& unknown() const noexcept { return unknown_; }

 private:
    std::string name_;
    linux_cr::Image image_;
    std::vector<std::vector<Task>> breakers_;
    std::vector<Problem> unknown_;
};

}  // namespace ckpt_lease::cli
