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
    std::vector<hook::ConfigLine> lines;
};

Check check_program() {
    try {
        return {"hook", State::ok, find_hook(), ""};
    } catch (const Error& error) {
        return {"hook", State::failed, error.problem().message, error.problem().hint};
    }
}

Check check_plugin(const std::string& plugin) {
    return {"plugin", State::ok,
            plugin.empty() ? "criu has no plugin that starts the hook" : plugin, ""};
}

// Of an engine; nothing if it is not there.
bool is_installed(const char* engine) {
    return output_of({engine, "--version"}).has_value();
}

Check check_criu(bool script_in_file, bool has_engines) {
    const auto text = output_of({"criu", "--version"});
    if (!text) {
        return {"criu", State::failed, "criu is not in PATH, or does not say its version",
                "install criu"};
    }
    const auto version = parse_criu_version(*text);
    const std::string first = text->substr(0, text->find('\n'));
    if (!version) {
        return {"criu", State::note, fmt::format("an unknown version: {}", first), ""};
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

// Of the lines that one criu reads, the last counts.
const hook::ConfigLine* last_line(const std::vector<ConfigFile>& files, std::string_view option,
                                  const ConfigFile*& in) {
    const hook::ConfigLine* found = nullptr;
    for (const ConfigFile& file : files) {
        for (const hook::ConfigLine& line : file.lines) {
            if (line.option == option) {
                found = &line;
                in = &file;
            }
        }
    }
    return found;
}

Check check_validation(const std::vector<ConfigFile>& files) {
    const ConfigFile* file = nullptr;
    const hook::ConfigLine* const line = last_line(files, "file-validation", file);
    if (line == nullptr || line->value != "filesize") {
        const std::string found =
            line == nullptr ? "no configuration file sets it"
                            : fmt::format("{}, line {}: {}", file->path, line->number, line->value);
        return {"file-validation", State::note,
                found + ": a dump opens leased files, and so waits for leases and breaks them",
                line == nullptr ? "ckpt-lease criu-hook --install, or criu dump --file-validation "
                                  "filesize"
                                : "the line 'file-validation filesize' instead"};
    }
    return {"file-validation", State::ok, fmt::format("{}, line {}", file->path, line->number), ""};
}

// What a request of runc or crun says of file locks wins over default.conf, and their own files win
// over the request.
Check check_file_locks(const std::vector<ConfigFile>& files,
                       const std::vector<std::string>& engines) {
    std::vector<std::string> found;
    bool all = true;
    const auto look_for = [&](const std::string& who, const std::string& engine) {
        std::vector<ConfigFile> read;
        std::copy_if(files.begin(), files.end(), std::back_inserter(read),
                     [&](const ConfigFile& file) { return file.engine == engine; });
        const ConfigFile* file = nullptr;
        const hook::ConfigLine* const line = last_line(read, "file-locks", file);
        all = all && line != nullptr;
        found.push_back(line == nullptr
                            ? fmt::format("{}: no line", who)
                            : fmt::format("{}: {}, line {}", who, file->path, line->number));
    };
    look_for("criu", "");
    for (const std::string& engine : engines) {
        if (engine == "runc" || engine == "crun") {
            look_for(engine, engine);
        }
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
    std::vector<ConfigFile> files{{folder + "/default.conf", "", {}}};
    if (const char* const home = std::getenv("HOME"); home != nullptr && *home != '\0') {
        files.push_back({fmt::format("{}/.criu/default.conf", home), "", {}});
    }
    files.push_back({folder + "/runc.conf", "runc", {}});
    files.push_back({folder + "/crun.conf", "crun", {}});
    std::vector<std::string> there;
    for (ConfigFile& file : files) {
        try {
            file.lines = hook::parse_config(read_text_file(*context.environment.system, file.path));
            there.push_back(file.path);
        } catch (const Error& error) {
            if (code_of(error.problem()) != Problem::Code::not_found) {
                checks.push_back({"configuration", State::failed, context.text_of(error),
                                  "criu fails as well, or reads what cannot be looked at"});
            }
        }
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

std::vector<Check> check_hook(const Context& context, const std::string& criu_folder) {
    std::vector<Check> checks{check_program()};
    std::vector<std::string> engines;
    for (const char* const engine : {"podman", "crio", "containerd", "dockerd", "runc", "crun"}) {
        if (is_installed(engine)) {
            engines.emplace_back(engine);
        }
    }
    const std::vector<ConfigFile> files = read_files(context, criu_folder, checks);
    const ConfigFile* in = nullptr;
    const bool has_script = last_line(files, "action-script", in) != nullptr;
    const std::string plugin = find_plugin();
    checks.push_back(check_plugin(plugin));
    for (Check& check : check_scripts(files, !plugin.empty())) {
        checks.push_back(std::move(check));
    }
    checks.push_back(check_validation(files));
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
