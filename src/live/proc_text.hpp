// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace ckpt_lease::live {

/// The number that is all of `text`; nothing if it is none, or too large.
template <typename Number>
[[nodiscard]] std::optional<Number> parse_number(std::string_view text, int base = 10) {
    Number number{};
    const char* const end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, number, base);
    return error == std::errc() && stopped == end ? std::optional(number) : std::nullopt;
}

/// The text of a file of proc(5). Throws Error(io) that names it.
[[nodiscard]] std::string read_text(const std::string& path);

/// What of a file of proc(5) can be read: nothing of one that is not there any more, or may not be
/// looked at. They have no size, and none is longer than 64 MiB.
[[nodiscard]] std::string read_if_there(const std::string& path);

/// What /proc/PID/comm says: the name of a process, which may have ends of lines in it.
[[nodiscard]] std::string comm_in(std::string text);

/// The name of a process, bytes; empty if it is not there.
[[nodiscard]] std::string comm_of(pid_t pid);

/// The word in front, taken off `text`; empty at its end.
std::string_view take_word(std::string_view& text);

/// Hands each line of `text` to `visit`, without its end.
template <typename Visit>
void for_each_line(std::string_view text, Visit visit) {
    while (!text.empty()) {
        const std::size_t length = std::min(text.find('\n'), text.size());
        visit(text.substr(0, length));
        text.remove_prefix(std::min(length + 1, text.size()));
    }
}

}  // namespace ckpt_lease::live
