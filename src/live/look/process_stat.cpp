// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/process_stat.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <ctime>

#include "live/proc_text.hpp"

namespace ckpt_lease::live {
namespace {

constexpr std::int64_t kPerSecond = 1'000'000'000;

}  // namespace

// "42 (a name) S 1 ...": the name may hold anything, but is in parentheses. Field 22 is the start.
std::optional<ProcessStat> parse_stat(std::string_view text) {
    constexpr int kBetween = 19;
    const std::size_t begin = text.find('(');
    const std::size_t end = text.rfind(')');
    if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) {
        return std::nullopt;
    }
    std::string_view rest = text.substr(end + 1);
    const std::string_view state = take_word(rest);
    for (int i = 1; i < kBetween; ++i) {
        take_word(rest);
    }
    const auto ticks = parse_number<std::int64_t>(take_word(rest));
    const std::int64_t tick = kPerSecond / sysconf(_SC_CLK_TCK);
    if (!ticks || *ticks < 0 || *ticks > INT64_MAX / tick) {
        return std::nullopt;
    }
    return ProcessStat{.comm = std::string(text.substr(begin + 1, end - begin - 1)),
                       .has_ended = state == "Z" || state == "X",
                       .started = Nanoseconds(*ticks * tick)};
}

std::optional<ProcessStat> read_stat(const std::string& folder) {
    return parse_stat(read_if_there(folder + "/stat"));
}

Nanoseconds since_boot() {
    timespec time{};
    clock_gettime(CLOCK_BOOTTIME, &time);
    return Nanoseconds(time.tv_sec * kPerSecond + time.tv_nsec);
}

// "0::/user.slice" is of the unified hierarchy, "1:name=systemd:/user.slice" of another.
std::string parse_cgroup(std::string_view text) {
    std::string best;
    int rank = 0;
    for_each_line(text, [&](std::string_view line) {
        const std::size_t first = line.find(':');
        const std::size_t second =
            first == std::string_view::npos ? first : line.find(':', first + 1);
        if (second == std::string_view::npos) {
            return;
        }
        const std::string_view controllers = line.substr(first + 1, second - first - 1);
        const int its = controllers.empty() ? 3 : controllers == "name=systemd" ? 2 : 1;
        if (its > rank) {
            rank = its;
            best = line.substr(second + 1);
        }
    });
    return best;
}

}  // namespace ckpt_lease::live
