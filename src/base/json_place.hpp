// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <string_view>

namespace ckpt_lease {

/// A place in a text; both count from 1, and columns are bytes.
struct TextPlace {
    std::size_t line = 1;
    std::size_t column = 1;
};

[[nodiscard]] TextPlace place_of(std::string_view text, std::size_t offset);

/// Where in `json`, which is JSON without faults, the value begins that `pointer` (RFC 6901) leads
/// to; of the member of an object the name. The last place that was found, if there is no such
/// value.
[[nodiscard]] TextPlace place_of_value(std::string_view json, std::string_view pointer);

}  // namespace ckpt_lease
