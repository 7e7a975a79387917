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
    if (program.find('/') == std::string::npos) {
        return "";  // criu looks for it in PATH, as whoever starts it has it
    }
    if (!program.starts_with('/')) {
        return "criu starts it from another folder: its whole path is needed";
    }
    return access(program.c_str(), X_OK) == 0 ? "" : std::generic_category().message(errno);
}

std::string place_of(const ConfigFile& file, const hook::ConfigLine& line) {
    return fmt::format("{}, line {}{}", file.path, line.number,
                       line.value.empty() ? "" : ": " + line.value);
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

// Another line that starts the hook stands before `line` where somebody reads both.
bool is_second(const std::vector<View>& views, const hook::ConfigLine& line) {
    return std::any_of(views.begin(), views.end(), [&](const View& view) {
        const hook::ConfigLine* first = nullptr;
        bool is_read = false;
        for (const ConfigFile* const file : view.files) {
            for (const hook::ConfigLine& other : file->lines) {
                first = first == nullptr && hook::starts_hook(other) ? &other : first;
                is_read |= &other == &line;
            }
        }
        return is_read && first != &line;
    });
}

bool is_of_an_engine(const ConfigFile& file) {
    return !file.engine.empty() && file.engine != "criu";
}

Check check_line(const ConfigFile& file, const hook::ConfigLine& line,
                 const std::vector<View>& views, bool has_plugin) {
    std::string where = place_of(file, line);
    if (const std::string fault = fault_of(line.value); !fault.empty()) {
        const std::string starter =
            is_of_an_engine(file) ? " (started by " + file.engine + ")" : "";
        return {"action-script", State::failed,
                fmt::format("{}: every dump and restore fails: {}", where + starter, fault),
                hook::starts_hook(line) ? kInstall : "take the line out"};
    }
    if (line.value.find('/') == std::string::npos && !is_in_path(line.value)) {
        return {"action-script", State::note,
                where + ": not in this PATH: where criu is started with another, it may be",
                hook::starts_hook(line) ? kInstall : "write its whole path"};
    }
    if (is_second(views, line)) {
        return {"action-script", State::note, where + ": criu starts it twice", kInstall};
    }
    if (is_of_an_engine(file) && !has_plugin) {
        return {"action-script", State::note,
                where + fmt::format(", which criu reads only if {} starts it", file.engine),
                kInstall};
    }
    return {"action-script", State::ok, std::move(where), ""};
}

}  // namespace

std::vector<Check> check_configuration(const std::vector<const ConfigFile*>& files,
                                       const std::string& folder) {
    std::vector<Check> checks;
    std::vector<std::string> there;
    for (const ConfigFile* const file : files) {
        if (!file->fault.empty()) {
            checks.push_back({"configuration", State::failed, file->fault,
                              "criu fails as well, or reads what cannot be looked at"});
        }
        for (const hook::ConfigLine& line : file->lines) {
            if (!line.fault.empty()) {
                checks.push_back({"configuration", State::failed,
                                  fmt::format("{}, line {}: criu refuses the file: {}", file->path,
                                              line.number, line.fault),
                                  "mend the line"});
            }
        }
        if (file->is_there) {
            there.push_back(file->path);
        }
    }
    if (checks.empty() || !there.empty()) {
        checks.push_back({"configuration", State::ok,
                          there.empty()
                              ? fmt::format("criu has no configuration file in {}", folder)
                              : joined(there, ", "),
                          ""});
    }
    return checks;
}

std::vector<Check> check_scripts(const std::vector<const ConfigFile*>& files,
                                 const std::vector<View>& views, bool has_plugin) {
    std::vector<Check> checks;
    for (const ConfigFile* const file : files) {
        for (const hook::ConfigLine& line : file->lines) {
            if (line.option != "action-script") {
                continue;
            }
            // Of another one there is something to say only if it cannot be started.
            Check check = check_line(*file, line, views, has_plugin);
            if (hook::starts_hook(line) || check.state == State::failed) {
                checks.push_back(std::move(check));
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
    for (const View& view : views) {
        if (!starts_hook(view)) {
            without.push_back(view.starter);
        }
    }
    if (without.size() == views.size()) {
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

Check check_validation(const std::vector<View>& views) {
    std::vector<std::string> found;
    std::string advice;
    for (const View& view : views) {
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
Check check_file_locks(const std::vector<View>& views) {
    std::vector<std::string> found;
    bool all = true;
    for (const View& view : views) {
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

}  // namespace ckpt_lease::cli
