// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>

#include "ckpt-lease/base/api.hpp"

namespace ckpt_lease {

/// One place of a file at which bytes are to be replaced by as many others.
struct Edit {
    std::uint64_t offset = 0;
    std::span<const std::byte> old_bytes;
    std::span<const std::byte> new_bytes;
};

/// What is to be written, in the order of the file, without overlaps. Deciding what to write ends
/// in such a list, and writing starts from it: a dry run shows it, the writers carry it out.
class CKPT_LEASE_API EditList {
 public:
    /// Appends an edit; it must begin at or after the end of the one before. Both spans have the
    /// same length, one field's: at most 8 bytes. They are copied. An edit that changes nothing is
    /// left out.
    void add(std::uint64_t offset, std::span<const std::byte> old_bytes,
             std::span<const std::byte> new_bytes);

    [[nodiscard]] bool empty() const noexcept { return rows_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return rows_.size(); }
    [[nodiscard]] Edit at(std::size_t index) const;
    /// The first edit that reaches beyond `offset`; size() if none does.
    [[nodiscard]] std::size_t first_beyond(std::uint64_t offset) const;
    void clear() noexcept;

    /// The most that one edit replaces.
    static constexpr std::size_t kMostBytes = 8;

 private:
    struct Row {
        std::uint64_t offset;
        std::uint8_t length;
        std::array<std::byte, kMostBytes> old_bytes;
        std::array<std::byte, kMostBytes> new_bytes;
    };
    std::deque<Row> rows_;
};

/// The edits that take `edits` back.
[[nodiscard]] EditList inverse(const EditList& edits);

/// Copies `bytes`, which stand at `at` of the file, into `window`, which stands at `offset` of it,
/// as far as they fall into it.
void overwrite(std::span<std::byte> window, std::uint64_t offset, std::uint64_t at,
               std::span<const std::byte> bytes) noexcept;

/// Replaces the bytes of `window`, which stands at `offset` of the file, by those of `edit` as far
/// as they fall into it. Throws Error(damaged), naming `file`, if other bytes stand there than the
/// edit expects.
void apply_edit(const Edit& edit, std::span<std::byte> window, std::uint64_t offset,
                const std::string& file);

}  // namespace ckpt_lease
