// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>

namespace ckpt_lease::render {

class Document;

/// What a table may use of the place it is printed on.
struct Page {
    std::size_t width = 80;  ///< columns
    bool colour = false;
    bool utf8 = false;  ///< whether lines may be drawn with more than ASCII
};

/// How a command prints: as JSON, which the schema of its name in schemas/ describes, or as text
/// for people.
struct Form {
    bool json = false;
    Page page = {};                ///< of text
    Document* document = nullptr;  ///< of JSON; null: one that only tells of what is reported
};

}  // namespace ckpt_lease::render
