// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace ckpt_lease {

/// The words with `separator` between them. With fmt::join() of strings, GCC 12 warns of fmt's own
/// code at -O3.
template <typename Words>
[[nodiscard]] std::string joined(const Words& words, std::string_view separator) {
    std::string text;
    bool is_first = true;
    for (const auto& word : words) {
        text += is_first ? std::string_view() : separator;
        text += word;
        is_first = false;
    }
    return text;
}

}  // namespace ckpt_lease
