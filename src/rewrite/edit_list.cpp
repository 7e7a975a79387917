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

void EditList::clear() noexcept {
    rows_.clear();
}

void apply_edit(const Edit& edit, std::span<std::byte> window, std::uint64_t offset,
                const std::string& file) {
    const std::uint64_t from = std::max(edit.offset, offset);
    const std::uint64_t to = std::min(edit.offset + edit.old_bytes.size(), offset + window.size());
    for (std::uint64_t at = from; at < to; ++at) {
        std::byte& byte = window[static_cast<std::size_t>(at - offset)];
        const auto i = static_cast<std::size_t>(at - edit.offset);
        if (byte != edit.old_bytes[i]) {
            Problem problem;
            problem.file = file;
            problem.offset = at;
            problem.message = "the bytes here have changed since they were read";
            problem.hint = "somebody else writes to this file; nothing was changed in it";
            throw Error(Error::Kind::damaged, std::move(problem));
        }
        byte = edit.new_bytes[i];
    }
}

}  // namespace ckpt_lease
