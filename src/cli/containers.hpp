// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "cli/live_options.hpp"

namespace ckpt_lease::cli {

/// The processes that a container's name stands for: its first process, which podman or docker
/// tells, and its descendants; or all in the control group of this path, where it begins with a
/// slash, and no others. Throws Error(io) if there is no such container, or if it does not run.
[[nodiscard]] LiveChoice find_container(const std::string& name);

}  // namespace ckpt_lease::cli
