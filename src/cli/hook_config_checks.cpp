// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/hook_config_checks.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <iterator>
#include <system_error>

#include "base/joined.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "cli/hook_setup.hpp"

namespace ckpt_lease::cli {
namespace {

using render::Check;
using State = Check::State;

constexpr const char* kInstall = "ckpt-lease criu-hook --install";

// Why criu cannot start what a line names; empty: it can.
std::string fault_of(const std::string& program) {
    if (!program.starts_with('/')) {
        return "";  // criu looks for it in PATH, as whoever starts it has it
    }
    return access(program.c_str(), X_OK) == 0 ? "" : std::generic_category().message(errno);
}

Check check_line(const ConfigFile& file, const hook::ConfigLine& line, bool has_plugin) {
    const std::string where = fmt::format("{}, line {}: {}", file.path, line.number, line.value);
    if (const std::string fault = fault_of(line.value); !fault.empty()) {
        return {"action-script", State::failed,
                fmt::format("{}: every dump and restore fails: {}", where, fault), kInstall};
    }
    if (!file.engine.empty() && !has_plugin) {
        return {"action-script", State::note,
                where + fmt::format(", which criu reads only if {} starts it", file.engine),
                kInstall};
    }
    return {"action-script", State::ok, where, ""};
}

// What a criu reads that `engine` has started: of several lines, the last counts, and "no-" before
// an option takes it back.
struct FoundLine {
    const ConfigFile* file = nullptr;  // null: none of them has a line
    const hook::ConfigLine* line = nullptr;
};

// Whose file a criu reads that `starter` has started; empty: nobody's but its own.
std::string reads_of(const std::vector<ConfigFile>& files, const Starters& starters,
                     const std::string& starter) {
    if (starter != "crun") {
        return starter;
    }
    // Where there is no crun.conf, it reads runc.conf.
    const bool has_crun = std::any_of(files.begin(), files.end(), [](const ConfigFile& file) {
        return file.engine == "crun" && file.is_there;
    });
    return !starters.crun_reads_files ? "" : has_crun ? "crun" : "runc";
}

FoundLine find_line(const std::vector<ConfigFile>& files, const std::string& option,
                    const std::string& reads) {
    FoundLine found;
    for (const ConfigFile& file : files) {
        if (!file.engine.empty() && file.engine != reads) {
            continue;
        }
        for (const hook::ConfigLine& line : file.lines) {
            if (line.option == option) {
                found = {&file, &line};
            } else if (line.option == "no-" + option) {
                found = {};
            }
        }
    }
    return found;
}

std::string place_of(const FoundLine& found, const std::string& reads) {
    if (found.line != nullptr) {
        return fmt::format("{}, line {}{}", found.file->path, found.line->number,
                           found.line->value.empty() ? "" : ": " + found.line->value);
    }
    return reads.empty() ? "no line (crun.conf and runc.conf count from crun 1.26 with CRIU 4.2 on)"
                         : "no line";
}

}  // namespace

std::vector<Check> check_scripts(const std::vector<ConfigFile>& files, bool has_plugin) {
    std::vector<Check> checks;
    bool is_started = false;  // by a file that every criu reads
    for (const ConfigFile& file : files) {
        for (const hook::ConfigLine& line : file.lines) {
            if (hook::starts_hook(line)) {
                checks.push_back(check_line(file, line, has_plugin));
                if (is_started && checks.back().state != State::failed) {
                    checks.back().state = State::note;
                    checks.back().message += ": criu starts it twice";
                }
                is_started |= file.engine.empty();
            }
        }
    }
    if (checks.empty() && has_plugin) {
        checks.push_back({"action-script", State::ok, "not needed: criu loads the plugin", ""});
    }
    if (checks.empty()) {
        checks.push_back({"action-script", State::failed,
                          "no configuration file of criu names the hook: leases are kept only "
                          "where criu is started with --action-script",
                          kInstall});
    }
    return checks;
}

Starters starters_of(const std::vector<std::string>& engines, bool crun_reads_files) {
    Starters starters{.names = {"criu"}, .crun_reads_files = crun_reads_files};
    std::copy_if(engines.begin(), engines.end(), std::back_inserter(starters.names),
                 [](const std::string& name) { return name == "runc" || name == "crun"; });
    return starters;
}

Check check_validation(const std::vector<ConfigFile>& files, const Starters& starters) {
    std::vector<std::string> found;
    bool all = true;
    for (const std::string& who : starters.names) {
        const std::string reads = reads_of(files, starters, who);
        const FoundLine line = find_line(files, "file-validation", reads);
        all = all && line.line != nullptr && line.line->value == "filesize";
        found.push_back(fmt::format("{}: {}", who, place_of(line, reads)));
    }
    if (all) {
        return {"file-validation", State::ok, joined(found, "; "), ""};
    }
    return {"file-validation", State::failed,
            joined(found, "; ") +
                "; without 'filesize', a dump opens leased files: it waits until a break is over, "
                "and breaks write leases",
            "ckpt-lease criu-hook --install, or each time criu dump --file-validation filesize"};
}

// What a request of runc or crun says of file locks wins over default.conf, and their own files win
// over the request.
Check check_file_locks(const std::vector<ConfigFile>& files, const Starters& starters) {
    std::vector<std::string> found;
    bool all = true;
    for (const std::string& who : starters.names) {
        const std::string reads = reads_of(files, starters, who);
        FoundLine line = find_line(files, "file-locks", reads);
        if (who != "criu" && line.file != nullptr && line.file->engine.empty()) {
            line = {};
        }
        all = all && line.line != nullptr;
        found.push_back(fmt::format("{}: {}", who, place_of(line, reads)));
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
