// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "cli/criu_files.hpp"
#include "render/hook_check.hpp"

namespace ckpt_lease::cli {

/// Which files there are, and those that cannot be read or that criu refuses. `folder`: where most
/// of them are.
[[nodiscard]] std::vector<render::Check> check_configuration(
    const std::vector<const ConfigFile*>& files, const std::string& folder);

/// Whether the files have criu start the hook, and whether it can start what they name.
/// `has_plugin`: the hook is started without.
[[nodiscard]] std::vector<render::Check> check_scripts(const std::vector<const ConfigFile*>& files,
                                                       const std::vector<View>& views,
                                                       bool has_plugin);

/// What they say of `file-validation` and of `file-locks`, in each view.
[[nodiscard]] render::Check check_validation(const std::vector<View>& views);
[[nodiscard]] render::Check check_file_locks(const std::vector<View>& views);

}  // namespace ckpt_lease::cli
