// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/capture.hpp"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "live/look/lease_looks.hpp"
#include "live/remote_fd.hpp"

namespace ckpt_lease::live {
namespace {

linux_cr::ImageFacts facts_of_machine(std::optional<SteadyTime> frozen) {
    linux_cr::ImageFacts facts;
    const Nanoseconds ago = frozen ? steady_now() - *frozen : Nanoseconds(0);
    const auto taken = std::chrono::system_clock::now() - ago;
    facts.time = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::seconds>(taken.time_since_epoch()).count());
    utsname names{};
    if (uname(&names) == 0) {
        facts.uts_release = names.release;
        facts.uts_version = names.version;
        facts.uts_machine = names.machine;
    }
    return facts;
}

class Collector {
 public:
    Collector(const std::vector<Process>& processes, const CaptureOptions& options)
        : processes_(processes), options_(options) {
        for (std::size_t i = 0; i < processes.size(); ++i) {
            places_.emplace(processes[i].pid, i);
        }
    }

    Captured run() {
        captured_.image.facts = facts_of_machine(options_.frozen);
        for (std::size_t i = 0; i < processes_.size(); ++i) {
            add_process(i);
            if (processes_[i].hidden) {
                captured_.unknown.push_back(*processes_[i].hidden);
            }
            add_left_alone(processes_[i]);
        }
        looks_ = look_into(files_, options_.frozen, captured_.unknown);
        for (Problem& problem : captured_.unknown) {
            if (problem.code == Problem::Code::by_severity) {
                problem.code = Problem::Code::time_not_known;
            }
        }
        ids_.resize(files_.size());
        for (const Descriptor& descriptor : descriptors_) {
            if (!looks_[descriptor.file].gone) {
                add_lock(descriptor);
            }
        }
        return std::move(captured_);
    }

 private:
    using FileOrder = std::function<bool(std::size_t, std::size_t)>;

    // One that leads to a leased file.
    struct Descriptor {
        std::size_t process;  // its place among the processes
        std::size_t place;    // of the descriptor among the process's
        std::size_t file;     // in files_
        TableId table;
    };

    void add_process(std::size_t place) {
        const Process& process = processes_[place];
        linux_cr::NewTask task;
        task.pids = process.pids;
        task.comm = process.comm;
        task.parent = place_of(process.parent);
        task.leader = place_of(process.leader);
        const auto [same, is_new] = add_table(place);
        task.table = same;
        ownership().add_task(task.table, {process.pids.front(), process.comm});
        captured_.image.tasks.push_back(task);
        for (std::size_t i = 0; is_new && i < process.descriptors.size(); ++i) {
            descriptors_.push_back(
                {place, i, file_of(process, process.descriptors[i]), task.table});
        }
    }

    void add_left_alone(const Process& process) {
        if (process.delegations.empty()) {
            return;
        }
        std::set<std::int32_t> fds;
        for (const live::Descriptor& descriptor : process.delegations) {
            fds.insert(descriptor.fd);
        }
        captured_.left_alone.push_back(
            {.severity = Problem::Severity::warning,
             .file = name_of(process.pid, *fds.begin()),
             .message = fds.size() == 1
                            ? "a delegation (F_SETDELEG) is left alone"
                            : fmt::format("this delegation (F_SETDELEG) and {} more are left alone",
                                          fds.size() - 1),
             .hint = "whoever has set it sets it again"});
    }

    // The place of a process in the image, -1 if it is not there. Parents and leaders come first.
    [[nodiscard]] std::int32_t place_of(pid_t pid) const {
        const auto found = places_.find(pid);
        return found == places_.end() ? -1 : static_cast<std::int32_t>(found->second);
    }

    // The file table of a process, which may be an earlier one's too. Only those that have leases
    // matter.
    std::pair<TableId, bool> add_table(std::size_t place) {
        if (processes_[place].descriptors.empty() && processes_[place].delegations.empty()) {
            return {ownership().add_table(), true};
        }
        const auto [at, is_new] = tables_.try_emplace(processes_[place].pid);
        if (is_new) {
            at->second = ownership().add_table();
        }
        return {at->second, is_new};
    }

    // The open file that a descriptor leads to: looked into once, however many do.
    std::size_t file_of(const Process& process, const live::Descriptor& descriptor) {
        const std::size_t place = files_.size();
        files_.push_back({process.pid, descriptor.fd, descriptor.lease});
        const auto order = [this](std::size_t a, std::size_t b) {
            return compare_open_files(files_[a].pid, files_[a].fd, files_[b].pid, files_[b].fd) < 0;
        };
        auto& known = known_.try_emplace(descriptor.lease.inode, FileOrder(order)).first->second;
        const auto [at, is_new] = known.insert(place);
        if (!is_new) {
            files_.pop_back();
        }
        return *at;
    }

    void add_lock(const Descriptor& descriptor) {
        const live::Descriptor& found =
            processes_[descriptor.process].descriptors[descriptor.place];
        const LookedInto& look = looks_[descriptor.file];
        std::optional<FileId>& id = ids_[descriptor.file];
        if (!id) {
            id = ownership().add_file();
            ownership().set_path(*id, found.path);
            captured_.inodes.push_back(look.inode);
            captured_.shown_inodes.push_back(found.lease.inode);
            captured_.mount_ids.push_back(found.mount_id);
            captured_.are_writable.push_back(found.is_writable);
        }
        Lock lock;
        lock.index = captured_.image.locks.size();
        lock.fd = found.fd;
        lock.file = *id;
        lock.table = descriptor.table;
        lock.kind = LockKind::lease;
        lock.lease = look.state;
        lock.range.end = kToEndOfFile;
        captured_.image.locks.add(lock);
        captured_.image.owners.push_back(in_container(look.owner));
    }

    // Pids of the image are those in the container.
    [[nodiscard]] LeaseOwner in_container(LeaseOwner owner) const {
        if (owner.kind != LeaseOwner::Kind::group) {
            const auto found = places_.find(owner.id);
            owner.id = found == places_.end() ? 0 : processes_[found->second].pids.front();
        }
        return owner;
    }

    Ownership& ownership() { return captured_.image.locks.ownership(); }

    struct TableOrder {
        bool operator()(pid_t a, pid_t b) const { return compare_file_tables(a, b) < 0; }
    };

    const std::vector<Process>& processes_;
    const CaptureOptions& options_;
    Captured captured_;
    std::unordered_map<pid_t, std::size_t> places_;
    std::map<pid_t, TableId, TableOrder> tables_;
    std::vector<LeasedFile> files_;
    std::map<Inode, std::set<std::size_t, FileOrder>> known_;  // places in files_
    std::vector<Descriptor> descriptors_;                      // in the order of the image
    std::vector<LookedInto> looks_;                            // of files_
    std::vector<std::optional<FileId>> ids_;                   // the same, once they have one
};

}  // namespace

Captured capture(const std::vector<Process>& processes, const CaptureOptions& options) {
    return Collector(processes, options).run();
}

}  // namespace ckpt_lease::live
