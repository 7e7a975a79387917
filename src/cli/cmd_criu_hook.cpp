// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "cli/command.hpp"
#include "cli/criu_stages.hpp"
#include "cli/exit_status.hpp"
#include "cli/options.hpp"

namespace ckpt_lease::cli {
namespace {

constexpr const char* kLog = "ckpt-lease.log";

std::string criu_variable(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? std::string() : value;
}

// Beside the images; on standard error where nothing can be written there.
std::shared_ptr<spdlog::logger> open_log(const std::string& folder) {
    std::shared_ptr<spdlog::logger> log;
    try {
        log = std::make_shared<spdlog::logger>(
            "criu-hook", std::make_shared<spdlog::sinks::basic_file_sink_st>(folder + "/" + kLog));
    } catch (const spdlog::spdlog_ex&) {
        log = std::make_shared<spdlog::logger>("criu-hook",
                                               std::make_shared<spdlog::sinks::stderr_sink_st>());
    }
    log->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l: %v");
    log->flush_on(spdlog::level::info);
    return log;
}

class CriuHook final : public Command {
 public:
    void declare(CLI::App& app) override {
        app.footer(R"(For criu's option --action-script. When the tasks are dumped, their leases are
captured into ckpt-lease.img in CRIU's image directory, with the time that was
left when they were stopped; show, policy and edit take that directory for an
image. When they are restored, before they run, the leases are set as it says.

Examples:
  criu dump -t 42 -D img --file-locks --action-script ckpt-lease-criu-hook
  ckpt-lease policy --add 5 img
  criu restore -D img --file-locks --action-script ckpt-lease-criu-hook

What it does is in ckpt-lease.log in that directory. It fails only if
CKPT_LEASE_STRICT=1 is set: then CRIU's dump or restore fails with it.)");
    }

    int run(const Context& context) override {
        CriuStage stage;
        const std::string action = criu_variable("CRTOOLS_SCRIPT_ACTION");
        stage.folder = criu_variable("CRTOOLS_IMAGE_DIR");
        if (action.empty()) {
            refuse("CRTOOLS_SCRIPT_ACTION is not set: criu starts this command",
                   "criu dump ... --action-script ckpt-lease-criu-hook");
        }
        if (action != "post-dump" && action != "pre-resume") {
            return kDone;
        }
        const bool strict = criu_variable("CKPT_LEASE_STRICT") == "1";
        const auto log = open_log(stage.folder);
        stage.system = context.environment.system;
        stage.log = log.get();
        try {
            stage.root = static_cast<pid_t>(parse_number_option(
                "CRTOOLS_INIT_PID", criu_variable("CRTOOLS_INIT_PID"), INT32_MAX));
            const bool all = action == "post-dump" ? post_dump(stage) : pre_resume(stage);
            return all || !strict ? kDone : kPartly;
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
