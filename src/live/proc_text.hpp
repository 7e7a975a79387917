// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

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

/// What of a file of proc(5) can be read: nothing of one that is not there any more, or may not be
/// looked at. They have no size, and none that is read whole is long.
[[nodiscard]] std::string read_if_there(const std::string& path);

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
