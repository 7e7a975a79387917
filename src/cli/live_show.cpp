// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/live_show.hpp"

#include <fmt/format.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <optional>
#include <set>
#include <utility>

#include "cli/live_options.hpp"
#include "live/breakers.hpp"
#include "live/capture.hpp"
#include "live/proc_text.hpp"
#include "live/process_stat.hpp"
#include "live/processes.hpp"

namespace ckpt_lease::cli {
namespace {

// Nothing if breaks have no deadline.
std::optional<Nanoseconds> read_lease_break_time() {
    const std::string text = live::read_if_there("/proc/sys/fs/lease-break-time");
    std::string_view rest = text;
    const auto seconds = live::parse_number<std::int32_t>(live::take_word(rest));
    return seconds && *seconds > 0 ? std::optional(Nanoseconds(std::chrono::seconds(*seconds)))
                                   : std::nullopt;
}

void add_files(Snapshot& snapshot, const live::Captured& captured) {
    for (std::size_t i = 0; i < captured.inodes.size(); ++i) {
        const Inode& inode = captured.inodes[i];
        snapshot.files.push_back({.device_major = major(inode.device),
                                  .device_minor = minor(inode.device),
                                  .inode = inode.number,
                                  .mount_id = captured.mount_ids[i]});
    }
}

// What fdinfo shows of a delegation, for nobody can look into it.
LeaseState state_of(const live::FdinfoLease& shown) {
    LeaseState state;
    state.breaking = shown.breaking;
    state.type = shown.type;
    if (shown.breaking) {
        state.previous_type = type_before_break(shown.type);
    }
    return state;
}

// Behind the leases, those of a file table once. An open file has one, whoever has it open.
class DelegationList {
 public:
    DelegationList(Snapshot& snapshot, const std::vector<live::Process>& processes)
        : snapshot_(snapshot), processes_(processes) {}

    void add_all(const std::vector<linux_cr::NewTask>& tasks) {
        std::set<TableId> seen;
        for (std::size_t i = 0; i < processes_.size(); ++i) {
            if (seen.insert(tasks[i].table).second) {
                for (const live::Descriptor& found : processes_[i].delegations) {
                    add(processes_[i].pid, found, tasks[i].table);
                }
            }
        }
    }

 private:
    struct Known {
        pid_t pid;
        const live::Descriptor* descriptor;
        FileId file;
    };

    void add(pid_t pid, const live::Descriptor& found, TableId table) {
        Lock lock;
        lock.index = snapshot_.locks.size();
        lock.fd = found.fd;
        lock.file = file_of(pid, found);
        lock.table = table;
        lock.kind = LockKind::delegation;
        lock.lease = state_of(found.lease);
        lock.range.end = kToEndOfFile;
        snapshot_.locks.add(lock);
    }

    FileId file_of(pid_t pid, const live::Descriptor& found) {
        const Inode& inode = found.lease.inode;
        for (const Known& known : known_) {
            if (known.descriptor->lease.inode == inode &&
                live::compare_open_files(known.pid, known.descriptor->fd, pid, found.fd) == 0) {
                return known.file;
            }
        }
        const FileId file = snapshot_.locks.ownership().add_file();
        snapshot_.locks.ownership().set_path(file, found.path);
        snapshot_.files.push_back({.device_major = major(inode.device),
                                   .device_minor = minor(inode.device),
                                   .inode = inode.number,
                                   .mount_id = found.mount_id});
        known_.push_back({pid, &found, file});
        return file;
    }

    Snapshot& snapshot_;
    const std::vector<live::Process>& processes_;
    std::vector<Known> known_;
};

void add_breakers(Snapshot& snapshot, const live::Captured& captured) {
    snapshot.breakers.resize(captured.shown_inodes.size());
    // Who came after the lease was looked at is left out: it is shown as held.
    std::vector<bool> is_broken(captured.shown_inodes.size());
    snapshot.locks.for_each([&](const Lock& lock) {
        is_broken[static_cast<std::size_t>(lock.file)] = is_breaking(lock);
    });
    for (const live::Breaker& breaker : live::find_breakers()) {
        for (std::size_t i = 0; i < captured.shown_inodes.size(); ++i) {
            if (captured.shown_inodes[i] == breaker.inode && is_broken[i]) {
                snapshot.breakers[i].push_back({{breaker.pid, breaker.comm}, breaker.age});
            }
        }
    }
}

LiveLeases look_at(std::vector<live::Process> processes, std::string name) {
    Snapshot snapshot;
    for (live::Process& process : processes) {
        // Not those of a container: who looks can do nothing with them.
        process.pids = {process.pid};
        snapshot.processes.push_back({.task = {process.pid, process.comm},
                                      .leader = process.leader,
                                      .parent = process.parent,
                                      .started = process.started});
        if (!process.cgroup.empty()) {
            snapshot.cgroups.emplace(process.pid, process.cgroup);
        }
    }
    live::Captured captured = live::capture(processes, {});
    snapshot.lease_break_time = read_lease_break_time();
    linux_cr::ImageFacts& facts = captured.image.facts;
    snapshot.origin = {.name = std::move(name),
                       .format = Format::live,
                       .kernel = Kernel{.release = std::move(facts.uts_release),
                                        .build = std::move(facts.uts_version),
                                        .machine = std::move(facts.uts_machine)},
                       .taken = facts.time};
    snapshot.locks = std::move(captured.image.locks);
    for (std::size_t i = 0; i < captured.image.owners.size(); ++i) {
        snapshot.owners.emplace(i, captured.image.owners[i]);
    }
    add_files(snapshot, captured);
    add_breakers(snapshot, captured);
    DelegationList(snapshot, processes).add_all(captured.image.tasks);
    return {std::move(snapshot), std::move(captured.unknown)};
}

// Those of the process that are still there, and not another's that has its pid by now.
std::vector<live::Process> read_process_again(const ProcessFacts& process, bool tree) {
    std::vector<live::Process> found;
    try {
        found = tree ? live::read_tree(process.task.pid) : live::read_process(process.task.pid);
    } catch (const Error&) {
        if (live::read_stat("/proc/" + std::to_string(process.task.pid))) {
            throw;
        }
        return {};
    }
    if (found.front().started != process.started) {
        return {};
    }
    std::set<pid_t> alive;  // the first thread of a process may have ended before the others
    for (const live::Process& each : found) {
        if (!each.has_ended) {
            alive.insert(each.leader);
        }
    }
    std::erase_if(found, [&](const live::Process& each) { return alive.count(each.leader) == 0; });
    return found;
}

// Those that may not be looked at are told of together: without root, that is most of them.
LiveLeases look_at_group(std::vector<live::Process> processes, const std::string& name) {
    const std::size_t hidden = std::erase_if(
        processes, [](const live::Process& process) { return process.hidden.has_value(); });
    LiveLeases leases = look_at(std::move(processes), name);
    if (hidden > 0) {
        leases.unknown.push_back({.severity = Problem::Severity::warning,
                                  .file = name,
                                  .message = fmt::format("{} process{} may not be looked at",
                                                         hidden, hidden == 1 ? "" : "es"),
                                  .hint = "root may, or who has CAP_SYS_PTRACE",
                                  .code = Problem::Code::not_permitted});
    }
    return leases;
}

}  // namespace

std::string name_of_processes(const std::vector<std::int32_t>& pids) {
    std::string name = "process";
    std::set<std::int32_t> named;
    for (const std::int32_t pid : pids) {
        if (named.insert(pid).second) {
            name += (named.size() == 1 ? " " : ", ") + std::to_string(pid);
        }
    }
    return name;
}

LiveLeases read_live(const LiveChoice& choice) {
    return choice.system    ? look_at_group(live::read_all(), choice.name)
           : choice.may_end ? look_at_group(read_processes(choice), choice.name)
                            : look_at(read_processes(choice), choice.name);
}

LiveLeases read_again(const Snapshot& last, const LiveChoice& choice) {
    if (choice.system) {
        return look_at_group(live::read_all(), choice.name);
    }
    std::vector<live::Process> all;
    std::set<std::int32_t> known;
    for (const ProcessFacts& process : last.processes) {
        if (process.task.pid != process.leader || known.count(process.leader) > 0) {
            continue;  // a thread is read with its process
        }
        for (live::Process& found : read_process_again(process, choice.tree)) {
            if (known.insert(found.pid).second) {
                all.push_back(std::move(found));
            }
        }
    }
    return look_at(std::move(all), last.origin.name);
}

}  // namespace ckpt_lease::cli
