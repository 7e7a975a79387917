// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace ckpt_lease::cli {

/// The processes that a container's name stands for: its first process, which podman or docker
/// tells; or all in the control group of this path, where it begins with a slash. None of them may
/// stand for all: their descendants belong to the container as well. Throws Error(io) if there is
/// no such container, or if it does not run.
[[nodiscard]] std::vector<pid_t> find_container(const std::string& name);

}  // namespace ckpt_lease::cli
