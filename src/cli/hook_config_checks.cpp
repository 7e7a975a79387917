// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/hook_config_checks.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/joined.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "cli/hook_setup.hpp"

namespace ckpt_lease::cli {
namespace {

using render::Check;
using State = Check::State;

constexpr const char* kInstall = "ckpt-lease criu-hook --install";
constexpr const char* kFromCrun126 =
    "no line (crun.conf and runc.conf count from crun 1.26 with CRIU 4.2 on)";

// Why criu cannot start what a line names; empty: it can.
std::string fault_of(const std::string& program) {
    if (!program.starts_with('/')) {
        return is_in_path(program) ? "" : "it is not in PATH";
    }
    return access(program.c_str(), X_OK) == 0 ? "" : std::generic_category().message(errno);
}

std::string place_of(const ConfigFile& file, const hook::ConfigLine& line) {
    return fmt::format("{}, line {}{}", file.path, line.number,
                       line.value.empty() ? "" : ": " + line.value);
}

// What a criu reads that a starter has started. criu reads files one after the other, as if they
// were one.
struct View {
    std::string starter;
    std::vector<const ConfigFile*> files;
    bool is_crun_without_files = false;
};

View view_of(const std::vector<ConfigFile>& files, const Starters& starters,
             const std::string& starter) {
    // Where there is no crun.conf, crun has criu read runc.conf.
    const bool has_crun = std::any_of(files.begin(), files.end(), [](const ConfigFile& file) {
        return file.engine == "crun" && file.is_there;
    });
    const bool is_crun = starter == "crun";
    View view{starter, {}, is_crun && !starters.crun_reads_files};
    const std::string& reads = is_crun && !has_crun ? "runc" : starter;
    for (const ConfigFile& file : files) {
        if (file.engine.empty() || (file.engine == reads && !view.is_crun_without_files)) {
            view.files.push_back(&file);
        }
    }
    return view;
}

std::vector<View> views_of(const std::vector<ConfigFile>& files, const Starters& starters) {
    std::vector<View> views;
    for (const std::string& starter : starters.names) {
        views.push_back(view_of(files, starters, starter));
    }
    return views;
}

// Of several lines, the last counts, and "no-" before an option takes it back.
struct FoundLine {
    const ConfigFile* file = nullptr;  // null: none of them has a line
    const hook::ConfigLine* line = nullptr;
    bool takes_back = false;
};

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

std::string place_of(const View& view, const FoundLine& found) {
    std::string place = view.is_crun_without_files ? kFromCrun126 : "no line";
    if (found.line != nullptr) {
        place = place_of(*found.file, *found.line);
        if (found.takes_back) {
            place += fmt::format(": {}", found.line->option);
        }
    }
    return fmt::format("{}: {}", view.starter, place);
}

bool starts_hook(const View& view) {
    return std::any_of(view.files.begin(), view.files.end(), [](const ConfigFile* file) {
        return std::any_of(file->lines.begin(), file->lines.end(), hook::starts_hook);
    });
}

// Of one that starts the hook. `is_second`: another one that every criu reads does, too.
Check check_line(const ConfigFile& file, const hook::ConfigLine& line, bool has_plugin,
                 bool is_second) {
    std::string where = place_of(file, line);
    if (is_second) {
        return {"action-script", State::note, where + ": criu starts it twice", kInstall};
    }
    if (!file.engine.empty() && !has_plugin) {
        return {"action-script", State::note,
                where + fmt::format(", which criu reads only if {} starts it", file.engine),
                kInstall};
    }
    return {"action-script", State::ok, std::move(where), ""};
}

}  // namespace

bool is_in_path(const std::string& program) {
    const char* const path = std::getenv("PATH");
    std::string_view rest = path == nullptr ? "" : path;
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find(':'), rest.size());
        if (access((std::string(rest.substr(0, end)) + "/" + program).c_str(), X_OK) == 0) {
            return true;
        }
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return false;
}

Starters starters_of(const std::vector<ConfigFile>& files, const std::vector<std::string>& engines,
                     const std::string& only, bool crun_reads_files) {
    Starters starters{.names = {}, .crun_reads_files = crun_reads_files};
    if (!only.empty()) {
        starters.names = {only == kEngines.front() ? "criu" : only};
        return starters;
    }
    starters.names = {"criu"};
    for (const char* const engine : {"runc", "crun"}) {
        // It may be installed where PATH does not lead.
        const bool has_file = std::any_of(files.begin(), files.end(), [&](const ConfigFile& file) {
            return file.engine == engine && file.is_there;
        });
        if (has_file || std::find(engines.begin(), engines.end(), engine) != engines.end()) {
            starters.names.emplace_back(engine);
        }
    }
    return starters;
}

std::vector<Check> check_scripts(const std::vector<ConfigFile>& files, const Starters& starters,
                                 bool has_plugin) {
    std::vector<Check> checks;
    bool is_started = false;  // by a file that every criu reads
    for (const ConfigFile& file : files) {
        for (const hook::ConfigLine& line : file.lines) {
            if (line.option != "action-script") {
                continue;
            }
            if (const std::string fault = fault_of(line.value); !fault.empty()) {
                checks.push_back({"action-script", State::failed,
                                  fmt::format("{}: every dump and restore fails: {}",
                                              place_of(file, line), fault),
                                  hook::starts_hook(line) ? kInstall : "take the line out"});
            } else if (hook::starts_hook(line)) {
                checks.push_back(check_line(file, line, has_plugin, is_started));
                is_started |= file.engine.empty();
            }
        }
    }
    if (has_plugin) {
        if (checks.empty()) {
            checks.push_back({"action-script", State::ok, "not needed: criu loads the plugin", ""});
        }
        return checks;
    }
    std::vector<std::string> without;
    for (const View& view : views_of(files, starters)) {
        if (!starts_hook(view)) {
            without.push_back(view.starter);
        }
    }
    if (without.size() == starters.names.size()) {
        checks.push_back({"action-script", State::failed,
                          "no configuration file of criu names the hook: leases are kept only "
                          "where criu is started with --action-script",
                          kInstall});
    } else if (!without.empty()) {
        checks.push_back(
            {"action-script", State::failed,
             fmt::format("{}: criu reads no file that names the hook", joined(without, ", ")),
             kInstall});
    }
    return checks;
}

Check check_validation(const std::vector<ConfigFile>& files, const Starters& starters) {
    std::vector<std::string> found;
    std::string advice;
    for (const View& view : views_of(files, starters)) {
        const FoundLine line = find_line(view, "file-validation");
        found.push_back(place_of(view, line));
        if (line.line == nullptr || line.takes_back) {
            advice = advice.empty() ? "ckpt-lease criu-hook --install, or each time criu dump "
                                      "--file-validation filesize"
                                    : advice;
        } else if (line.line->value != "filesize") {
            advice = fmt::format("take out line {} of {}, then ckpt-lease criu-hook --install",
                                 line.line->number, line.file->path);
        }
    }
    if (advice.empty()) {
        return {"file-validation", State::ok, joined(found, "; "), ""};
    }
    return {"file-validation", State::failed,
            joined(found, "; ") +
                "; without 'filesize', a dump opens leased files: it waits until a break is over, "
                "and breaks write leases",
            advice};
}

// What a request of runc or crun says of file locks wins over default.conf, and their own files win
// over the request.
Check check_file_locks(const std::vector<ConfigFile>& files, const Starters& starters) {
    std::vector<std::string> found;
    bool all = true;
    for (const View& view : views_of(files, starters)) {
        FoundLine line = find_line(view, "file-locks");
        if (view.starter != "criu" && line.file != nullptr && line.file->engine.empty()) {
            line = {};
        }
        if (line.takes_back && view.starter != "criu") {
            return {"file-locks", State::failed,
                    place_of(view, line) +
                        ": this wins over --file-locks: criu refuses to dump a task with a lease",
                    fmt::format("take out line {} of {}", line.line->number, line.file->path)};
        }
        all = all && line.line != nullptr && !line.takes_back;
        found.push_back(place_of(view, line));
    }
    if (all) {
        return {"file-locks", State::ok, joined(found, "; "), ""};
    }
    return {"file-locks", State::note,
            joined(found, "; ") +
                "; without it, a task with a lease is dumped, and restored with its lease, only if "
                "--file-locks is given each time",
            "give --file-locks to criu, podman or runc, for dump and for restore; for engines "
            "without such an option: ckpt-lease criu-hook --install --file-locks"};
}

std::string plugin_folder_of(const std::vector<ConfigFile>& files, const std::string& folder) {
    std::string found = folder;
    for (const ConfigFile& file : files) {
        for (const hook::ConfigLine& line : file.lines) {
            if (file.engine.empty() && line.option == "libdir") {
                found = line.value;
            }
        }
    }
    return found;
}

// What criu reads, in its order; and what could not be read.
std::vector<ConfigFile> read_config_files(const Context& context, const std::string& folder,
                                          std::vector<Check>& checks) {
    std::vector<ConfigFile> files{{folder + "/default.conf", "", false, {}}};
    if (const char* const home = std::getenv("HOME"); home != nullptr && *home != '\0') {
        files.push_back({fmt::format("{}/.criu/default.conf", home), "", false, {}});
    }
    files.push_back({folder + "/runc.conf", "runc", false, {}});
    files.push_back({folder + "/crun.conf", "crun", false, {}});
    std::vector<std::string> there;
    for (ConfigFile& file : files) {
        try {
            if (const auto text = read_config_text(*context.environment.system, file.path)) {
                file.lines = hook::parse_config(*text);
                file.is_there = true;
                there.push_back(file.path);
            }
        } catch (const Error& error) {
            checks.push_back({"configuration", State::failed, context.text_of(error),
                              "criu fails as well, or reads what cannot be looked at"});
        }
    }
    for (const ConfigFile& file : files) {
        for (const hook::ConfigLine& line : file.lines) {
            if (!line.fault.empty()) {
                checks.push_back({"configuration", State::failed,
                                  fmt::format("{}, line {}: criu refuses the file: {}", file.path,
                                              line.number, line.fault),
                                  "mend the line"});
            }
        }
    }
    const bool is_failed = std::any_of(checks.begin(), checks.end(), [](const Check& check) {
        return check.name == "configuration";
    });
    if (is_failed && there.empty()) {
        return files;
    }
    checks.push_back({"configuration", State::ok,
                      there.empty() ? fmt::format("criu has no configuration file in {}", folder)
                                    : joined(there, ", "),
                      ""});
    return files;
}

}  // namespace ckpt_lease::cli
