// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/system_log.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/syslog_sink.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <memory>
#include <utility>

#include "cli/log_format.hpp"
#include "hook/criu_config.hpp"

namespace ckpt_lease::cli {
namespace {

constexpr unsigned kMostSeconds = 2;
constexpr std::size_t kMostLines = 20;

}  // namespace

SystemLog::~SystemLog() {
    if (lines_.empty()) {
        return;
    }
    // The child's child belongs to init(8), which is told when it ends.
    const pid_t child = fork();
    if (child == 0) {
        if (fork() == 0) {
            alarm(kMostSeconds);
            try {
                log_all();
            } catch (const std::exception&) {
                // There is nobody left to tell.
            }
        }
        _exit(EXIT_SUCCESS);
    }
    if (child > 0) {
        waitpid(child, nullptr, 0);
    }
}

void SystemLog::add(spdlog::level::level_enum level, std::string text) {
    if (lines_.size() < kMostLines) {
        lines_.push_back({level, std::move(text)});
    } else {
        ++left_out_;
    }
}

void SystemLog::add_first(spdlog::level::level_enum level, std::string text) {
    lines_.insert(lines_.begin(), {level, std::move(text)});
}

void SystemLog::log_all() const {
    const auto sink = std::make_shared<spdlog::sinks::syslog_sink_st>(hook::kHookProgram, LOG_PID,
                                                                      LOG_DAEMON, true);
    sink->set_formatter(log_format("%*"));
    spdlog::logger log("criu-hook", sink);
    for (const Line& line : lines_) {
        log.log(line.level, "{}", line.text);
    }
    if (left_out_ > 0) {
        log.warn("{} more lines are in ckpt-lease.log in the image directory", left_out_);
    }
}

}  // namespace ckpt_lease::cli
