// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ckpt_lease {

/// A place in a text; both count from 1. Columns are characters (code points of UTF-8), as editors
/// count them, whatever their width: a tab is one. A byte order mark is none.
struct TextPlace {
    std::size_t line = 1;
    std::size_t column = 1;
};

[[nodiscard]] TextPlace place_of(std::string_view text, std::size_t offset);

/// "line 3, column 14"
[[nodiscard]] std::string to_string(const TextPlace& place);

/// The bytes of the byte order mark that `text` begins with: 3 or 0.
[[nodiscard]] std::size_t byte_order_mark(std::string_view text);

/// Where in `json`, which is JSON without faults, the value begins that `pointer` (RFC 6901) leads
/// to; of the member of an object the name. The last place that was found, if there is no such
/// value.
[[nodiscard]] TextPlace place_of_value(std::string_view json, std::string_view pointer);

/// `name` as it stands in a JSON pointer.
[[nodiscard]] std::string pointer_step(std::string_view name);

}  // namespace ckpt_lease
