// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/system_log.hpp"

#include <fcntl.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/syslog_sink.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include <algorithm>
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

// Others wait until nobody has CRIU's standard error any more, or a file in the image directory.
void let_go_of_files() {
    const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        dup2(nothing, standard);
    }
    const auto most = static_cast<int>(std::min(sysconf(_SC_OPEN_MAX), 65536L));
    for (int file = STDERR_FILENO + 1; file < most; ++file) {
        close(file);
    }
}

}  // namespace

SystemLog::~SystemLog() {
    if (lines_.empty()) {
        return;
    }
    // The child's child belongs to init(8), or to ckpt-lease-criu-hook, which ends soon.
    const pid_t child = fork();
    if (child == 0) {
        if (fork() == 0) {
            alarm(kMostSeconds);
            let_go_of_files();
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
