// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "ckpt-lease/live/steady_time.hpp"

namespace ckpt_lease::live {

/// When CRIU, the process `criu`, stopped the tasks whose images it has written to `folder`: it
/// creates the first of these right after, and stops nobody before it was started itself. Nothing
/// if no image there was made by it. As exact as the times of files are, which is a tick.
[[nodiscard]] std::optional<SteadyTime> frozen_at(const std::string& folder, pid_t criu);

}  // namespace ckpt_lease::live
