// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/target.hpp"

#include <fmt/format.h>

#include <map>
#include <set>
#include <string_view>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/base/text.hpp"

namespace ckpt_lease::live {
namespace {

class Finder {
 public:
    Finder(const linux_cr::Image& image, const std::vector<Process>& processes,
           std::string_view where)
        : image_(image), processes_(processes), where_(where) {
        for (const Process& process : processes) {
            by_pid_.emplace(process.pids.front(), &process);
        }
    }

    Targets run() {
        count_holders();
        image_.locks.for_each([&](const Lock& lock) {
            if (lock.kind == LockKind::lease) {
                add(lock);
            }
        });
        return std::move(targets_);
    }

 private:
    void count_holders() {
        image_.locks.for_each([&](const Lock& lock) {
            if (lock.kind == LockKind::lease) {
                tables_.insert_or_assign(lock.table, nullptr);
            }
        });
        for (auto& [table, process] : tables_) {
            process = find_holder(image_.locks.ownership().tasks(table));
        }
        // Restarted by other means than CRIU's, a process has another pid.
        if (tables_.size() == 1 && tables_.begin()->second == nullptr && processes_.size() == 1) {
            tables_.begin()->second = &processes_.front();
        }
    }

    // Any of the tasks that share a table will do.
    [[nodiscard]] const Process* find_holder(const std::vector<Task>& tasks) const {
        const Process* found = nullptr;
        for (const Task& task : tasks) {
            const auto [first, last] = by_pid_.equal_range(task.pid);
            for (auto at = first; at != last; ++at) {
                if (at->second->comm == task.comm) {
                    return at->second;
                }
                found = found == nullptr ? at->second : found;
            }
        }
        return found;
    }

    void add(const Lock& lock) {
        Targets::Place place;
        place.index = lock.index;
        const Process* const holder = tables_.at(lock.table);
        if (holder == nullptr) {
            place.missing = missing(image_.locks.tasks(lock));
            place.lost = {0, lock.fd, std::string(image_.locks.path(lock)), lock.lease, {}};
        } else {
            place.wanted = targets_.wanted.size();
            targets_.wanted.push_back({holder->pid, lock.fd, std::string(image_.locks.path(lock)),
                                       lock.lease, owner(lock)});
        }
        targets_.places.push_back(std::move(place));
    }

    [[nodiscard]] std::string missing(const std::vector<Task>& tasks) const {
        if (tasks.empty()) {
            return "the image does not say whose it is";
        }
        return fmt::format("there is no process {} ({}){}{}", tasks.front().pid,
                           escape(tasks.front().comm), where_.empty() ? "" : " ", where_);
    }

    // As a live pid. What the image does not know, or who is not there, leaves it as it is now.
    [[nodiscard]] std::optional<LeaseOwner> owner(const Lock& lock) const {
        const auto known = image_.owners.find(lock.index);
        if (known == image_.owners.end() || known->second.kind > LeaseOwner::Kind::process) {
            return std::nullopt;
        }
        LeaseOwner owner = known->second;
        const auto process = by_pid_.find(owner.id);
        if (process == by_pid_.end()) {
            return std::nullopt;
        }
        owner.id = process->second->pid;
        return owner;
    }

    const linux_cr::Image& image_;
    const std::vector<Process>& processes_;
    std::string_view where_;
    std::multimap<std::int32_t, const Process*> by_pid_;  // in the container, in their order
    std::map<TableId, const Process*> tables_;            // those that leases are held through
    Targets targets_;
};

}  // namespace

std::vector<Process> read_holders(const linux_cr::Image& image) {
    std::set<pid_t> pids;
    std::set<TableId> tables;  // many tasks may share one that has many leases
    image.locks.for_each([&](const Lock& lock) {
        if (lock.kind == LockKind::lease && tables.insert(lock.table).second) {
            for (const Task& task : image.locks.tasks(lock)) {
                pids.insert(task.pid);
            }
        }
    });
    std::vector<Process> found;
    for (const pid_t pid : pids) {
        try {
            Process process = read_process(pid, kProc, Reading::names).front();
            process.pids = {pid};  // whatever it is in a container
            found.push_back(std::move(process));
        } catch (const Error&) {
            // Then its leases are said to have no process.
        }
    }
    return found;
}

Targets find_targets(const linux_cr::Image& image, const std::vector<Process>& processes,
                     std::string_view where) {
    return Finder(image, processes, where).run();
}

}  // namespace ckpt_lease::live
