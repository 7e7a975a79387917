// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <spdlog/common.h>

#include <cstddef>
#include <string>
#include <vector>

namespace ckpt_lease::cli {

/// What the system's log is told of one run: syslog(3), which journald(8) keeps as well. It is told
/// in the end, by a child that nobody waits for and that ends in 2 seconds: whoever takes the lines
/// may not answer, and tasks may be stopped until the caller ends. Where it cannot be done, nothing
/// is said.
class SystemLog {
 public:
    SystemLog() = default;
    SystemLog(const SystemLog&) = delete;
    SystemLog& operator=(const SystemLog&) = delete;
    ~SystemLog();

    /// Of many lines, only the first are told, and how many there were.
    void add(spdlog::level::level_enum level, std::string text);
    void add_first(spdlog::level::level_enum level, std::string text);

 private:
    struct Line {
        spdlog::level::level_enum level;
        std::string text;
    };

    void log_all() const;

    std::vector<Line> lines_;
    std::size_t left_out_ = 0;
};

}  // namespace ckpt_lease::cli
