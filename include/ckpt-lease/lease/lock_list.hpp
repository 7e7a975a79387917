// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "ckpt-lease/lease/lock.hpp"

namespace ckpt_lease {

struct Task {
    std::int32_t pid = 0;  ///< in its container
    std::string comm;      ///< the command name: bytes, without the padding
};

/// Whose a lock is: open files with their paths, and file tables with the tasks that use them.
class Ownership {
 public:
    /// A struct file whose path is not known (yet).
    FileId add_file();
    /// Names a file. The path is bytes; a later call for the same file is ignored.
    void set_path(FileId file, std::string_view path);
    TableId add_table();
    void add_task(TableId table, const Task& task);

    [[nodiscard]] std::size_t file_count() const noexcept { return files_.size(); }
    [[nodiscard]] std::size_t table_count() const noexcept { return tables_.size(); }
    /// Empty if the file has no name (a pipe, a socket).
    [[nodiscard]] std::string_view path(FileId file) const;
    /// The tasks in the order in which they were added.
    [[nodiscard]] const std::vector<Task>& tasks(TableId table) const;

 private:
    // Paths lie end to end in chunks that never move: millions of files are common, and a string
    // object for each would take several times the memory of the names.
    static constexpr std::size_t kChunk = std::size_t{64} * 1024;
    struct File {
        const char* path = nullptr;
        std::uint32_t length = 0;
    };
    std::deque<File> files_;
    std::deque<std::vector<Task>> tables_;
    std::deque<std::vector<char>> chunks_;
};

/// All locks of one input, in its order. A Lock is put together when it is asked for; what is kept
/// is 40 bytes each.
class LockList {
 public:
    /// Appends a lock; its index must be size().
    void add(const Lock& lock);

    [[nodiscard]] std::size_t size() const noexcept { return rows_.size(); }
    [[nodiscard]] Lock at(std::size_t index) const;

    [[nodiscard]] Ownership& ownership() noexcept { return ownership_; }
    [[nodiscard]] const Ownership& ownership() const noexcept { return ownership_; }

    [[nodiscard]] std::string_view path(const Lock& lock) const {
        return ownership_.path(lock.file);
    }
    [[nodiscard]] const std::vector<Task>& tasks(const Lock& lock) const {
        return ownership_.tasks(lock.table);
    }

 private:
    struct Row {
        std::uint64_t offset;
        std::int64_t first;   // remaining nanoseconds of a lease, else start
        std::int64_t second;  // of locks that are no lease: end
        std::int32_t fd;
        FileId file;
        TableId table;
        LockKind kind : 2;
        bool breaking : 1;
        bool notified : 1;
        LockType type;
        LockType previous_type;
    };
    std::deque<Row> rows_;
    Ownership ownership_;
};

}  // namespace ckpt_lease
