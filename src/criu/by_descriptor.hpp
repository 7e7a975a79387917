// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include "ckpt-lease/lease/lock_list.hpp"

namespace ckpt_lease::criu {

/// Something about locks, found by the descriptors that they are held through: pids and numbers of
/// descriptors, as CRIU's entries have them. What many tasks share is kept once, however many they
/// are: an image can state a table with thousands of both. A pid that stands in several tables is
/// that of the first one.
template <typename Value>
class ByDescriptor {
 public:
    /// Keeps `value` for the descriptor of `lock`, unless there is something already.
    void emplace(const LockList& locks, const Lock& lock, Value value) {
        if (tables_.insert(lock.table).second) {
            for (const Task& task : locks.tasks(lock)) {
                table_of_.emplace(task.pid, lock.table);
            }
        }
        values_.emplace(std::pair(lock.table, lock.fd), std::move(value));
    }

    /// Null if there is nothing.
    [[nodiscard]] const Value* find(std::int32_t pid, std::int32_t fd) const {
        const auto table = table_of_.find(pid);
        if (table == table_of_.end()) {
            return nullptr;
        }
        const auto value = values_.find({table->second, fd});
        return value == values_.end() ? nullptr : &value->second;
    }

 private:
    std::set<TableId> tables_;  // those whose tasks are in table_of_
    std::map<std::int32_t, TableId> table_of_;
    std::map<std::pair<TableId, std::int32_t>, Value> values_;
};

}  // namespace ckpt_lease::criu
