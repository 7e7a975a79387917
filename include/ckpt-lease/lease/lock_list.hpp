// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ckpt-lease/base/api.hpp"
#include "ckpt-lease/lease/lock.hpp"

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

struct Task {
    std::int32_t pid = 0;  ///< in its container
    std::string comm;      ///< the command name: bytes, without the padding
};

/// Whose a lock is: open files with their paths, and file tables with the tasks that use them.
class CKPT_LEASE_API Ownership {
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
class CKPT_LEASE_API LockList {
 public:
    /// Appends a lock; its index must be size().
    void add(const Lock& lock);

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] Lock at(std::size_t index) const;

    /// Hands every lock to `visit`, in their order: faster than at(), and for millions of them.
    template <typename Visit>
    void for_each(Visit visit) const {
        for_each_of(0, size_, visit);
    }
    /// The same for those from `begin` up to, and without, `end`, which is at most size(). Several
    /// threads may do so at a time.
    template <typename Visit>
    void for_each_of(std::size_t begin, std::size_t end, Visit visit) const {
        Lock lock;
        const std::byte* row = nullptr;
        for (std::size_t i = begin - begin % kRowsOfBlock; i < end; ++i) {
            row = i % kRowsOfBlock == 0 ? begin_block(i, lock) : row;
            row = read_row(row, lock);
            lock.index = i;
            if (i >= begin) {
                visit(static_cast<const Lock&>(lock));
            }
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

    static constexpr std::size_t kRowsOfBlock = 16;

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
