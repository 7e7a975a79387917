// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "ckpt-lease/base/byte_store.hpp"
#include "ckpt-lease/lease/lock.hpp"

namespace ckpt_lease {

struct Task {
    std::int32_t pid = 0;  ///< in its container
    std::string comm;      ///< the command name: bytes, without the padding
};

/// Whose a lock is: open files with their paths, and file tables with the tasks that use them.
class Ownership {
 public:
    Ownership() = default;
    Ownership(Ownership&&) = default;
    Ownership(const Ownership&) = delete;
    Ownership& operator=(Ownership&&) = default;
    Ownership& operator=(const Ownership&) = delete;
    ~Ownership() = default;

    /// A struct file whose path is not known (yet).
    FileId add_file();
    /// Names a file. The path is bytes; a later call for the same file is ignored.
    void set_path(FileId file, std::string_view path);
    TableId add_table();
    void add_task(TableId table, const Task& task);

    [[nodiscard]] std::size_t file_count() const noexcept { return paths_.size(); }
    [[nodiscard]] std::size_t table_count() const noexcept { return tables_.size(); }
    /// Empty if the file has no name (a pipe, a socket).
    [[nodiscard]] std::string_view path(FileId file) const;
    /// The tasks in the order in which they were added.
    [[nodiscard]] const std::vector<Task>& tasks(TableId table) const;

 private:
    // A path stands in the store behind its length. Millions of files are common, and a string
    // object for each would take several times the memory of the names.
    std::deque<const std::byte*> paths_;  // null: no name
    std::deque<std::vector<Task>> tables_;
    ByteStore store_;
};

/// All locks of one input, in its order. A Lock is put together when it is asked for; what is kept
/// is some 10 to 15 bytes each.
class LockList {
 public:
    /// How many locks stand in one block: those that for_each() can begin at.
    static constexpr std::size_t kRowsOfBlock = 16;

    /// Appends a lock; its index must be size().
    void add(const Lock& lock);

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] Lock at(std::size_t index) const;

    /// Hands every lock to `visit`, in their order: faster than at(), and for millions of them.
    template <typename Visit>
    void for_each(Visit visit) const {
        for_each(0, size_, visit);
    }
    /// The same for those from `begin` on that come before `end`; `begin` is a multiple of
    /// kRowsOfBlock.
    template <typename Visit>
    void for_each(std::size_t begin, std::size_t end, Visit visit) const {
        Lock lock;
        const std::byte* row = nullptr;
        for (std::size_t i = begin; i < std::min(end, size_); ++i) {
            row = i % kRowsOfBlock == 0 ? begin_block(i, lock) : row;
            row = read_row(row, lock);
            lock.index = i;
            visit(static_cast<const Lock&>(lock));
        }
    }

    [[nodiscard]] Ownership& ownership() noexcept { return ownership_; }
    [[nodiscard]] const Ownership& ownership() const noexcept { return ownership_; }

    [[nodiscard]] std::string_view path(const Lock& lock) const {
        return ownership_.path(lock.file);
    }
    [[nodiscard]] const std::vector<Task>& tasks(const Lock& lock) const {
        return ownership_.tasks(lock.table);
    }

 private:
    // A row holds how a lock differs from the one before it. Where a block of rows begins, and what
    // its first row differs from, is kept apart, so that any lock can be found in a few steps.
    struct Block {
        const std::byte* rows;
        std::uint64_t offset;
        std::int32_t fd;
        FileId file;
        TableId table;
    };

    // Both return the row that comes next.
    [[nodiscard]] const std::byte* begin_block(std::size_t index, Lock& lock) const;
    [[nodiscard]] static const std::byte* read_row(const std::byte* row, Lock& lock);

    std::deque<Block> blocks_;
    ByteStore rows_;
    std::size_t size_ = 0;
    Lock last_;  // what the next row differs from
    Ownership ownership_;
};

}  // namespace ckpt_lease
