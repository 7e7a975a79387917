// SPDX-License-Identifier: GPL-2.0-or-later
#include "lease/events.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>

namespace ckpt_lease {
namespace {

constexpr Nanoseconds kSlack = std::chrono::milliseconds(50);

using ProcessKey = std::pair<std::int32_t, std::optional<Nanoseconds>>;
// Process, descriptor, and which file it leads to.
using DescriptorKey = std::tuple<std::int32_t, std::int32_t, std::string>;

ProcessKey key_of(const ProcessFacts& process) {
    return {process.task.pid, process.started};
}

// A file may get another name, so its inode is better than its path.
std::string file_key(const Snapshot& snapshot, const Lock& lock) {
    const auto file = static_cast<std::size_t>(lock.file);
    if (file >= snapshot.files.size()) {
        return std::string(snapshot.locks.path(lock));
    }
    const FileFacts& facts = snapshot.files[file];
    return std::to_string(facts.device_major) + ":" + std::to_string(facts.device_minor) + ":" +
           std::to_string(facts.inode);
}

Task holder_of(const Snapshot& snapshot, const Lock& lock) {
    const std::vector<Task>& tasks = snapshot.locks.tasks(lock);
    return tasks.empty() ? Task() : tasks.front();
}

DescriptorKey key_of(const Snapshot& snapshot, const Lock& lock) {
    return {holder_of(snapshot, lock).pid, lock.fd, file_key(snapshot, lock)};
}

// The records of each lease, by its open file: those of one file stand for one lease.
using Leases = std::map<FileId, std::vector<Lock>>;

Leases leases_of(const Snapshot& snapshot) {
    Leases leases;
    snapshot.locks.for_each([&](const Lock& lock) {
        if (lock.kind == LockKind::lease) {
            leases[lock.file].push_back(lock);
        }
    });
    return leases;
}

class Comparison {
 public:
    Comparison(const Snapshot& before, const Snapshot& after, Nanoseconds passed)
        : before_(before), after_(after), passed_(passed), is_(leases_of(after)) {
        find_gone();
        for (const auto& [file, records] : is_) {
            for (const Lock& lock : records) {
                places_.emplace(key_of(after_, lock), file);
            }
        }
    }

    std::vector<LeaseEvent> run() {
        for (const auto& [file, records] : leases_of(before_)) {
            compare(records);
        }
        for (const auto& [file, records] : is_) {
            if (seen_.count(file) == 0) {
                add_new(records.front());
            }
        }
        for (const ProcessFacts& process : before_.processes) {
            if (gone_.count(process.task.pid) > 0) {
                events_.push_back({.kind = EventKind::process_gone, .task = process.task});
            }
        }
        return std::move(events_);
    }

 private:
    void find_gone() {
        std::set<ProcessKey> there;
        for (const ProcessFacts& process : after_.processes) {
            there.insert(key_of(process));
        }
        for (const ProcessFacts& process : before_.processes) {
            if (there.count(key_of(process)) == 0) {
                gone_.insert(process.task.pid);
            }
        }
    }

    // The same lease afterwards, as the descriptor that it is still held through shows it.
    std::optional<std::pair<Lock, Lock>> find(const std::vector<Lock>& records) {
        for (const Lock& lock : records) {
            const DescriptorKey key = key_of(before_, lock);
            const auto found =
                gone_.count(std::get<0>(key)) > 0 ? places_.end() : places_.find(key);
            if (found != places_.end() && seen_.insert(found->second).second) {
                const std::vector<Lock>& now = is_.at(found->second);
                return std::pair(lock, *std::find_if(now.begin(), now.end(), [&](const Lock& each) {
                                     return key_of(after_, each) == key;
                                 }));
            }
        }
        return std::nullopt;
    }

    void compare(const std::vector<Lock>& records) {
        if (const auto same = find(records)) {
            compare(same->first, same->second);
            return;
        }
        const auto left = std::find_if(records.begin(), records.end(), [&](const Lock& lock) {
            return gone_.count(holder_of(before_, lock).pid) == 0;
        });
        if (left != records.end()) {
            add_gone(*left);
        }
    }

    void compare(const Lock& was, const Lock& is) {
        const LeaseState& old_state = was.lease;
        const LeaseState& state = is.lease;
        if (state.armed) {
            // Only who sets a lease anew arms its break.
            if (!old_state.armed || old_state.type != state.type ||
                old_state.previous_type != state.previous_type) {
                add(EventKind::new_lease, is);
            }
        } else if (state.breaking) {
            const bool is_new =
                !old_state.breaking || old_state.armed || old_state.type != state.type;
            if (is_new) {
                add(EventKind::break_begins, is);
            }
            if ((is_new || !was_over(old_state)) && is_over(old_state, state)) {
                add(EventKind::time_over, is);
            }
        } else if (!old_state.breaking) {
            if (old_state.type != state.type) {
                add(state.type == LockType::rdlck ? EventKind::downgraded : EventKind::new_lease,
                    is);
            }
        } else if (old_state.type == state.type) {
            if (!old_state.armed && !was_over(old_state) && is_past(old_state)) {
                add(EventKind::time_over, is);
            }
            add(EventKind::downgraded, is);
        } else {
            // The holder has set it anew, while nobody asked for it.
            if (!old_state.armed) {
                add_gone(was);
            }
            add(EventKind::new_lease, is);
        }
    }

    // While a break is armed, nobody is kept waiting, and its time is over for nobody.
    static bool was_over(const LeaseState& state) {
        return state.breaking && !state.armed && state.remaining.has_deadline() &&
               state.remaining.time() == Nanoseconds(0);
    }

    // What was left is over by now.
    [[nodiscard]] bool is_past(const LeaseState& state) const {
        return state.breaking && state.remaining.has_deadline() &&
               passed_ + kSlack >= state.remaining.time();
    }

    [[nodiscard]] bool is_over(const LeaseState& old_state, const LeaseState& state) const {
        return state.remaining.is_known() ? was_over(state)
                                          : old_state.breaking && !old_state.armed &&
                                                old_state.type == state.type && is_past(old_state);
    }

    void add_new(const Lock& lock) {
        add(EventKind::new_lease, lock);
        if (lock.lease.breaking && !lock.lease.armed) {
            add(EventKind::break_begins, lock);
            if (was_over(lock.lease)) {
                add(EventKind::time_over, lock);
            }
        }
    }

    void add_gone(const Lock& lock) {
        const LeaseState& state = lock.lease;
        // Armed, a breaker may have come to it since.
        if (state.breaking && (!state.remaining.is_known() || (state.armed && is_past(state)))) {
            add_before(EventKind::ended, lock, std::nullopt);
        } else if (is_past(state)) {
            if (!was_over(state)) {
                add_before(EventKind::time_over, lock, Nanoseconds(0));
            }
            add_before(EventKind::lost, lock, Nanoseconds(0));
        } else {
            const bool has_deadline = state.breaking && state.remaining.has_deadline();
            add_before(
                EventKind::given_up, lock,
                has_deadline ? std::optional(state.remaining.time() - passed_) : std::nullopt);
        }
    }

    void add(EventKind kind, const Lock& lock) {
        const bool has_deadline = lock.lease.breaking && lock.lease.remaining.has_deadline();
        events_.push_back({.kind = kind,
                           .task = holder_of(after_, lock),
                           .lock = lock,
                           .remaining = has_deadline ? std::optional(lock.lease.remaining.time())
                                        : kind == EventKind::time_over
                                            ? std::optional(Nanoseconds(0))
                                            : std::nullopt});
    }

    void add_before(EventKind kind, const Lock& lock, std::optional<Nanoseconds> remaining) {
        events_.push_back({.kind = kind,
                           .task = holder_of(before_, lock),
                           .lock = lock,
                           .is_before = true,
                           .remaining = remaining});
    }

    const Snapshot& before_;
    const Snapshot& after_;
    Nanoseconds passed_;
    Leases is_;
    std::map<DescriptorKey, FileId> places_;  // in is_
    std::set<FileId> seen_;                   // of those, the ones that were there before
    std::set<std::int32_t> gone_;             // pids
    std::vector<LeaseEvent> events_;
};

}  // namespace

std::string_view to_string(EventKind kind) noexcept {
    switch (kind) {
        case EventKind::new_lease:
            return "new-lease";
        case EventKind::break_begins:
            return "break-begins";
        case EventKind::time_over:
            return "time-over";
        case EventKind::downgraded:
            return "downgraded";
        case EventKind::given_up:
            return "given-up";
        case EventKind::lost:
            return "lost";
        case EventKind::ended:
            return "ended";
        case EventKind::process_gone:
            break;
    }
    return "process-gone";
}

std::vector<LeaseEvent> events_between(const Snapshot& before, const Snapshot& after,
                                       Nanoseconds passed) {
    return Comparison(before, after, passed).run();
}

}  // namespace ckpt_lease
