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

/// Whether the files have criu start the hook. `has_plugin`: it is started without.
[[nodiscard]] std::vector<render::Check> check_scripts(const std::vector<ConfigFile>& files,
                                                       bool has_plugin);

/// Who starts criu on this machine.
struct Starters {
    std::vector<std::string> names;  ///< "criu", if as a program; engines with files of their own
    bool crun_reads_files = false;   ///< else criu, started by crun, reads no file of an engine
};
/// `engines`: those that are installed.
[[nodiscard]] Starters starters_of(const std::vector<std::string>& engines, bool crun_reads_files);

/// What the files say of `file-validation` and of `file-locks`, to each of `starters`.
[[nodiscard]] render::Check check_validation(const std::vector<ConfigFile>& files,
                                             const Starters& starters);
[[nodiscard]] render::Check check_file_locks(const std::vector<ConfigFile>& files,
                                             const Starters& starters);

}  // namespace ckpt_lease::cli
