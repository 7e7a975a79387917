// SPDX-License-Identifier: GPL-2.0-or-later
#include "ckpt-lease/rewrite/edit_list.hpp"

#include <algorithm>
#include <stdexcept>

#include "ckpt-lease/base/problem.hpp"

namespace ckpt_lease {

void EditList::add(std::uint64_t offset, std::span<const std::byte> old_bytes,
                   std::span<const std::byte> new_bytes) {
    if (old_bytes.size() != new_bytes.size() || old_bytes.size() > kMostBytes ||
        (!rows_.empty() && rows_.back().offset + rows_.back().length > offset)) {
        throw std::logic_error("edits must be of equal length, in order, and must not overlap");
    }
    if (std::equal(old_bytes.begin(), old_bytes.end(), new_bytes.begin())) {
        return;
    }
    Row row{};
    row.offset = offset;
    row.length = static_cast<std::uint8_t>(old_bytes.size());
    std::copy(old_bytes.begin(), old_bytes.end(), row.old_bytes.begin());
    std::copy(new_bytes.begin(), new_bytes.end(), row.new_bytes.begin());
    rows_.push_back(row);
}

Edit EditList::at(std::size_t index) const {
    const Row& row = rows_[index];
    return {row.offset, std::span(row.old_bytes).first(row.length),
            std::span(row.new_bytes).first(row.length)};
}

std::size_t EditList::first_beyond(std::uint64_t offset) const {
    const auto found = std::partition_point(rows_.begin(), rows_.end(), [&](const Row& row) {
        return row.offset + row.length <= offset;
    });
    return static_cast<std::size_t>(found - rows_.begin());
}

void EditList::clear() noexcept {
    rows_.clear();
}

EditList inverse(const EditList& edits) {
    EditList back;
    for (std::size_t i = 0; i < edits.size(); ++i) {
        const Edit edit = edits.at(i);
        back.add(edit.offset, edit.new_bytes, edit.old_bytes);
    }
    return back;
}

void overwrite(std::span<std::byte> window, std::uint64_t offset, std::uint64_t at,
               std::span<const std::byte> bytes) noexcept {
    const std::uint64_t from = std::max(at, offset);
    const std::uint64_t to = std::min(at + bytes.size(), offset + window.size());
    if (from < to) {
        const auto part =
            bytes.subspan(static_cast<std::size_t>(from - at), static_cast<std::size_t>(to - from));
        std::copy(part.begin(), part.end(),
                  window.begin() + static_cast<std::ptrdiff_t>(from - offset));
    }
}

void apply_edit(const Edit& edit, std::span<std::byte> window, std::uint64_t offset,
                const std::string& file) {
    const std::uint64_t from = std::max(edit.offset, offset);
    const std::uint64_t to = std::min(edit.offset + edit.old_bytes.size(), offset + window.size());
    for (std::uint64_t at = from; at < to; ++at) {
        if (window[static_cast<std::size_t>(at - offset)] !=
            edit.old_bytes[static_cast<std::size_t>(at - edit.offset)]) {
            throw Error(Error::Kind::damaged,
                        {.file = file,
                         .offset = at,
                         .message = "the bytes here have changed since they were read",
                         .hint = "somebody else writes to this file; nothing was changed in it"});
        }
    }
    overwrite(window, offset, edit.offset, edit.new_bytes);
}

}  // namespace ckpt_lease
