// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <string>

#include "cli/command.hpp"

namespace ckpt_lease::cli {

/// Where CRIU looks for its configuration files: criu(8).
inline constexpr const char* kCriuFolder = "/etc/criu";
/// Whoever starts criu, it reads default.conf; started by runc or crun, it reads runc.conf or
/// crun.conf as well.
inline constexpr std::array<const char*, 3> kEngines{"default", "runc", "crun"};

struct HookSetup {
    std::string criu_folder = kCriuFolder;
    std::string engine;  ///< one of kEngines; empty, for uninstall_hook() only: all
    bool file_locks = false;
};

/// The hook that belongs to this program: it stands beside it. Throws Error(refused) if it is not
/// there, and if somebody else than root could put something else in its place: criu starts it as
/// root.
[[nodiscard]] std::string find_hook();

/// The plugin that has CRIU start the hook, where CRIU looks for plugins: CRIU_LIBS_DIR, or else
/// /usr/lib/criu. Empty: there is none.
[[nodiscard]] std::string find_plugin();

/// Put the hook into CRIU's configuration files, and take it out. Both print what they change, and
/// change no file where nothing is to be changed. Return an exit status; throw Error.
[[nodiscard]] int install_hook(const Context& context, const HookSetup& setup);
[[nodiscard]] int uninstall_hook(const Context& context, const HookSetup& setup);

}  // namespace ckpt_lease::cli
