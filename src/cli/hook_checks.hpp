// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.hpp"
#include "cli/hook_setup.hpp"
#include "render/hook_check.hpp"

namespace ckpt_lease::cli {

/// Finds out all on which it depends whether a dump or a restore that is started now keeps leases.
/// Nothing is changed. `setup`: where to look.
[[nodiscard]] std::vector<render::Check> check_hook(const Context& context, const HookSetup& setup);

/// The number that CRIU compares versions by, 40101 of "Version: 4.1.1" if `before` is "Version: ";
/// nothing if it is none.
[[nodiscard]] std::optional<unsigned> parse_version(std::string_view text, std::string_view before);

/// Names of the capabilities that setting leases takes and that `status`, the text of
/// /proc/PID/status, does not have. `is_patched`: on a kernel with the ckpt-lease patch.
[[nodiscard]] std::vector<std::string> missing_capabilities(std::string_view status,
                                                            bool is_patched);

}  // namespace ckpt_lease::cli
