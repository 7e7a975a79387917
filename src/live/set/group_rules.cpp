// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/set/group_rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/base/text.hpp"
#include "live/proc_text.hpp"
#include "live/set/numbers.hpp"

namespace ckpt_lease::live {
namespace {

using Outcome = AppliedLease::Outcome;

std::string name_of_breaker(const Breaker& breaker) {
    if (breaker.pid == 0) {
        return "a process in another pid namespace";
    }
    const std::string comm = comm_of(breaker.pid);
    return comm.empty() ? fmt::format("process {}", breaker.pid)
                        : fmt::format("process {} ({})", breaker.pid, escape(comm));
}

std::string say_who_waits(const std::vector<const Breaker*>& breakers) {
    const std::string first = name_of_breaker(*breakers.front());
    return breakers.size() == 1 ? fmt::format("{} waits for it: stop it first", first)
                                : fmt::format("{} and {} more wait for it: stop them first", first,
                                              breakers.size() - 1);
}

// By the file that they wait for.
using WaitersByFile = std::map<Inode, std::vector<const Breaker*>>;

WaitersByFile by_file(const SystemLeases& leases) {
    WaitersByFile waiting;
    for (const Breaker& breaker : leases.breakers) {
        waiting[breaker.inode].push_back(&breaker);
    }
    return waiting;
}

// Beside a write lease there is no other.
bool is_read_lease(const WantedLease& lease) {
    return lease.state.previous_type == LockType::rdlck;
}

bool is_to_be_broken(const OpenLease& lease) {
    return lease.wanted->state.breaking;
}

const char* fault_of(const Run& run, const Group& group, const LeaseCounter& counter,
                     const SystemLeases& leases) {
    if (!std::all_of(group.leases.begin(), group.leases.end(), is_to_be_broken)) {
        return "another lease on the file is not being broken, and this kernel would break both";
    }
    const auto ours = static_cast<std::size_t>(
        std::count_if(group.leases.begin(), group.leases.end(),
                      [](const OpenLease& lease) { return lease.found.held; }));
    const std::optional<std::size_t> all = counter.count(group, leases);
    if (!all) {
        run.shared.lack(Lack::trace);
        return "whether others have a lease on the file cannot be seen from this pid namespace, "
               "and this kernel would break them too";
    }
    return *all > ours ? "another process has a lease on the file, and this kernel would break both"
                       : nullptr;
}

}  // namespace

LeaseCounter::LeaseCounter(std::span<const WantedLease> leases, std::span<const std::size_t> places,
                           Numbers& numbers) {
    const bool needs_trace =
        !is_outermost_ && std::any_of(places.begin(), places.end(), [&](std::size_t place) {
            return leases[place].state.breaking && is_read_lease(leases[place]);
        });
    if (needs_trace) {
        constexpr std::size_t kOfOthers = 1000;
        try {
            trace_ = std::make_unique<LeaseTrace>(places.size() + kOfOthers);
            trace_->place([&](int fd) { return numbers.out_of_the_way(Fd(fd)).release(); });
        } catch (const Error&) {
            // Then it is said of the leases for which it matters.
        }
    }
}

std::optional<std::size_t> LeaseCounter::count(const Group& group,
                                               const SystemLeases& shown) const {
    const OpenLease& first = group.leases.front();
    if (!is_outermost_ && is_read_lease(*first.wanted)) {
        if (trace_ == nullptr) {
            return std::nullopt;
        }
        const auto leases = trace_->read(first.file.get(), group.inode, steady_now());
        return leases ? std::optional(leases->size()) : std::nullopt;
    }
    return shown.of(group.inode).count;
}

void leave_what_is_waited_for(Preparation& preparation, const SystemLeases& leases) {
    const WaitersByFile waiting = by_file(leases);
    for (Group& group : preparation.groups) {
        const auto who = waiting.find(group.inode);
        if (who == waiting.end()) {
            continue;
        }
        const std::string why = say_who_waits(who->second);
        for (const OpenLease& lease : group.leases) {
            if (!lease.slot->taken) {
                lease.slot->decide(Outcome::skipped, why);
            }
        }
        std::erase_if(group.leases,
                      [](const OpenLease& lease) { return lease.slot->decided.load(); });
    }
}

void name_who_came_between(const Run& run, const Preparation& preparation) {
    std::optional<SystemLeases> leases;
    WaitersByFile waiting;
    for (const Group& group : preparation.groups) {
        for (const OpenLease& lease : group.leases) {
            if (!lease.slot->in_use) {
                continue;
            }
            if (!leases) {
                leases = read_locks();
                waiting = by_file(*leases);
            }
            const auto who = waiting.find(group.inode);
            if (who != waiting.end()) {
                lease.slot->decide(lease.slot->outcome, say_who_waits(who->second));
            }
        }
    }
    run.rest();
}

void check_together(const Run& run, Preparation& preparation, const LeaseCounter& counter,
                    const SystemLeases& leases) {
    for (Group& group : preparation.groups) {
        if (std::none_of(group.leases.begin(), group.leases.end(), is_to_be_broken)) {
            continue;
        }
        run.touch(group.leases.front().place);
        const char* const fault = fault_of(run, group, counter, leases);
        if (fault == nullptr) {
            continue;
        }
        for (const OpenLease& lease : group.leases) {
            if (is_to_be_broken(lease) && !lease.slot->taken) {
                lease.slot->decide(Outcome::skipped, fault);
            }
        }
        std::erase_if(group.leases,
                      [](const OpenLease& lease) { return lease.slot->decided.load(); });
    }
    run.rest();
}

}  // namespace ckpt_lease::live
