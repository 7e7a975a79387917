// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace ckpt_lease {

/// Bytes that are kept, one piece after the other, and never move: for millions of small things,
/// which would take several times their size as objects of their own.
class ByteStore {
 public:
    /// Room for `count` bytes that stand together. What of them is not taken is handed out again.
    [[nodiscard]] std::byte* room(std::size_t count) {
        if (count > left_) {
            add_chunk(count);
        }
        return next_;
    }
    /// Keeps the first `count` bytes of the room: no more than were asked for.
    void take(std::size_t count) noexcept {
        next_ += count;
        left_ -= count;
    }

 private:
    void add_chunk(std::size_t least) {
        constexpr std::size_t kChunk = std::size_t{64} * 1024;
        left_ = least > kChunk ? least : kChunk;
        // Not initialized: memory that is not used yet is not there yet either.
        next_ = chunks_.emplace_back(new std::byte[left_]).get();
    }

    std::vector<std::unique_ptr<std::byte[]>> chunks_;
    std::byte* next_ = nullptr;
    std::size_t left_ = 0;
};

}  // namespace ckpt_lease
