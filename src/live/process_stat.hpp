// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "ckpt-lease/base/time.hpp"

namespace ckpt_lease::live {

/// What /proc/PID/stat tells in one look, and so of one process, whatever becomes of its pid.
struct ProcessStat {
    std::string comm;        ///< bytes
    bool has_ended = false;  ///< a zombie
    /// Since the machine was started (CLOCK_BOOTTIME), rounded down to a hundredth of a second.
    Nanoseconds started{0};
};

/// Reads the text of such a file; nothing if it is none.
[[nodiscard]] std::optional<ProcessStat> parse_stat(std::string_view text);

/// Reads FOLDER/stat; nothing if it is not there.
[[nodiscard]] std::optional<ProcessStat> read_stat(const std::string& folder);

/// How long the machine runs.
[[nodiscard]] Nanoseconds since_boot();

/// The path of a process's cgroup by the text of /proc/PID/cgroup: that of the unified hierarchy,
/// or where there is none that of systemd's own; else the first. Empty if there is none.
[[nodiscard]] std::string parse_cgroup(std::string_view text);

}  // namespace ckpt_lease::live
