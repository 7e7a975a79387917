// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/hook_setup.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/base/text.hpp"
#include "cli/criu_files.hpp"
#include "cli/exit_status.hpp"
#include "cli/options.hpp"
#include "hook/criu_config.hpp"
#include "io/folder.hpp"
#include "io/trust.hpp"
#include "rewrite/attributes.hpp"
#include "rewrite/new_file.hpp"

namespace ckpt_lease::cli {
namespace {

namespace fs = std::filesystem;

// A configuration file, as it is on the disk.
struct Config {
    io::Place place;
    std::optional<io::File> file;  // none: there is no such file
    std::string text;
};

// A pipe would have to be waited for.
io::File open_config(const io::Place& place) {
    if (!S_ISREG(place.status->st_mode)) {
        throw Error(Error::Kind::io, {.file = place.shown,
                                      .message = "this is no regular file",
                                      .hint = "criu reads its configuration from files"});
    }
    return place.open(O_RDONLY);
}

Config read_config(const Context& context, const std::string& path) {
    Config config{io::find_place(*context.environment.system, path, "open"), {}, {}};
    if (config.place.status) {
        config.place.check_links();
        config.file.emplace(open_config(config.place));
        config.text = read_text(*config.file);
    }
    return config;
}

// A file that was made for the hook, and has nothing left in it, goes. One that was there before
// stays, also if it is empty: that there is a crun.conf has criu not read runc.conf.
void write_config(const Config& config, const hook::ConfigChange& change) {
    const std::string& text = change.text;
    if (text.empty() && change.made_file) {
        const auto now = config.place.folder->status_of(config.place.name);
        if (!now || !io::is_same_file(*now, *config.place.status)) {
            throw Error(Error::Kind::io, {.file = config.place.shown,
                                          .message = "another file has taken its place",
                                          .hint = "look at it, and try again"});
        }
        config.place.folder->remove_durably(config.place.name, config.place.shown);
        return;
    }
    constexpr mode_t kForAllToRead = 0644;
    NewFile file(config.place);
    file.file().write(as_bytes(text));
    if (config.file) {
        keep_attributes(*config.file, file.file());
    } else if (const int result = file.file().system().fchmod(file.file().fd(), kForAllToRead);
               result < 0) {
        file.file().fail("set the mode of", result);
    }
    if (config.file) {
        const struct stat now = config.file->status();
        if (now.st_size != config.place.status->st_size ||
            now.st_mtim.tv_sec != config.place.status->st_mtim.tv_sec ||
            now.st_mtim.tv_nsec != config.place.status->st_mtim.tv_nsec) {
            throw Error(Error::Kind::io, {.file = config.place.shown,
                                          .message = "somebody else has changed it meanwhile",
                                          .hint = "try again"});
        }
    }
    file.commit();
}

void make_folder(const Context& context, const std::string& path) {
    constexpr mode_t kForAllToSee = 0755;
    const io::Place place = io::find_place(*context.environment.system, path, "make");
    place.check_links();
    if (!place.status && mkdirat(place.folder->fd(), place.name.c_str(), kForAllToSee) != 0) {
        io::fail(path, "make", -errno);
    }
}

std::string text_of(const hook::ConfigLine& line) {
    return line.value.empty() ? line.option : fmt::format("{} {}", line.option, line.value);
}

// Tells what file an error is about.
template <typename Change>
hook::ConfigChange change_of(const std::string& path, Change change) {
    try {
        return change();
    } catch (const Error& error) {
        Problem problem = error.problem();
        if (error.kind() == Error::Kind::damaged) {
            problem.file = path;
        }
        throw Error(error.kind(), std::move(problem));
    }
}

void tell(const Context& context, const std::string& path, const hook::ConfigChange& change) {
    for (const hook::ConfigLine& line : change.removed) {
        context.out.print("{}: removed: {}\n", printable(path), printable(text_of(line)));
    }
    for (const hook::ConfigLine& line : change.added) {
        context.out.print("{}: added: {}\n", printable(path), printable(text_of(line)));
    }
}

void warn_of_kept(const Context& context, const std::string& path,
                  const hook::ConfigChange& change) {
    for (const hook::ConfigLine& line : change.kept) {
        Problem problem;
        problem.severity = Problem::Severity::warning;
        problem.file = path;
        problem.record = fmt::format("line {}", line.number);
        problem.message = fmt::format(
            "'{}' stays as it is: criu dump opens files to validate them so, which waits for "
            "leases and breaks them",
            text_of(line));
        problem.hint = "file-validation filesize";
        context.warn(path, problem);
    }
}

std::string path_of(const HookSetup& setup, const char* engine) {
    return fmt::format("{}/{}.conf", setup.criu_folder, engine);
}

// A crun.conf that was made keeps crun from having criu read runc.conf in its place.
void warn_of_runc(const Context& context, const HookSetup& setup) {
    const std::string runc = path_of(setup, "runc");
    const auto text = read_config_text(*context.environment.system, runc);
    const auto lines = hook::parse_config(text.value_or(""));
    if (std::any_of(lines.begin(), lines.end(),
                    [](const hook::ConfigLine& line) { return !line.is_ours; })) {
        context.warn(runc, {.severity = Problem::Severity::warning,
                            .file = runc,
                            .message = "started by crun, criu now reads crun.conf, and no line of "
                                       "this file any more",
                            .hint = "copy those that crun is to have"});
    }
}

// What somebody else than root, or the user who runs this, could exchange on the way to `path`;
// empty: nothing. In a sticky folder only owners rename.
std::string exchangeable_part(const fs::path& path) {
    fs::path part;
    for (const fs::path& name : path) {
        part /= name;
        struct stat status {};
        if (lstat(part.c_str(), &status) != 0) {
            return part;
        }
        const bool is_sticky = S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX) != 0;
        if (!io::is_trusted(status.st_uid) || (io::others_can_write(status) && !is_sticky)) {
            return part;
        }
    }
    return {};
}

bool has_hook(std::string_view text) {
    const std::vector<hook::ConfigLine> lines = hook::parse_config(text);
    return std::any_of(lines.begin(), lines.end(), hook::starts_hook);
}

// `tells`: also that nothing is to be changed. True if the file was made.
bool install(const Context& context, const std::string& path, const hook::HookLines& wanted,
             bool tells) {
    const Config config = read_config(context, path);
    const hook::ConfigChange change = change_of(path, [&] {
        hook::HookLines lines = wanted;
        lines.is_new = !config.file;
        return hook::add_hook(config.text, lines);
    });
    if (change.text != config.text) {
        write_config(config, change);
        context.note_change(fmt::format("{} was changed", path));
        tell(context, path, change);
    } else if (tells) {
        context.out.print("{}: nothing to change\n", printable(path));
    }
    warn_of_kept(context, path, change);
    return !config.file && !change.text.empty();
}

}  // namespace

std::string find_hook() {
    std::error_code failed;
    const fs::path program = fs::read_symlink("/proc/self/exe", failed);
    if (failed) {
        refuse(fmt::format("cannot find out where ckpt-lease is: {}", failed.message()));
    }
    const fs::path hook = program.parent_path() / hook::kHookProgram;
    if (access(hook.c_str(), X_OK) != 0) {
        refuse(fmt::format("{}: criu cannot start it: {}", hook.string(),
                           std::generic_category().message(errno)),
               "install ckpt-lease anew: it stands beside ckpt-lease");
    }
    const fs::path real = fs::canonical(hook, failed);
    for (const fs::path& started : {real, real.parent_path() / "ckpt-lease"}) {
        if (const std::string part = failed ? hook.string() : exchangeable_part(started);
            !part.empty()) {
            refuse(fmt::format("{}: criu would start it as root, and other users can change {}",
                               started.string(), part),
                   "install ckpt-lease where only root can write");
        }
    }
    return real;
}

std::string plugin_path(const std::string& folder) {
    return folder + "/ckpt_lease_plugin.so";
}

Plugin find_plugin(io::System& system, const HookSetup& setup) {
    constexpr std::string_view kMark = "ckpt-lease-hook-of-this-plugin=";
    constexpr std::size_t kMost = std::size_t{4} * 1024 * 1024;
    Plugin plugin;
    const std::string path = plugin_path(setup.plugin_folder);
    io::Place place;
    try {
        if (io::find_place(system, path, place) != 0 || !place.status) {
            return plugin;
        }
        plugin.path = path;
        if (!S_ISREG(place.status->st_mode)) {
            return plugin;
        }
        const io::File file = place.open(O_RDONLY);
        std::string bytes(static_cast<std::size_t>(std::min<std::uint64_t>(file.size(), kMost)),
                          '\0');
        bytes.resize(file.read_at(std::as_writable_bytes(std::span(bytes)), 0));
        if (const std::size_t mark = bytes.find(kMark); mark != std::string::npos) {
            plugin.hook = bytes.substr(mark + kMark.size()).c_str();
        }
    } catch (const Error&) {
        // What cannot be read cannot be loaded.
    }
    return plugin;
}

bool Plugin::works() const {
    return !hook.empty() && access(hook.c_str(), X_OK) == 0;
}

std::optional<std::string> read_config_text(io::System& system, const std::string& path) {
    io::Place place;
    const int error = io::find_place(system, path, place);
    if (error == -ENOENT || (error == 0 && !place.status)) {
        return std::nullopt;
    }
    if (error != 0) {
        io::fail(path, "open", error);
    }
    io::File file = open_config(place);
    return read_text(file);
}

int install_hook(const Context& context, const HookSetup& setup) {
    const std::string hook = find_hook();
    // Where there is a plugin, no script is needed; and CRIU before 3.19 fails with a script.
    HookSetup there = setup;
    there.plugin_folder =
        plugin_folder_of(read_config_files(context, setup.criu_folder), setup.plugin_folder);
    const bool has_plugin = find_plugin(*context.environment.system, there).works();
    make_folder(context, setup.criu_folder);
    const bool for_all = setup.engine.empty() || setup.engine == kEngines.front();
    const bool is_started_by_all =
        !for_all && has_hook(read_config(context, path_of(setup, kEngines.front())).text);
    for (const char* const engine : kEngines) {
        const bool is_chosen = engine == (for_all ? kEngines.front() : setup.engine);
        const std::string path = path_of(setup, engine);
        // Where CRIU reads two files that start the hook, it starts it twice. What a request of
        // runc or crun says of file locks wins over default.conf, and not over their own files. A
        // crun.conf that is made keeps CRIU from reading runc.conf in its place.
        const bool is_wanted = is_chosen || setup.engine.empty();
        const bool is_to_be_made = is_chosen || std::string_view(engine) == "runc";
        if (!for_all && !is_chosen) {
            continue;
        }
        if (!is_to_be_made && !read_config_text(*context.environment.system, path)) {
            continue;
        }
        const bool is_script = is_chosen && !is_started_by_all && (!has_plugin || setup.script);
        const hook::HookLines wanted{.script = is_script ? hook : "",
                                     .by_size = is_chosen && !is_started_by_all,
                                     .file_locks = setup.file_locks && is_wanted};
        if (install(context, path, wanted, is_chosen) && std::string_view(engine) == "crun") {
            warn_of_runc(context, setup);
        }
    }
    return kDone;
}

int uninstall_hook(const Context& context, const HookSetup& setup) {
    bool any = false;
    for (const char* const engine : kEngines) {
        if (!setup.engine.empty() && engine != setup.engine) {
            continue;
        }
        const std::string path = path_of(setup, engine);
        io::Place place;
        if (const int error = io::find_place(*context.environment.system, path, place);
            error == -ENOENT || (error == 0 && !place.status)) {
            continue;
        }
        const Config config = read_config(context, path);
        const hook::ConfigChange change =
            change_of(path, [&] { return hook::remove_hook(config.text); });
        if (change.text == config.text) {
            continue;
        }
        any = true;
        write_config(config, change);
        context.note_change(fmt::format("{} was changed", path));
        tell(context, path, change);
    }
    if (!any) {
        context.out.print("{}: nothing to remove\n",
                          printable(setup.engine.empty() ? setup.criu_folder
                                                         : path_of(setup, setup.engine.c_str())));
    }
    return kDone;
}

}  // namespace ckpt_lease::cli
