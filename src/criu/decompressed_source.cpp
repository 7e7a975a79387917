// SPDX-License-Identifier: GPL-2.0-or-later
#include "criu/decompressed_source.hpp"

#include <span>
#include <utility>

namespace ckpt_lease::criu {

DecompressedSource::DecompressedSource(io::Source& compressed)
    : Source(compressed.name()), reader_(compressed, ArchiveReader::As::bytes) {
    static_cast<void>(reader_.next());
}

void DecompressedSource::fill(std::size_t count) {
    window_offset_ += cursor_;
    window_ = window_.subspan(std::exchange(cursor_, 0));
    if (window_.empty()) {
        window_ = reader_.read();
    }
    if (window_.empty() || window_.size() >= count) {
        return;
    }
    std::vector<std::byte> joined(window_.begin(), window_.end());
    while (joined.size() < count) {
        const std::span<const std::byte> more = reader_.read();
        if (more.empty()) {
            break;
        }
        joined.insert(joined.end(), more.begin(), more.end());
    }
    buffer_ = std::move(joined);
    window_ = buffer_;
}

}  // namespace ckpt_lease::criu
