// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "cli/command.hpp"
#include "hook/criu_config.hpp"
#include "render/hook_check.hpp"

namespace ckpt_lease::cli {

/// A configuration file of CRIU's, as it was found.
struct ConfigFile {
    std::string path;
    std::string engine;  ///< that starts a criu which reads it; empty: all
    bool is_there = false;
    std::vector<hook::ConfigLine> lines;
};

/// What criu reads, in its order. `checks` is told of files that cannot be read, or that criu
/// refuses, and of what there is.
[[nodiscard]] std::vector<ConfigFile> read_config_files(const Context& context,
                                                        const std::string& folder,
                                                        std::vector<render::Check>& checks);

/// Is there a program of this name in a folder of PATH? It is not asked: whether it answers is
/// another matter.
[[nodiscard]] bool is_in_path(const std::string& program);

/// Who starts criu on this machine, each of whom may have a file of its own.
struct Starters {
    std::vector<std::string> names;  ///< "criu", if as a program; "runc"; "crun"
    bool crun_reads_files = false;   ///< else criu, started by crun, reads no file of an engine
};
/// All of them, or the one that is in `only`, one of kEngines. `engines`: those that are installed.
[[nodiscard]] Starters starters_of(const std::vector<ConfigFile>& files,
                                   const std::vector<std::string>& engines, const std::string& only,
                                   bool crun_reads_files);

/// Whether the files have criu start the hook, and whether it can start what they name.
/// `has_plugin`: the hook is started without.
[[nodiscard]] std::vector<render::Check> check_scripts(const std::vector<ConfigFile>& files,
                                                       const Starters& starters, bool has_plugin);

/// What the files say of `file-validation` and of `file-locks`, to each of `starters`.
[[nodiscard]] render::Check check_validation(const std::vector<ConfigFile>& files,
                                             const Starters& starters);
[[nodiscard]] render::Check check_file_locks(const std::vector<ConfigFile>& files,
                                             const Starters& starters);

/// Where criu looks for plugins, if `folder` is where it would without the files.
[[nodiscard]] std::string plugin_folder_of(const std::vector<ConfigFile>& files,
                                           const std::string& folder);

}  // namespace ckpt_lease::cli
