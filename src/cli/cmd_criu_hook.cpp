// SPDX-License-Identifier: GPL-2.0-or-later
#include <unistd.h>

#include <cstdlib>

#include "ckpt-lease/base/problem.hpp"
#include "cli/command.hpp"
#include "cli/criu_stages.hpp"
#include "cli/exit_status.hpp"
#include "cli/hook_log.hpp"
#include "cli/options.hpp"

namespace ckpt_lease::cli {
namespace {

std::string criu_variable(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? std::string() : value;
}

// CRIU goes on restoring whatever pre-resume comes to: to fail is only possible before.
bool (*find_stage(const std::string& action, bool strict))(const CriuStage&) {
    if (action == "post-dump") {
        return post_dump;
    }
    if (action == "pre-resume") {
        return pre_resume;
    }
    return strict && action == "post-restore" ? post_restore : nullptr;
}

class CriuHook final : public Command {
 public:
    void declare(CLI::App& app) override {
        app.footer(R"(For criu's option --action-script. When the tasks are dumped, their leases are
captured into ckpt-lease.img in CRIU's image directory, with the time that was
left when they were stopped; show, policy and edit take that directory for an
image. When they are restored, before they run, the leases are set as it says.

Examples:
  criu dump -t 42 -D img --file-locks --file-validation filesize \
      --action-script ckpt-lease-criu-hook
  ckpt-lease policy --add 5 img
  criu restore -D img --file-locks --action-script ckpt-lease-criu-hook

What it does is in ckpt-lease.log in that directory. It fails only if
CKPT_LEASE_STRICT=1 is set: then CRIU's dump or restore fails with it. Without
--file-validation filesize, criu dump may wait for leases, and break them.)");
    }

    int run(const Context& context) override {
        CriuStage stage;
        const std::string action = criu_variable("CRTOOLS_SCRIPT_ACTION");
        const std::string folder = criu_variable("CRTOOLS_IMAGE_DIR");
        if (action.empty()) {
            refuse("CRTOOLS_SCRIPT_ACTION is not set: criu starts this command",
                   "criu dump ... --action-script ckpt-lease-criu-hook");
        }
        if (folder.empty()) {
            refuse("CRTOOLS_IMAGE_DIR is not set: criu starts this command",
                   "criu dump ... --action-script ckpt-lease-criu-hook");
        }
        const bool strict = criu_variable("CKPT_LEASE_STRICT") == "1";
        const auto stage_of = find_stage(action, strict);
        if (stage_of == nullptr) {
            return kDone;
        }
        // CRIU's folder may be a link of proc(5) and may be renamed: it is found once, here.
        try {
            stage.folder = io::Folder::open(*context.environment.system, folder, kHookPatience);
        } catch (const Error& error) {
            context.complain(error.what());
            return strict ? kInputOutput : kDone;
        }
        const auto log = open_hook_log(*stage.folder);
        stage.log = log.get();
        stage.strict = strict;
        // Between CRIU and this there may be a script.
        const std::string criu = criu_variable("CKPT_LEASE_CRIU_PID");
        try {
            stage.criu = criu.empty() ? getppid()
                                      : static_cast<pid_t>(parse_number_option(
                                            "CKPT_LEASE_CRIU_PID", criu, INT32_MAX));
            stage.root = static_cast<pid_t>(parse_number_option(
                "CRTOOLS_INIT_PID", criu_variable("CRTOOLS_INIT_PID"), INT32_MAX));
            return stage_of(stage) || !strict ? kDone : kPartly;
        } catch (const std::exception& error) {
            log->error("{}: {}", action, error.what());
            return strict ? kInputOutput : kDone;
        }
    }
};

}  // namespace

std::unique_ptr<Command> make_criu_hook() {
    return std::make_unique<CriuHook>();
}

}  // namespace ckpt_lease::cli
