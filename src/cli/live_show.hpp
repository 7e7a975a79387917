// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/lease/snapshot.hpp"
#include "cli/live_options.hpp"

namespace ckpt_lease::cli {

/// "process 4711, 4712"
[[nodiscard]] std::string name_of_processes(const std::vector<std::int32_t>& pids);

/// The leases of live processes, and who waits for them, as 'show' shows those of an image.
struct LiveLeases {
    Snapshot snapshot;
    std::vector<Problem> unknown;  ///< what could not be found out
};

/// Throws Error(io) if a process is not there or may not be looked at.
[[nodiscard]] LiveLeases read_live(const LiveChoice& choice);

/// Looks once more at the processes of `last`, those that have ended left out, and at all that
/// belong to `choice` by now.
[[nodiscard]] LiveLeases read_again(const Snapshot& last, const LiveChoice& choice);

}  // namespace ckpt_lease::cli
