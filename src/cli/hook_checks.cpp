// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/hook_checks.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <system_error>
#include <utility>

#include "base/joined.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "cli/hook_setup.hpp"
#include "cli/options.hpp"
#include "cli/run_program.hpp"
#include "hook/criu_config.hpp"
#include "io/file.hpp"
#include "live/fd.hpp"
#include "live/kernel_patch.hpp"
#include "live/look/lease_trace.hpp"
#include "live/proc_text.hpp"

namespace ckpt_lease::cli {
namespace {

using render::Check;
using State = Check::State;

constexpr const char* kInstall = "ckpt-lease criu-hook --install";
// Older ones stop with an error where a configuration file names an action script, and a container
// engine has started them: "Action scripts are not supported by RPC".
constexpr unsigned kScriptsFromFiles = 31900;

std::string error_text(int error) {
    return std::generic_category().message(error);
}

struct ConfigFile {
    std::string path;
    std::string engine;  // that starts a criu which reads it; empty: all
    bool is_there = false;
    std::vector<hook::ConfigLine> lines;
};

Check check_program() {
    try {
        return {"hook", State::ok, find_hook(), ""};
    } catch (const Error& error) {
        return {"hook", State::failed, error.problem().message, error.problem().hint};
    }
}

Check check_plugin(const Plugin& plugin) {
    if (plugin.path.empty()) {
        return {"plugin", State::ok, "criu has no plugin that starts the hook", ""};
    }
    if (plugin.hook.empty()) {
        return {"plugin", State::failed, plugin.path + ": this is no plugin of ckpt-lease",
                "remove it, or install ckpt-lease anew"};
    }
    if (!plugin.works()) {
        return {
            "plugin", State::failed,
            fmt::format("{}: it cannot start {}: {}", plugin.path, plugin.hook, error_text(errno)),
            "install ckpt-lease anew"};
    }
    return {"plugin", State::ok, plugin.path, ""};
}

// It is not asked: whether it answers is another matter.
bool is_installed(const std::string& engine) {
    const char* const path = std::getenv("PATH");
    std::string_view rest = path == nullptr ? "" : path;
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find(':'), rest.size());
        if (access((std::string(rest.substr(0, end)) + "/" + engine).c_str(), X_OK) == 0) {
            return true;
        }
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return false;
}

Check check_criu(bool script_in_file, bool has_engines) {
    const auto text = output_of({"criu", "--version"});
    if (!text) {
        return {"criu", State::failed, "criu is not in PATH, or does not say its version",
                "install criu"};
    }
    std::string first;
    live::for_each_line(*text, [&](std::string_view line) {
        if (first.empty() || line.starts_with("Version: ")) {
            first = line;
        }
    });
    const auto version = parse_criu_version(first);
    if (!version) {
        return {"criu", State::note, fmt::format("an unknown version: '{}'", first), ""};
    }
    if (*version < kScriptsFromFiles && script_in_file && has_engines) {
        return {"criu", State::failed,
                fmt::format("{}: started by a container engine, it fails where a configuration "
                            "file has an action-script",
                            first),
                "install CRIU 3.19 or newer, or take the line out: ckpt-lease criu-hook "
                "--uninstall"};
    }
    return {"criu", State::ok, first, ""};
}

// Why criu cannot start what a line names; empty: it can.
std::string fault_of(const std::string& program) {
    if (!program.starts_with('/')) {
        return "";  // criu looks for it in PATH, as whoever starts it has it
    }
    return access(program.c_str(), X_OK) == 0 ? "" : error_text(errno);
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

// What a criu reads that `engine` has started: of several lines, the last counts, and "no-" before
// an option takes it back.
struct FoundLine {
    const ConfigFile* file = nullptr;  // null: none of them has a line
    const hook::ConfigLine* line = nullptr;
};

FoundLine find_line(const std::vector<ConfigFile>& files, const std::string& option,
                    const std::string& engine) {
    // Started by crun, criu reads runc.conf where there is no crun.conf.
    const bool has_crun = std::any_of(files.begin(), files.end(), [](const ConfigFile& file) {
        return file.engine == "crun" && file.is_there;
    });
    const std::string& reads = engine == "crun" && !has_crun ? "runc" : engine;
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

// "criu", and what of its kind is in PATH and starts criu with a file of its own.
std::vector<std::string> starters(const std::vector<std::string>& engines) {
    std::vector<std::string> names{"criu"};
    std::copy_if(engines.begin(), engines.end(), std::back_inserter(names),
                 [](const std::string& name) { return name == "runc" || name == "crun"; });
    return names;
}

std::string place_of(const FoundLine& found) {
    return found.line == nullptr
               ? "no line"
               : fmt::format("{}, line {}{}", found.file->path, found.line->number,
                             found.line->value.empty() ? "" : ": " + found.line->value);
}

Check check_validation(const std::vector<ConfigFile>& files,
                       const std::vector<std::string>& engines) {
    std::vector<std::string> found;
    bool all = true;
    for (const std::string& who : starters(engines)) {
        const FoundLine line = find_line(files, "file-validation", who);
        all = all && line.line != nullptr && line.line->value == "filesize";
        found.push_back(fmt::format("{}: {}", who, place_of(line)));
    }
    if (all) {
        return {"file-validation", State::ok, joined(found, "; "), ""};
    }
    return {"file-validation", State::note,
            joined(found, "; ") +
                "; without 'filesize', a dump opens leased files, and so waits for leases and "
                "breaks them",
            "ckpt-lease criu-hook --install, or criu dump --file-validation filesize"};
}

// What a request of runc or crun says of file locks wins over default.conf, and their own files win
// over the request.
Check check_file_locks(const std::vector<ConfigFile>& files,
                       const std::vector<std::string>& engines) {
    std::vector<std::string> found;
    bool all = true;
    for (const std::string& who : starters(engines)) {
        FoundLine line = find_line(files, "file-locks", who);
        if (who != "criu" && line.file != nullptr && line.file->engine.empty()) {
            line = {};
        }
        all = all && line.line != nullptr;
        found.push_back(fmt::format("{}: {}", who, place_of(line)));
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

Check check_engines(const std::vector<std::string>& engines) {
    return {"engines", State::ok, engines.empty() ? "none in PATH" : joined(engines, ", "), ""};
}

Check check_kernel() {
    utsname names{};
    uname(&names);
    const bool is_patched = live::kernel_restores_leases();
    return {"kernel", State::ok,
            fmt::format("Linux {}, {}", names.release,
                        is_patched ? "with the ckpt-lease patch: leases are set as they were"
                                   : "without the ckpt-lease patch: each deadline is set by "
                                     "changing lease-break-time for a moment"),
            ""};
}

Check check_break_time(bool is_patched) {
    constexpr const char* kPath = "/proc/sys/fs/lease-break-time";
    const live::Fd fd(open(kPath, O_RDWR | O_CLOEXEC));
    if (!fd && !is_patched) {
        return {"lease-break-time", State::failed,
                fmt::format("{} cannot be written: {}", kPath, error_text(errno)),
                "run criu as root, where /proc/sys is writable"};
    }
    const std::string text = live::read_if_there(kPath);
    return {"lease-break-time", State::ok, fmt::format("{} s", text.substr(0, text.find('\n'))),
            ""};
}

Check check_trace(bool is_patched) {
    if (is_patched) {
        return {"tracepoint", State::ok, "not needed with the ckpt-lease patch", ""};
    }
    try {
        const live::LeaseTrace trace(1);
        return {"tracepoint", State::ok, "tells how much time is left", ""};
    } catch (const Error& error) {
        const Problem& problem = error.problem();
        return {"tracepoint", State::failed, fmt::format("{}: {}", problem.file, problem.message),
                problem.hint};
    }
}

Check check_capabilities() {
    const auto missing = missing_capabilities(live::read_if_there("/proc/self/status"));
    if (missing.empty()) {
        return {"capabilities", State::ok, "all that capturing and setting leases takes", ""};
    }
    return {"capabilities", State::failed,
            fmt::format("this process does not have {}", joined(missing, ", ")), "run it as root"};
}

// What criu reads, in its order; and what could not be read.
std::vector<ConfigFile> read_files(const Context& context, const std::string& folder,
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

}  // namespace

std::optional<unsigned> parse_criu_version(std::string_view text) {
    constexpr std::string_view kBefore = "Version: ";
    if (!text.starts_with(kBefore)) {
        return std::nullopt;
    }
    text.remove_prefix(kBefore.size());
    text = text.substr(0, text.find_first_not_of("0123456789."));
    unsigned version = 0;
    for (int part = 0; part < 3; ++part) {
        const std::size_t dot = std::min(text.find('.'), text.size());
        const auto number = live::parse_number<std::uint8_t>(text.substr(0, dot));
        if (!number && (part == 0 || dot > 0)) {
            return std::nullopt;
        }
        version = version * 100 + number.value_or(0);
        text.remove_prefix(std::min(dot + 1, text.size()));
    }
    return version;
}

std::vector<std::string> missing_capabilities(std::string_view status) {
    struct Capability {
        unsigned bit;  // capabilities(7), linux/capability.h
        const char* name;
    };
    constexpr Capability kNeeded[] = {
        {7, "CAP_SETUID"}, {19, "CAP_SYS_PTRACE"}, {21, "CAP_SYS_ADMIN"}, {28, "CAP_LEASE"}};
    std::uint64_t effective = 0;
    live::for_each_line(status, [&](std::string_view line) {
        if (constexpr std::string_view kName = "CapEff:\t"; line.starts_with(kName)) {
            effective =
                live::parse_number<std::uint64_t>(line.substr(kName.size()), 16).value_or(0);
        }
    });
    std::vector<std::string> missing;
    for (const Capability& capability : kNeeded) {
        if ((effective >> capability.bit & 1U) == 0) {
            missing.emplace_back(capability.name);
        }
    }
    return missing;
}

std::vector<Check> check_hook(const Context& context, const HookSetup& setup) {
    std::vector<Check> checks{check_program()};
    std::vector<std::string> engines;
    for (const char* const engine :
         {"podman", "docker", "dockerd", "containerd", "crio", "runc", "crun"}) {
        if (is_installed(engine)) {
            engines.emplace_back(engine);
        }
    }
    const std::vector<ConfigFile> files = read_files(context, setup.criu_folder, checks);
    const bool has_script = std::any_of(files.begin(), files.end(), [](const ConfigFile& file) {
        return std::any_of(file.lines.begin(), file.lines.end(),
                           [](const auto& line) { return line.option == "action-script"; });
    });
    const Plugin plugin = find_plugin(*context.environment.system, setup);
    checks.push_back(check_plugin(plugin));
    for (Check& check : check_scripts(files, plugin.works())) {
        checks.push_back(std::move(check));
    }
    checks.push_back(check_validation(files, engines));
    checks.push_back(check_file_locks(files, engines));
    checks.push_back(check_criu(has_script, !engines.empty()));
    checks.push_back(check_engines(engines));
    const bool is_patched = live::kernel_restores_leases();
    checks.push_back(check_kernel());
    checks.push_back(check_break_time(is_patched));
    checks.push_back(check_trace(is_patched));
    checks.push_back(check_capabilities());
    return checks;
}

}  // namespace ckpt_lease::cli
