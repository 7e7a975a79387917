// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <ostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "ckpt-lease/lease/lock_list.hpp"
#include "ckpt-lease/lease/rules.hpp"

namespace ckpt_lease {

// For failure messages of GoogleTest.
inline void PrintTo(const Remaining& remaining, std::ostream* out) {
    *out << to_string(remaining);
}
inline void PrintTo(LockType type, std::ostream* out) {
    *out << to_string(type);
}
inline void PrintTo(LockKind kind, std::ostream* out) {
    *out << to_string(kind);
}
inline void PrintTo(const LeaseState& state, std::ostream* out) {
    *out << (state.breaking ? "breaking to " : "held, ") << to_string(state.type) << ", was "
         << (state.previous_type ? to_string(*state.previous_type) : "anything")
         << (state.notified ? ", notified, " : ", ") << (state.armed ? "armed, " : "")
         << to_string(state.remaining);
}

/// The policy `--name argument` and what goes with it.
inline Treatment treatment(const std::string& name, const std::string& argument = {}) {
    const PolicyKind* const kind = find_policy(name);
    if (kind == nullptr) {
        throw std::invalid_argument(name);
    }
    Treatment made;
    made.policy = kind->make(argument);
    made.uses_elapsed = kind->uses_elapsed;
    made.takes_unknown = kind->takes_unknown;
    return made;
}

/// A write lease that is being broken to none, whose holder was notified.
inline LeaseState breaking(Remaining remaining) {
    return {true, LockType::unlck, LockType::wrlck, true, remaining};
}
inline LeaseState breaking(Nanoseconds time) {
    return breaking(Remaining(time));
}

inline LeaseState held(LockType type) {
    LeaseState state;
    state.type = type;
    return state;
}

/// Fills a LockList, one lock after the other.
class ListBuilder {
 public:
    FileId file(std::string_view path) {
        const FileId id = list_.ownership().add_file();
        list_.ownership().set_path(id, path);
        return id;
    }
    TableId table(const std::vector<Task>& tasks) {
        const TableId id = list_.ownership().add_table();
        for (const Task& task : tasks) {
            list_.ownership().add_task(id, task);
        }
        return id;
    }
    Lock lease(FileId file, TableId table, std::int32_t fd, const LeaseState& state) {
        Lock lock;
        lock.index = list_.size();
        lock.offset = 1000 + lock.index * 40;
        lock.fd = fd;
        lock.file = file;
        lock.table = table;
        lock.kind = LockKind::lease;
        lock.lease = state;
        list_.add(lock);
        return lock;
    }
    /// A lease of a file and a table of its own.
    Lock lease(std::string_view path, std::int32_t pid, std::int32_t fd, const LeaseState& state) {
        return lease(file(path), table({{pid, "holder"}}), fd, state);
    }
    Lock posix(std::string_view path, std::int32_t pid, std::int32_t fd) {
        Lock lock;
        lock.index = list_.size();
        lock.offset = 1000 + lock.index * 40;
        lock.fd = fd;
        lock.file = file(path);
        lock.table = table({{pid, "locker"}});
        lock.kind = LockKind::posix;
        lock.range = {0, kToEndOfFile};
        list_.add(lock);
        return lock;
    }

    [[nodiscard]] const LockList& list() const { return list_; }
    [[nodiscard]] const Ownership& ownership() const { return list_.ownership(); }

 private:
    LockList list_;
};

}  // namespace ckpt_lease
