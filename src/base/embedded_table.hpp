// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string_view>

namespace ckpt_lease {

/// The table that scripts/embed.py writes from schemas/, sorted by name; json_file.hpp looks
/// things up in it.
struct EmbeddedFile {
    std::string_view name;
    std::string_view text;
};

extern const EmbeddedFile kEmbeddedFiles[];
extern const unsigned kEmbeddedFileCount;

}  // namespace ckpt_lease
