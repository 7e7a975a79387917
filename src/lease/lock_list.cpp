// SPDX-License-Identifier: GPL-2.0-or-later
#include "ckpt-lease/lease/lock_list.hpp"

#include <algorithm>

namespace ckpt_lease {

FileId Ownership::add_file() {
    files_.emplace_back();
    return static_cast<FileId>(files_.size() - 1);
}

void Ownership::set_path(FileId file, std::string_view path) {
    File& entry = files_[static_cast<std::size_t>(file)];
    if (entry.path != nullptr || path.empty()) {
        return;
    }
    if (chunks_.empty() || chunks_.back().capacity() - chunks_.back().size() < path.size()) {
        chunks_.emplace_back().reserve(std::max(kChunk, path.size()));
    }
    std::vector<char>& chunk = chunks_.back();
    const auto at = chunk.insert(chunk.end(), path.begin(), path.end());
    entry = {&*at, static_cast<std::uint32_t>(path.size())};
}

TableId Ownership::add_table() {
    tables_.emplace_back();
    return static_cast<TableId>(tables_.size() - 1);
}

void Ownership::add_task(TableId table, const Task& task) {
    tables_[static_cast<std::size_t>(table)].push_back(task);
}

std::string_view Ownership::path(FileId file) const {
    const File& entry = files_[static_cast<std::size_t>(file)];
    return {entry.path, entry.length};
}

const std::vector<Task>& Ownership::tasks(TableId table) const {
    return tables_[static_cast<std::size_t>(table)];
}

void LockList::add(const Lock& lock) {
    const bool is_lease = lock.kind == LockKind::lease;
    Row row{};
    row.offset = lock.offset;
    row.first = is_lease ? lock.lease.remaining.time().count() : lock.range.start;
    row.second = is_lease ? 0 : lock.range.end;
    row.fd = lock.fd;
    row.file = lock.file;
    row.table = lock.table;
    row.kind = lock.kind;
    row.breaking = lock.lease.breaking;
    row.notified = lock.lease.notified;
    row.type = lock.lease.type;
    row.previous_type = lock.lease.previous_type;
    rows_.push_back(row);
}

Lock LockList::at(std::size_t index) const {
    const Row& row = rows_[index];
    Lock lock;
    lock.index = index;
    lock.offset = row.offset;
    lock.fd = row.fd;
    lock.file = row.file;
    lock.table = row.table;
    lock.kind = row.kind;
    lock.lease.breaking = row.breaking;
    lock.lease.notified = row.notified;
    lock.lease.type = row.type;
    lock.lease.previous_type = row.previous_type;
    if (row.kind != LockKind::lease) {
        lock.range = {row.first, row.second};
    } else {
        lock.lease.remaining =
            row.first < 0 ? Remaining::no_deadline() : Remaining(Nanoseconds(row.first));
    }
    return lock;
}

}  // namespace ckpt_lease
