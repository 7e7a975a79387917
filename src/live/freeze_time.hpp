// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "live/steady_time.hpp"

namespace ckpt_lease::live {

/// An empty file that ckpt-lease-criu-hook makes beside CRIU's images when CRIU locks the network
/// of the tasks. It does so right after they are stopped, and it may take longer than all else
/// before the first image.
inline constexpr std::string_view kFreezeMark = "ckpt-lease.frozen";

/// When CRIU, the process `criu`, stopped the tasks whose images it has written to `folder`: the
/// mark, or the first of its images, is made right after, and CRIU stops nobody before it was
/// started itself. Nothing if none of them was made since. As exact as the times of files are,
/// which is a tick.
[[nodiscard]] std::optional<SteadyTime> frozen_at(const std::string& folder, pid_t criu);

}  // namespace ckpt_lease::live
