// SPDX-License-Identifier: GPL-2.0-or-later
#include "ckpt-lease/live/capture.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <map>
#include <optional>

#include "live/lease_calls.hpp"
#include "live/look/inspector.hpp"
#include "live/remote_file.hpp"

namespace ckpt_lease::live {
namespace {

linux_cr::ImageFacts facts_of_machine(Nanoseconds ago) {
    linux_cr::ImageFacts facts;
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    const std::int64_t seconds =
        now.tv_sec - std::chrono::duration_cast<std::chrono::seconds>(ago).count();
    facts.time = static_cast<std::uint64_t>(seconds);
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
        : processes_(processes), inspector_(options.ago) {
        captured_.image.facts = facts_of_machine(options.ago);
    }

    Captured run() {
        for (std::size_t i = 0; i < processes_.size(); ++i) {
            add_process(i);
            if (processes_[i].hidden) {
                captured_.unknown.push_back(*processes_[i].hidden);
            }
        }
        if (inspector_.obstacle()) {
            captured_.unknown.push_back(*inspector_.obstacle());
        }
        return std::move(captured_);
    }

 private:
    struct OpenFile {
        pid_t pid;
        std::int32_t fd;
        FileId id;
        LeaseState state;
        LeaseOwner owner;
    };

    void add_process(std::size_t place) {
        const Process& process = processes_[place];
        linux_cr::NewTask task;
        task.pids = process.pids;
        task.comm = process.comm;
        task.parent = place_of(process.parent);
        task.leader = place_of(process.leader);
        const auto same = table_of(place);
        task.table = same ? *same : ownership().add_table();
        ownership().add_task(task.table, {process.pids.front(), process.comm});
        tables_.push_back(task.table);
        captured_.image.tasks.push_back(task);
        if (!same) {
            for (const Descriptor& descriptor : process.descriptors) {
                add_lock(process, descriptor, task.table);
            }
        }
    }

    // The place of a process in the image, -1 if it is not there. Parents and leaders come first.
    [[nodiscard]] std::int32_t place_of(pid_t pid) const {
        const auto found = std::find_if(processes_.begin(), processes_.end(),
                                        [&](const Process& p) { return p.pid == pid; });
        return found == processes_.end() ? -1
                                         : static_cast<std::int32_t>(found - processes_.begin());
    }

    // The table of an earlier process, if it is this one's too.
    [[nodiscard]] std::optional<TableId> table_of(std::size_t place) const {
        const Process& process = processes_[place];
        for (std::size_t i = 0; i < place && !process.descriptors.empty(); ++i) {
            if (processes_[i].descriptors.size() == process.descriptors.size() &&
                share_file_table(processes_[i].pid, process.pid)) {
                return tables_[i];
            }
        }
        return std::nullopt;
    }

    void add_lock(const Process& process, const Descriptor& descriptor, TableId table) {
        const OpenFile* const file = open_file(process, descriptor);
        if (file == nullptr) {
            return;
        }
        Lock lock;
        lock.index = captured_.image.locks.size();
        lock.fd = descriptor.fd;
        lock.file = file->id;
        lock.table = table;
        lock.kind = LockKind::lease;
        lock.lease = file->state;
        lock.range.end = kToEndOfFile;
        captured_.image.locks.add(lock);
        captured_.image.owners.push_back(file->owner);
    }

    // Looked into once, however many descriptors lead to it. Null if it went meanwhile.
    const OpenFile* open_file(const Process& process, const Descriptor& descriptor) {
        std::vector<OpenFile>& files = files_[descriptor.lease.inode];
        for (const OpenFile& file : files) {
            if (is_same_open_file(file.pid, file.fd, process.pid, descriptor.fd)) {
                return &file;
            }
        }
        const auto opened = open_unless_gone(process.pid, descriptor.fd);
        if (!opened) {
            return nullptr;
        }
        const io::File& remote = *opened;
        const FileId id = ownership().add_file();
        const struct stat status = remote.status();
        captured_.inodes.push_back({status.st_dev, status.st_ino});
        ownership().set_path(id, descriptor.path);
        const LeaseState state = inspector_.inspect(remote, descriptor.lease);
        return &files.emplace_back(
            OpenFile{process.pid, descriptor.fd, id, state, owner_in_container(remote)});
    }

    static std::optional<io::File> open_unless_gone(pid_t pid, std::int32_t fd) {
        try {
            return open_remote(pid, fd);
        } catch (const Error&) {
            struct stat link {};
            const std::string path = fmt::format("{}/{}/fd/{}", kProc, pid, fd);
            if (lstat(path.c_str(), &link) < 0 && (errno == ENOENT || errno == ESRCH)) {
                return std::nullopt;
            }
            throw;
        }
    }

    // Pids of the image are those in the container.
    LeaseOwner owner_in_container(const io::File& file) const {
        LeaseOwner owner;
        static_cast<void>(get_owner(file.fd(), owner));  // none that can be seen: nobody
        if (owner.kind != LeaseOwner::Kind::group) {
            const auto found = std::find_if(processes_.begin(), processes_.end(),
                                            [&](const Process& p) { return p.pid == owner.id; });
            owner.id = found == processes_.end() ? 0 : found->pids.front();
        }
        return owner;
    }

    Ownership& ownership() { return captured_.image.locks.ownership(); }

    const std::vector<Process>& processes_;
    Inspector inspector_;
    Captured captured_;
    std::vector<TableId> tables_;  // of the processes
    std::map<Inode, std::vector<OpenFile>> files_;
};

}  // namespace

Captured capture(const std::vector<Process>& processes, const CaptureOptions& options) {
    return Collector(processes, options).run();
}

}  // namespace ckpt_lease::live
