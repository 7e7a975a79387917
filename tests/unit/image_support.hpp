// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "writers_support.hpp"

namespace ckpt_lease {

/// All bytes of an image, as a command reads them.
inline std::string contents(const ImageFile& image) {
    std::string bytes(static_cast<std::size_t>(image.file().size()), '\0');
    EXPECT_EQ(image.file().read_at(std::as_writable_bytes(std::span(bytes)), 0), bytes.size());
    return bytes;
}

/// Why the image at `path` cannot be opened.
inline std::string why_not(const std::string& path, const ImageFile::Options& options,
                           Error::Kind kind) {
    return message_of(kind, [&] { const ImageFile image(kernel(), path, options); });
}

}  // namespace ckpt_lease
