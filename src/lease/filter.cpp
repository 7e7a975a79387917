// SPDX-License-Identifier: GPL-2.0-or-later
#include <fnmatch.h>

#include <algorithm>

#include "ckpt-lease/lease/rules.hpp"

namespace ckpt_lease {
namespace {

bool matches_glob(const std::string& pattern, std::string_view text) {
    // What stands before the first special character (fnmatch() takes the NUL for the end) decides
    // in most cases, and at a fraction of the cost.
    const std::size_t literal = pattern.find_first_of(std::string_view("*?[\\\0", 5));
    if (!text.starts_with(std::string_view(pattern).substr(0, literal))) {
        return false;
    }
    return fnmatch(pattern.c_str(), std::string(text).c_str(), 0) == 0;
}

template <typename Wanted, typename Value>
bool all_equal(const std::vector<Wanted>& wanted, const Value& value) {
    return std::all_of(wanted.begin(), wanted.end(), [&](const Wanted& w) { return w == value; });
}

template <typename Wanted, typename Matches>
bool each_has_a_task(const std::vector<Wanted>& wanted, const std::vector<Task>& tasks,
                     Matches matches) {
    return std::all_of(wanted.begin(), wanted.end(), [&](const Wanted& w) {
        return std::any_of(tasks.begin(), tasks.end(),
                           [&](const Task& task) { return matches(w, task); });
    });
}

template <typename Value>
bool differ(const std::vector<Value>& values) {
    return std::any_of(values.begin(), values.end(),
                       [&](const Value& v) { return v != values.front(); });
}

// Of a lease.
Phase phase_of(const Lock& lock) {
    return lock.lease.breaking ? Phase::breaking : Phase::held;
}

}  // namespace

std::optional<Phase> parse_phase(std::string_view text) {
    if (text == "breaking") {
        return Phase::breaking;
    }
    return text == "held" ? std::optional(Phase::held) : std::nullopt;
}

bool Filter::matches(const Lock& lock, const Ownership& ownership) const {
    if (!all_equal(indexes, lock.index) || !all_equal(fds, lock.fd)) {
        return false;
    }
    if (!targets.empty() && !(is_breaking(lock) && all_equal(targets, lock.lease.type))) {
        return false;
    }
    if (!phases.empty() && !(lock.kind == LockKind::lease && all_equal(phases, phase_of(lock)))) {
        return false;
    }
    if (!std::all_of(paths.begin(), paths.end(), [&](const std::string& p) {
            return matches_glob(p, ownership.path(lock.file));
        })) {
        return false;
    }
    if (!needs_tasks()) {
        return true;
    }
    const std::vector<Task>& tasks = ownership.tasks(lock.table);
    return each_has_a_task(pids, tasks,
                           [](std::int32_t pid, const Task& task) { return task.pid == pid; }) &&
           each_has_a_task(comms, tasks, [](const std::string& comm, const Task& task) {
               return matches_glob(comm, task.comm);
           });
}

void Filter::add(const Filter& other) {
    const auto append = [](auto& to, const auto& from) {
        to.insert(to.end(), from.begin(), from.end());
    };
    append(paths, other.paths);
    append(comms, other.comms);
    append(pids, other.pids);
    append(fds, other.fds);
    append(indexes, other.indexes);
    append(targets, other.targets);
    append(phases, other.phases);
}

std::optional<Condition> Filter::contradiction() const {
    if (differ(indexes)) {
        return Condition::index;
    }
    if (differ(fds)) {
        return Condition::fd;
    }
    if (differ(targets)) {
        return Condition::target;
    }
    return differ(phases) ? std::optional(Condition::phase) : std::nullopt;
}

}  // namespace ckpt_lease
