// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>

#include "io/folder.hpp"

namespace ckpt_lease {

/// The file that a name stands for, for those who care for files and not for leases: what it names,
/// or the ckpt-lease.img of the checkpoint in that folder. Nothing if no leases were captured with
/// that checkpoint. Throws Error(io), and as Subject does if there is neither in that folder.
[[nodiscard]] std::optional<io::Place> find_image(io::System& system, const std::string& name);

}  // namespace ckpt_lease
