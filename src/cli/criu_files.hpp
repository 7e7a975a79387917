// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "cli/command.hpp"
#include "hook/criu_config.hpp"

namespace ckpt_lease::cli {

/// A configuration file of CRIU's, as it was found.
struct ConfigFile {
    std::string path;
    /// Who starts a criu that reads it: "runc", "crun", or "criu" if it is started as a program;
    /// empty: all.
    std::string engine;
    bool is_there = false;
    std::vector<hook::ConfigLine> lines;
    std::string fault;  ///< why it cannot be read; empty: it can, or is not there
};

/// All that a criu on this machine reads, in its order: in `folder`, in the user's home, and what
/// $CRIU_CONFIG_FILE names (criu(8), CONFIGURATION FILES).
[[nodiscard]] std::vector<ConfigFile> read_config_files(const Context& context,
                                                        const std::string& folder);

/// What a criu reads that a starter has started. It reads files one after the other, as if they
/// were one.
struct View {
    std::string starter;                   ///< "criu", if as a program; "runc"; "crun"
    std::vector<const ConfigFile*> files;  ///< of those that views_of() was given
    bool is_crun_without_files = false;    ///< as crun is too old, no file of an engine is read
};

/// A view for criu as a program, and for each of runc and crun that is in `engines`, those that are
/// installed, or has a file; or for one of them only: `only` is one of kEngines, or empty.
[[nodiscard]] std::vector<View> views_of(const std::vector<ConfigFile>& files,
                                         const std::vector<std::string>& engines,
                                         const std::string& only, bool crun_reads_files);

/// The files that are in any of the views, in criu's order.
[[nodiscard]] std::vector<const ConfigFile*> files_of(const std::vector<ConfigFile>& files,
                                                      const std::vector<View>& views);

/// The line of an option: of several, the last counts, and "no-" before an option takes it back.
struct FoundLine {
    const ConfigFile* file = nullptr;  ///< null: none of the files has a line
    const hook::ConfigLine* line = nullptr;
    bool takes_back = false;
};
[[nodiscard]] FoundLine find_line(const View& view, const std::string& option);

/// Where criu looks for plugins: in `folder`, or where a file says that it is to.
[[nodiscard]] std::string plugin_folder_of(const std::vector<ConfigFile>& files,
                                           const std::string& folder);

/// Is there a program of this name in a folder of PATH? It is not asked: whether it answers is
/// another matter.
[[nodiscard]] bool is_in_path(const std::string& program);

}  // namespace ckpt_lease::cli
