// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/hook_checks.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <utility>

#include "base/joined.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "cli/hook_config_checks.hpp"
#include "cli/hook_setup.hpp"
#include "cli/options.hpp"
#include "cli/run_program.hpp"
#include "hook/criu_config.hpp"
#include "io/file.hpp"
#include "live/fd.hpp"
#include "live/lease_state.hpp"
#include "live/look/lease_trace.hpp"
#include "live/proc_text.hpp"

namespace ckpt_lease::cli {
namespace {

using render::Check;
using State = Check::State;

// Older ones stop with an error where a configuration file names an action script, and a container
// engine has started them: "Action scripts are not supported by RPC".
constexpr unsigned kScriptsFromFiles = 31900;
// Where --file-validation came, and the hooks of plugins that ours is called by.
constexpr unsigned kValidates = 31500;
constexpr unsigned kHasPlugins = 31700;
// From here on a restore fails where a plugin is missing that the dump has named.
constexpr unsigned kRequiresPlugins = 40100;
// Together, from here on, they read crun.conf or runc.conf where crun has started criu.
constexpr unsigned kCrunReadsFiles = 12600;
constexpr unsigned kCriuReadsFilesOfCrun = 40200;

std::string error_text(int error) {
    return std::generic_category().message(error);
}

// The first line that is not empty.
std::string first_line(std::string_view text) {
    constexpr std::size_t kMost = 200;
    std::string first;
    live::for_each_line(text, [&](std::string_view line) {
        if (first.empty()) {
            first = line.substr(0, kMost);
        }
    });
    return first.empty() ? "it does not say why" : first;
}

Check check_program() {
    try {
        const std::string hook = find_hook();
        struct stat status {};
        if (stat(hook.c_str(), &status) != 0) {
            return {"hook", State::failed, fmt::format("{}: {}", hook, error_text(errno)),
                    "install ckpt-lease anew"};
        }
        return {"hook", State::ok, fmt::format("{}, mode {:04o}", hook, status.st_mode & 07777U),
                ""};
    } catch (const Error& error) {
        return {"hook", State::failed, error.problem().message, error.problem().hint};
    }
}

// What `criu --version` says; `number` as parse_version() has it.
struct CriuVersion {
    std::string text;  // empty: it does not say its version
    std::optional<unsigned> number;
    std::string fault;  // why it does not
};

// With a configuration that is empty: where its own is wrong, criu does not tell its version.
CriuVersion ask_criu() {
    const Answer answer = run_program({"criu", "--config", "/dev/null", "--version"});
    CriuVersion version;
    switch (answer.state) {
        case Answer::State::not_there:
            version.fault = "criu is not in PATH";
            return version;
        case Answer::State::no_end:
            version.fault =
                fmt::format("criu --version did not end within {} s", kPatience.count());
            return version;
        case Answer::State::failed:
            version.fault = "criu --version fails: " + first_line(answer.errors);
            return version;
        case Answer::State::done:
            break;
    }
    live::for_each_line(answer.out, [&](std::string_view line) {
        if (version.text.empty() || line.starts_with("Version: ")) {
            version.text = line;
        }
    });
    version.number = parse_version(version.text, "Version: ");
    if (version.text.empty()) {
        version.fault = "criu --version says nothing";
    }
    return version;
}

// criu itself knows best which options it has.
void ask_of_files(const std::vector<const ConfigFile*>& files, std::vector<Check>& checks) {
    for (const ConfigFile* const file : files) {
        const bool has_told_fault =
            std::any_of(file->lines.begin(), file->lines.end(),
                        [](const auto& line) { return !line.fault.empty(); });
        if (!file->is_there || has_told_fault) {
            continue;
        }
        const Answer answer = run_program({"criu", "--config", file->path, "--version"});
        if (answer.state != Answer::State::done) {
            checks.push_back({"configuration", State::failed,
                              fmt::format("{}: criu refuses the file: {}", file->path,
                                          first_line(answer.errors)),
                              "mend it"});
        }
    }
}

// Where a version is not known, it is most likely a new one.
bool crun_reads_files(const CriuVersion& criu) {
    const auto text = output_of({"crun", "--version"});
    const auto crun = parse_version(text.value_or(""), "crun version ");
    return crun.value_or(kCrunReadsFiles) >= kCrunReadsFiles &&
           criu.number.value_or(kCriuReadsFilesOfCrun) >= kCriuReadsFilesOfCrun;
}

Check check_plugin(const Plugin& plugin, const std::string& folder, const CriuVersion& criu) {
    if (plugin.path.empty()) {
        std::string more;
        if (criu.number && *criu.number >= kRequiresPlugins) {
            // Without the folder, CRIU looks for no plugin.
            std::error_code error;
            more = std::filesystem::is_directory(folder, error)
                       ? ", and refuses to restore what was dumped with the plugin in a lease break"
                       : fmt::format(
                             ", and does not say at a restore that the plugin is missing, as "
                             "there is no {}",
                             folder);
        }
        return {"plugin", State::note,
                fmt::format("there is no {}: criu can start the hook only as an action script{}",
                            plugin_path(folder), more),
                "install a package of ckpt-lease, or build it with the prefix /usr"};
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

Check check_criu(const CriuVersion& version, bool script_in_file, bool has_plugin,
                 bool has_engines) {
    const std::string& first = version.text;
    if (first.empty()) {
        return {"criu", State::failed, version.fault, "install criu"};
    }
    if (!version.number) {
        return {"criu", State::note, fmt::format("an unknown version: '{}'", first), ""};
    }
    if (*version.number < kValidates || (has_plugin && *version.number < kHasPlugins)) {
        return {"criu", State::failed,
                fmt::format("{}: {}", first,
                            *version.number < kValidates
                                ? "it does not know --file-validation"
                                : "it does not ask the plugin for what this needs"),
                "install CRIU 3.17 or newer"};
    }
    if (*version.number < kScriptsFromFiles && script_in_file && has_engines) {
        return {"criu", State::failed,
                fmt::format("{}: started by a container engine, it fails where a configuration "
                            "file has an action-script",
                            first),
                "install CRIU 3.19 or newer, or take the line out: ckpt-lease criu-hook "
                "--uninstall"};
    }
    return {"criu", State::ok, first, ""};
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

Check check_capabilities(bool is_patched) {
    const auto missing = missing_capabilities(live::read_if_there("/proc/self/status"), is_patched);
    if (missing.empty()) {
        return {"capabilities", State::ok, "all that capturing and setting leases takes", ""};
    }
    return {"capabilities", State::failed,
            fmt::format("this process does not have {}", joined(missing, ", ")), "run it as root"};
}

}  // namespace

std::optional<unsigned> parse_version(std::string_view text, std::string_view before) {
    if (!text.starts_with(before)) {
        return std::nullopt;
    }
    text.remove_prefix(before.size());
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

std::vector<std::string> missing_capabilities(std::string_view status, bool is_patched) {
    struct Capability {
        unsigned bit;  // capabilities(7), linux/capability.h
        const char* name;
    };
    constexpr Capability kNeeded[] = {{7, "CAP_SETUID"}, {19, "CAP_SYS_PTRACE"}, {28, "CAP_LEASE"}};
    constexpr Capability kAll = {21, "CAP_SYS_ADMIN"};
    constexpr Capability kRestores = {40, "CAP_CHECKPOINT_RESTORE"};
    std::uint64_t effective = 0;
    live::for_each_line(status, [&](std::string_view line) {
        if (constexpr std::string_view kName = "CapEff:\t"; line.starts_with(kName)) {
            effective =
                live::parse_number<std::uint64_t>(line.substr(kName.size()), 16).value_or(0);
        }
    });
    const auto has = [effective](const Capability& capability) {
        return (effective >> capability.bit & 1U) != 0;
    };
    std::vector<std::string> missing;
    for (const Capability& capability : kNeeded) {
        if (!has(capability)) {
            missing.emplace_back(capability.name);
        }
    }
    if (!has(kAll) && !(is_patched && has(kRestores))) {
        missing.emplace_back(is_patched ? kRestores.name : kAll.name);
    }
    return missing;
}

std::vector<Check> check_hook(const Context& context, const HookSetup& setup) {
    std::vector<Check> checks{check_program()};
    std::vector<std::string> engines;
    for (const char* const engine :
         {"podman", "docker", "dockerd", "containerd", "crio", "runc", "crun"}) {
        if (is_in_path(engine)) {
            engines.emplace_back(engine);
        }
    }
    const std::vector<ConfigFile> all_files = read_config_files(context, setup.criu_folder);
    // Here it would be read before the file that criu is asked of.
    unsetenv("CRIU_CONFIG_FILE");
    const CriuVersion criu = ask_criu();
    const std::vector<View> views =
        views_of(all_files, engines, setup.engine, crun_reads_files(criu));
    const std::vector<const ConfigFile*> files = files_of(all_files, views);
    for (Check& check : check_configuration(files, setup.criu_folder)) {
        checks.push_back(std::move(check));
    }
    if (criu.fault.empty()) {
        ask_of_files(files, checks);
    }
    const bool has_script = std::any_of(files.begin(), files.end(), [](const ConfigFile* file) {
        return std::any_of(file->lines.begin(), file->lines.end(),
                           [](const auto& line) { return line.option == "action-script"; });
    });
    HookSetup there = setup;
    there.plugin_folder = plugin_folder_of(all_files, setup.plugin_folder);
    const Plugin plugin = find_plugin(*context.environment.system, there);
    checks.push_back(check_plugin(plugin, there.plugin_folder, criu));
    for (Check& check : check_scripts(files, views, plugin.works())) {
        checks.push_back(std::move(check));
    }
    checks.push_back(check_validation(views));
    checks.push_back(check_file_locks(views));
    checks.push_back(check_criu(criu, has_script, plugin.works(), !engines.empty()));
    checks.push_back(check_engines(engines));
    const bool is_patched = live::kernel_restores_leases();
    checks.push_back(check_kernel());
    checks.push_back(check_break_time(is_patched));
    checks.push_back(check_trace(is_patched));
    checks.push_back(check_capabilities(is_patched));
    return checks;
}

}  // namespace ckpt_lease::cli
