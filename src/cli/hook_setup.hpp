// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <optional>
#include <string>

#include "cli/command.hpp"
#include "io/system.hpp"

namespace ckpt_lease::cli {

/// Where CRIU looks for its configuration files: criu(8).
inline constexpr const char* kCriuFolder = "/etc/criu";
/// Whoever starts criu, it reads default.conf; started by runc or crun, it reads runc.conf or
/// crun.conf as well.
inline constexpr std::array<const char*, 3> kEngines{"default", "runc", "crun"};

struct HookSetup {
    std::string criu_folder = kCriuFolder;
    std::string plugin_folder = "/usr/lib/criu";
    std::string engine;  ///< one of kEngines; empty: the first, and what it takes of the others;
                         ///< all for uninstall_hook()
    bool file_locks = false;
    bool script = false;  ///< have CRIU start the script also where it has the plugin
};

/// The text of a configuration file; nothing if there is none. What is no regular file is refused.
/// Throws Error.
[[nodiscard]] std::optional<std::string> read_config_text(io::System& system,
                                                          const std::string& path);

/// The hook that belongs to this program: it stands beside it. Throws Error(refused) if it is not
/// there, and if somebody else than root could put something else in its place: criu starts it as
/// root.
[[nodiscard]] std::string find_hook();

/// The plugin that has CRIU start the hook.
struct Plugin {
    std::string path;  ///< empty: there is none where CRIU looks for plugins
    std::string hook;  ///< what it starts; empty: it is no plugin of ours
    [[nodiscard]] bool works() const;
};
/// Its name in a folder of CRIU's plugins.
[[nodiscard]] std::string plugin_path(const std::string& folder);
[[nodiscard]] Plugin find_plugin(io::System& system, const HookSetup& setup);

/// Put the hook into CRIU's configuration files, and take it out. Both print what they change, and
/// change no file where nothing is to be changed. Return an exit status; throw Error.
[[nodiscard]] int install_hook(const Context& context, const HookSetup& setup);
[[nodiscard]] int uninstall_hook(const Context& context, const HookSetup& setup);

}  // namespace ckpt_lease::cli
