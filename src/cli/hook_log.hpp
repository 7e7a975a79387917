// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <spdlog/logger.h>

#include <memory>

#include "io/folder.hpp"

namespace ckpt_lease::cli {

/// A log in the file ckpt-lease.log of CRIU's image folder, which may be anybody's: only a regular
/// file of this very name is written to. What cannot be written there goes to standard error, with
/// a word on why.
[[nodiscard]] std::shared_ptr<spdlog::logger> open_hook_log(const io::Folder& folder);

}  // namespace ckpt_lease::cli
