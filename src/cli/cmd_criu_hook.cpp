// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <set>

#include "ckpt-lease/base/problem.hpp"
#include "cli/advice.hpp"
#include "cli/command.hpp"
#include "cli/environment.hpp"
#include "cli/exit_status.hpp"
#include "cli/hook_checks.hpp"
#include "cli/hook_log.hpp"
#include "cli/hook_setup.hpp"
#include "cli/options.hpp"
#include "cli/system_log.hpp"
#include "hook/hook.hpp"
#include "render/hook_check.hpp"
#include "render/parts.hpp"

namespace ckpt_lease::cli {
namespace {

// CRIU goes on restoring whatever pre-resume comes to: to fail is only possible before.
std::optional<hook::Stage> find_stage(const std::string& action, bool strict) {
    if (action == "post-dump") {
        return hook::Stage::post_dump;
    }
    if (action == "pre-resume") {
        return hook::Stage::pre_resume;
    }
    return strict && action == "post-restore" ? std::optional(hook::Stage::post_restore)
                                              : std::nullopt;
}

pid_t parse_pid(const char* variable) {
    return static_cast<pid_t>(
        parse_number_option(variable, environment_variable(variable), INT32_MAX));
}

// CRIU's plugin was there when the tasks were stopped.
std::optional<live::SteadyTime> frozen_at() {
    const std::string text = environment_variable("CKPT_LEASE_FROZEN");
    return text.empty() ? std::nullopt
                        : std::optional(live::SteadyTime(Nanoseconds(static_cast<std::int64_t>(
                              parse_number_option("CKPT_LEASE_FROZEN", text, INT64_MAX)))));
}

// ckpt-lease-criu-hook says so of a process that it started for the same stage before.
std::string how_it_crashed(const std::string& signal) {
    return signal == "0" ? "ckpt-lease did not come to an end"
                         : "ckpt-lease was killed by signal " + signal;
}

void log_message(const Context& context, spdlog::logger& log, const std::string& action,
                 const hook::Message& message, SystemLog& system) {
    using Level = hook::Message::Level;
    const spdlog::level::level_enum level = message.level == Level::info      ? spdlog::level::info
                                            : message.level == Level::warning ? spdlog::level::warn
                                                                              : spdlog::level::err;
    const std::string text = context.text_of(message.problem);
    log.log(level, "{}{}", message.ends_stage ? action + ": " : "", text);
    if (message.level != Level::info) {
        system.add(level, action + ": " + text);
    }
}

// What the hook was told of leases. One that several descriptors share is told of for each.
struct FoundLeases {
    std::set<FileId> all;
    std::set<FileId> breaking;
};

// One line of each dump and restore for the system's log: podman removes the other one.
void summarize(SystemLog& system, spdlog::logger& log, const hook::Call& call,
               const std::string& action, const FoundLeases& leases, hook::Result result) {
    if (leases.all.empty()) {
        return;
    }
    const bool is_dump = action == "post-dump";
    std::string breaks;
    if (is_dump && !leases.breaking.empty()) {
        breaks = fmt::format(
            "{} being broken: restore with ckpt-lease, or the time that is left is lost",
            leases.breaking.size());
        log.info("{}: {}", action, breaks);
        breaks.insert(0, ", ");
    }
    system.add_first(spdlog::level::info,
                     fmt::format("{}: {}: {} lease{} {}{}{}", action, call.folder->real_path(),
                                 leases.all.size(), leases.all.size() == 1 ? "" : "s",
                                 is_dump ? "captured" : "to be set", breaks,
                                 result == hook::Result::done
                                     ? ""
                                     : ", but something failed: ckpt-lease.log there says what"));
}

void log_lease(spdlog::logger& log, const LockList& locks, const Lock& lock) {
    log.info("lease {}: {}, descriptor {}, {}: {}", lock.index,
             render::shown_tasks(locks.tasks(lock)), lock.fd, render::shown_path(locks.path(lock)),
             render::describe(lock.lease));
}

class CriuHook final : public Command {
 public:
    void declare(CLI::App& app) override {
        auto* const check = app.add_flag(
            "--check", check_, "say whether a dump or restore that is started now keeps leases");
        auto* const install =
            app.add_flag("--install", install_, "have CRIU start the hook, whoever starts CRIU");
        auto* const uninstall =
            app.add_flag("--uninstall", uninstall_, "take the hook out of CRIU's configuration");
        install->excludes(check)->excludes(uninstall);
        uninstall->excludes(check);
        app.add_option("--engine", setup_.engine,
                       "with --install, --uninstall or --check: who starts CRIU: runc, crun, or "
                       "default, which is for all (with --check: CRIU as a program)")
            ->type_name("ENGINE")
            ->check(one_of({kEngines.begin(), kEngines.end()}));
        app.add_flag("--file-locks", setup_.file_locks,
                     "with --install: have CRIU dump and restore file locks without being told to")
            ->needs(install);
        app.add_flag("--script", setup_.script,
                     "with --install: have CRIU start the script also where it has the plugin")
            ->needs(install);
        app.add_option("--criu-folder", setup_.criu_folder,
                       "where CRIU's configuration files are, in the place of /etc/criu")
            ->type_name("FOLDER")
            ->check(offer("*"));
        app.add_option("--plugin-folder", setup_.plugin_folder,
                       "where CRIU looks for plugins, in the place of /usr/lib/criu")
            ->type_name("FOLDER")
            ->check(offer("*"));
        declare_json(app, json_);
        app.get_option("--json")->needs(check);
        app.footer(R"(CRIU's plugin starts this, or criu's option --action-script. The plugin, which
CRIU loads by itself from /usr/lib/criu, needs no configuration; the script is
for a CRIU that has no plugin. When the tasks are dumped, their leases are
captured into ckpt-lease.img in CRIU's image directory, with the time that was
left when they were stopped; show, policy and edit take that directory for an
image. When they are restored, before they run, the leases are set as it says.

Examples:
  criu dump -t 42 -D img --file-locks --file-validation filesize \
      --action-script ckpt-lease-criu-hook
  ckpt-lease policy --add 5 img
  criu restore -D img --file-locks --action-script ckpt-lease-criu-hook
  ckpt-lease criu-hook --install          for podman, and all who start criu
  ckpt-lease criu-hook --check

What it does is in ckpt-lease.log in that directory. It fails only if
CKPT_LEASE_STRICT=1 is set: then CRIU's dump or restore fails with it. With
CKPT_LEASE_ANY_PATH=1 files may have other paths after the restore. Without
--file-validation filesize, criu dump may wait for leases, and break them.)");
    }

    int run(const Context& context) override {
        if (check_) {
            return check(context);
        }
        if (install_) {
            const int status = install_hook(context, setup_);
            warn_of_criu(context);
            return status;
        }
        if (uninstall_) {
            return uninstall_hook(context, setup_);
        }
        return run_stage(context);
    }

 private:
    // Leases are kept unless something fails.
    int check(const Context& context) const {
        const std::vector<render::Check> checks = check_hook(context, setup_);
        const bool keeps = std::none_of(checks.begin(), checks.end(), [](const render::Check& one) {
            return one.state == render::Check::State::failed;
        });
        render::HookCheckReport report(context.out,
                                       context.form(json_, context.environment.out_page));
        report.checks(checks, keeps);
        report.end();
        return keeps ? kDone : kDamaged;
    }

    // An older CRIU fails with an action script, where a container engine starts it.
    void warn_of_criu(const Context& context) const {
        for (const render::Check& check : check_hook(context, setup_)) {
            if (check.name == "criu" && check.state == render::Check::State::failed) {
                context.warn("", {.severity = Problem::Severity::warning,
                                  .message = check.message,
                                  .hint = check.advice});
            }
        }
    }

    static int run_stage(const Context& context) {
        hook::Call call;
        const std::string action = environment_variable("CRTOOLS_SCRIPT_ACTION");
        const std::string folder = environment_variable("CRTOOLS_IMAGE_DIR");
        if (action.empty()) {
            refuse("CRTOOLS_SCRIPT_ACTION is not set: criu starts this command",
                   "criu dump ... --action-script ckpt-lease-criu-hook; by hand there are --check, "
                   "--install and --uninstall");
        }
        if (folder.empty()) {
            refuse("CRTOOLS_IMAGE_DIR is not set: criu starts this command",
                   "criu dump ... --action-script ckpt-lease-criu-hook");
        }
        const bool strict = environment_variable("CKPT_LEASE_STRICT") == "1";
        const auto stage = find_stage(action, strict);
        if (!stage) {
            return kDone;
        }
        // CRIU's folder may be a link of proc(5) and may be renamed: it is found once, here.
        SystemLog system;
        try {
            call.folder = io::Folder::open(*context.environment.system, folder, hook::kPatience);
        } catch (const Error& error) {
            context.complain(context.text_of(error));
            system.add(spdlog::level::err, action + ": " + context.text_of(error));
            return strict ? kInputOutput : kDone;
        }
        const auto log = open_hook_log(*call.folder);
        call.tell = [&](const hook::Message& message) {
            log_message(context, *log, action, message, system);
        };
        FoundLeases leases;
        call.show = [&](const LockList& locks, const Lock& lock) {
            log_lease(*log, locks, lock);
            leases.all.insert(lock.file);
            if (is_breaking(lock)) {
                leases.breaking.insert(lock.file);
            }
        };
        call.strict = strict;
        call.any_path = environment_variable("CKPT_LEASE_ANY_PATH") == "1";
        try {
            // Between CRIU and this there may be another program.
            call.criu = environment_variable("CKPT_LEASE_CRIU_PID").empty()
                            ? getppid()
                            : parse_pid("CKPT_LEASE_CRIU_PID");
            call.root = parse_pid("CRTOOLS_INIT_PID");
            call.frozen = frozen_at();
        } catch (const Error& error) {
            hook::give_up(*stage, call, error.problem());
            return strict ? kInputOutput : kDone;
        }
        if (const std::string signal = environment_variable("CKPT_LEASE_CRASHED");
            !signal.empty()) {
            hook::give_up(*stage, call, {.message = how_it_crashed(signal)});
            return kInputOutput;
        }
        const hook::Result result = hook::run(*stage, call);
        summarize(system, *log, call, action, leases, result);
        return strict ? exit_status(result) : kDone;
    }

    static int exit_status(hook::Result result) {
        return result == hook::Result::done     ? kDone
               : result == hook::Result::partly ? kPartly
                                                : kInputOutput;
    }

    bool check_ = false;
    bool install_ = false;
    bool uninstall_ = false;
    bool json_ = false;
    HookSetup setup_;
};

}  // namespace

std::unique_ptr<Command> make_criu_hook() {
    return std::make_unique<CriuHook>();
}

}  // namespace ckpt_lease::cli
