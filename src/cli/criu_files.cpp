// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/criu_files.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string_view>

#include "ckpt-lease/base/problem.hpp"
#include "cli/environment.hpp"
#include "cli/hook_setup.hpp"

namespace ckpt_lease::cli {
namespace {

// It may be installed where PATH does not lead.
bool has_file(const std::vector<ConfigFile>& files, std::string_view engine) {
    return std::any_of(files.begin(), files.end(), [&](const ConfigFile& file) {
        return file.engine == engine && (file.is_there || !file.fault.empty());
    });
}

View view_of(const std::vector<ConfigFile>& files, const std::string& starter,
             bool crun_reads_files) {
    const bool is_crun = starter == "crun";
    View view{starter, {}, is_crun && !crun_reads_files};
    // Where there is no crun.conf, crun has criu read runc.conf.
    const std::string reads = is_crun && !has_file(files, "crun") ? "runc" : starter;
    for (const ConfigFile& file : files) {
        if (file.engine.empty() || (file.engine == reads && !view.is_crun_without_files)) {
            view.files.push_back(&file);
        }
    }
    return view;
}

}  // namespace

std::vector<ConfigFile> read_config_files(const Context& context, const std::string& folder) {
    std::vector<ConfigFile> files{{.path = folder + "/default.conf"}};
    if (const std::string home = environment_variable("HOME"); !home.empty()) {
        files.push_back({.path = home + "/.criu/default.conf"});
    }
    if (const std::string named = environment_variable("CRIU_CONFIG_FILE"); !named.empty()) {
        files.push_back({.path = named, .engine = "criu"});
    }
    for (const char* const engine : {"runc", "crun"}) {
        files.push_back({.path = fmt::format("{}/{}.conf", folder, engine), .engine = engine});
    }
    for (ConfigFile& file : files) {
        try {
            if (const auto text = read_config_text(*context.environment.system, file.path)) {
                file.lines = hook::parse_config(*text);
                file.is_there = true;
            }
        } catch (const Error& error) {
            file.fault = context.text_of(error);
        }
    }
    return files;
}

std::vector<View> views_of(const std::vector<ConfigFile>& files,
                           const std::vector<std::string>& engines, const std::string& only,
                           bool crun_reads_files) {
    if (!only.empty()) {
        return {view_of(files, only == kEngines.front() ? "criu" : only, crun_reads_files)};
    }
    std::vector<View> views{view_of(files, "criu", crun_reads_files)};
    for (const char* const engine : {"runc", "crun"}) {
        if (has_file(files, engine) ||
            std::find(engines.begin(), engines.end(), engine) != engines.end()) {
            views.push_back(view_of(files, engine, crun_reads_files));
        }
    }
    return views;
}

std::vector<const ConfigFile*> files_of(const std::vector<ConfigFile>& files,
                                        const std::vector<View>& views) {
    std::vector<const ConfigFile*> found;
    for (const ConfigFile& file : files) {
        if (std::any_of(views.begin(), views.end(), [&](const View& view) {
                return std::find(view.files.begin(), view.files.end(), &file) != view.files.end();
            })) {
            found.push_back(&file);
        }
    }
    return found;
}

FoundLine find_line(const View& view, const std::string& option) {
    FoundLine found;
    for (const ConfigFile* const file : view.files) {
        for (const hook::ConfigLine& line : file->lines) {
            if (line.option == option || line.option == "no-" + option) {
                found = {file, &line, line.option != option};
            }
        }
    }
    return found;
}

std::string plugin_folder_of(const std::vector<ConfigFile>& files, const std::string& folder) {
    View all{"", {}, false};
    for (const ConfigFile& file : files) {
        if (file.engine.empty()) {
            all.files.push_back(&file);
        }
    }
    const FoundLine found = find_line(all, "libdir");
    return found.line == nullptr ? folder : found.line->value;
}

bool is_in_path(const std::string& program) {
    const std::string path = environment_variable("PATH");
    std::string_view rest = path;
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find(':'), rest.size());
        if (access((std::string(rest.substr(0, end)) + "/" + program).c_str(), X_OK) == 0) {
            return true;
        }
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return false;
}

}  // namespace ckpt_lease::cli
