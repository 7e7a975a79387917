// SPDX-License-Identifier: GPL-2.0-or-later
#include "criu/checkpoint.hpp"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <utility>

#include "ckpt-lease/base/problem.hpp"
#include "criu/file_locks.hpp"
#include "criu/image_set.hpp"
#include "criu/messages.hpp"
#include "criu/processes.hpp"

namespace ckpt_lease::criu {
namespace {

constexpr std::uint32_t kRegularFile = 1;  // REG of CRIU's enum fd_types

struct OpenFile {
    FileId id{};
    std::string path;
    std::optional<LeaseOwner> owner;
    std::uint32_t flags = 0;
    bool found = false;
};

LockKind kind_of(std::uint32_t flag) {
    switch (flag) {
        case kFlLease:
            return LockKind::lease;
        case kFlPosix:
            return LockKind::posix;
        case kFlFlock:
            return LockKind::flock;
        default:
            return LockKind::other;
    }
}

LeaseOwner owner_of(const images::FileOwner& owner) {
    return {.kind = owner.pid_type() <= 2 ? static_cast<LeaseOwner::Kind>(owner.pid_type())
                                          : LeaseOwner::Kind::process,
            .id = static_cast<std::int32_t>(owner.pid()),
            .uid = owner.uid(),
            .euid = owner.euid(),
            .signal = static_cast<std::int32_t>(owner.signum())};
}

bool has_range(const FileLockEntry& lock) {
    return lock.start >= 0 && lock.len >= 0 && lock.len <= INT64_MAX - lock.start;
}

// What a Lock can say: more would be cut off.
bool can_be_listed(const FileLockEntry& lock) {
    return lock.type <= UINT8_MAX && lock.held_as.value_or(0) <= UINT8_MAX &&
           (lock.is_lease() || has_range(lock));
}

// Of what is not known nothing is read.
void check_version(CheckpointFiles& files) {
    const ImageSet images(files, {});
    const auto inventory = images
                               .read_one<images::Inventory>(
                                   kInventoryImage, images.read(kInventoryImage), Magic::inventory)
                               .value();
    const std::uint32_t version = inventory.img_version();
    // cr_pre_dump_finish() of CRIU's cr-dump.c writes no version, and newer ones the mode.
    if ((version == 0 || inventory.has_pre_dump_mode()) && !files.has(kPstreeImage)) {
        fail_damaged(files.name(),
                     "this is a pre-dump of CRIU: there are pages of memory, and no locks",
                     "give the dump that followed", Problem::Code::not_a_checkpoint);
    }
    if (version != 1 && version != 2) {
        fail_damaged(files.path_of(kInventoryImage),
                     fmt::format("images of version {}: 1 and 2 are known", version),
                     "a newer ckpt-lease may know them");
    }
}

class Reader {
 public:
    using Scope = Processes::Scope;

    Reader(CheckpointFiles& files, Scope scope, const ProblemSink& problems)
        : files_(files),
          scope_(scope),
          problems_([this, &problems](const Problem& problem) {
              if (!checkpoint_.damage && problem.severity == Problem::Severity::structure) {
                  checkpoint_.damage = problem;
              }
              problems(problem);
          }),
          images_(files, problems_),
          processes_(images_, checkpoint_.locks.ownership(), scope) {}

    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    ~Reader() = default;

    Checkpoint read() {
        checkpoint_.name = files_.name();
        checkpoint_.tasks.root_pid = processes_.root_pid();
        checkpoint_.tasks.count = processes_.size();
        checkpoint_.tasks.has_captured = files_.has(kCapturedImage);
        read_locks();
        if (scope_ == Scope::all) {
            processes_.check_other_tables();
        }
        read_files();
        add_locks();
        return std::move(checkpoint_);
    }

 private:
    // Where the descriptor of a lock was found.
    struct Found {
        std::optional<TableId> table = {};
        std::optional<FileKey> file = {};
    };

    void read_locks() {
        std::optional<std::string> bytes = files_.read(kFileLocksImage);
        if (!bytes) {
            return;
        }
        checkpoint_.tasks.has_file_locks = true;
        for_each_file_lock(
            files_.path_of(kFileLocksImage), *bytes,
            [&](const FileLockEntry& lock) {
                check(lock);
                if (can_be_listed(lock)) {
                    found_.push_back(find(lock));
                    checkpoint_.details.push_back({.entry = lock});
                } else {
                    ++checkpoint_.left_out;
                }
            },
            [&](const Problem& problem) {
                ++checkpoint_.left_out;
                problems_(problem);
            });
    }

    // What no kernel could have had, and what CRIU or a Lock cannot make anything of.
    void check(const FileLockEntry& lock) const {
        for (const std::uint32_t type : {lock.type, lock.held_as.value_or(lock.type)}) {
            if (type > UINT8_MAX || (lock.is_lease() && (type & ~kLeaseBreaking) > 2)) {
                complain(lock, fmt::format("{} is no type of a lock", type));
                break;
            }
        }
        if (!has_range(lock)) {
            complain(lock, fmt::format("{} bytes from {} on are no range", lock.len, lock.start));
        }
        constexpr std::uint32_t kUnlck = 2;
        constexpr std::string_view kRefused = "CRIU's restore fails with it";
        if (kind_of(lock.flag) == LockKind::other && lock.flag != kFlOfd) {
            doubt(lock, fmt::format("{} is no kind of a lock", lock.flag), kRefused);
        } else if (lock.is_lease() && lock.type == kUnlck) {
            doubt(lock, "a lease that is held and is F_UNLCK", "it is no lease");
        } else if ((lock.flag == kFlPosix || lock.flag == kFlOfd) && lock.type > kUnlck &&
                   lock.type <= UINT8_MAX) {
            doubt(lock, fmt::format("{} is no type of such a lock", lock.type), kRefused);
        }
        if (const bool left = lock.held_as || lock.is_parked;
            left && !checkpoint_.tasks.has_captured) {
            doubt(lock,
                  fmt::format("the state of this lease was left to {}, which is not there",
                              kCapturedImage),
                  "copy it from where the tasks were dumped to; without it the break is lost");
        }
    }

    [[nodiscard]] Found find(const FileLockEntry& lock) {
        using Lookup = Processes::Lookup;
        const auto [result, table] = processes_.find_table(lock.pid);
        if (result == Lookup::no_process) {
            complain(lock, fmt::format("there is no process {}", lock.pid));
        } else if (result == Lookup::no_table) {
            complain(lock, fmt::format("process {} has no descriptors", lock.pid));
        }
        if (result != Lookup::found) {
            return {};
        }
        const auto file = table->descriptors.find(lock.fd);
        if (file == table->descriptors.end()) {
            if (table->is_complete) {
                complain(lock, fmt::format("process {} has no descriptor {}", lock.pid, lock.fd));
            }
            return {table->id};
        }
        wanted_.try_emplace(file->second);
        return {table->id, file->second};
    }

    // Of all files, which may be many, only those that are locked are kept.
    void read_files() {
        if (wanted_.empty() && scope_ != Scope::all) {
            return;
        }
        std::optional<std::string> files;
        std::optional<std::string> reg_files;
        if (attempt(problems_, [&] { files = files_.read(kFilesImage); }) && !files) {
            reg_files = images_.read(oldest_files_image());
        }
        const auto for_each_file = [&](const ImageSet& images, auto visit) {
            return files ? images.for_each<images::FileEntry>(
                               kFilesImage, files, Magic::files,
                               [&](const ImageReader& /*image*/, const Entry& /*entry*/,
                                   const images::FileEntry& file) {
                                   visit(FileKey{file.type(), file.id()}, file.reg());
                               })
                         : images.for_each<images::RegFileEntry>(
                               kRegFilesImage, reg_files, Magic::reg_files,
                               [&](const ImageReader& /*image*/, const Entry& /*entry*/,
                                   const images::RegFileEntry& file) {
                                   visit(FileKey{kRegularFile, file.id()}, file);
                               });
        };
        has_all_files_ =
            for_each_file(images_, [&](const FileKey& key, const images::RegFileEntry& file) {
                if (const auto wanted = wanted_.find(key); wanted != wanted_.end()) {
                    note_file(wanted->second, file);
                }
            });
        // What is wrong was said the first time.
        const ImageSet again(files_, [](const Problem&) {});
        for_each_file(again, [&](const FileKey& /*key*/, const images::RegFileEntry& file) {
            if (const auto path = openers_.find(file.name()); path != openers_.end()) {
                ++path->second;
            }
        });
    }

    // Where both are missing, the one to complain of is that of today.
    [[nodiscard]] std::string_view oldest_files_image() const {
        return files_.has(kRegFilesImage) ? kRegFilesImage : kFilesImage;
    }

    void note_file(OpenFile& open, const images::RegFileEntry& file) {
        open.found = true;
        open.path = file.name();
        open.flags = file.flags();
        if (file.has_fown()) {
            open.owner = owner_of(file.fown());
        }
        if (!open.path.empty()) {
            openers_.try_emplace(open.path);
        }
    }

    void add_locks() {
        Ownership& ownership = checkpoint_.locks.ownership();
        for (auto& [key, file] : wanted_) {
            file.id = ownership.add_file();
            ownership.set_path(file.id, file.path);
        }
        std::optional<TableId> nobody;
        for (std::size_t i = 0; i < found_.size(); ++i) {
            const Found& found = found_[i];
            LockDetails& details = checkpoint_.details[i];
            Lock lock = as_lock(details.entry);
            if (found.file) {
                const OpenFile& file = wanted_.at(*found.file);
                if (!file.found && has_all_files_ && found.file->type == kRegularFile) {
                    complain(details.entry,
                             fmt::format("file {} is not among the open files", found.file->id));
                }
                lock.file = file.id;
                details.owner = file.owner;
                details.open_flags = file.flags;
                details.openers = file.path.empty() ? 0 : openers_.at(file.path);
            } else {
                lock.file = ownership.add_file();
            }
            if (!found.table && !nobody) {
                nobody = ownership.add_table();
            }
            lock.table = found.table ? *found.table : *nobody;
            checkpoint_.locks.add(lock);
        }
    }

    [[nodiscard]] Lock as_lock(const FileLockEntry& entry) const {
        Lock lock;
        lock.index = checkpoint_.locks.size();
        lock.offset = entry.offset;
        lock.fd = entry.fd;
        lock.kind = kind_of(entry.flag);
        lock.lease.breaking = entry.is_breaking();
        lock.lease.type = static_cast<LockType>(entry.is_lease() ? entry.lease_type() : entry.type);
        if (lock.lease.breaking) {
            lock.lease.previous_type = entry.held_as
                                           ? std::optional(static_cast<LockType>(*entry.held_as))
                                           : type_before_break(lock.lease.type);
            lock.lease.remaining = Remaining::not_known();
            lock.lease.notified = true;  // a break begins with the signal
        }
        if (has_range(entry)) {
            lock.range.start = entry.start;
            lock.range.end = entry.len == 0 ? kToEndOfFile : entry.start + entry.len - 1;
        }
        return lock;
    }

    // The entry cannot be what CRIU has written.
    void complain(const FileLockEntry& lock, std::string message) const {
        tell(Problem::Severity::structure, lock, std::move(message), kIncomplete);
    }

    // It can, but a restore will not make of it what was dumped.
    void doubt(const FileLockEntry& lock, std::string message, std::string_view hint) const {
        tell(Problem::Severity::meaning, lock, std::move(message), hint);
    }

    void tell(Problem::Severity severity, const FileLockEntry& lock, std::string message,
              std::string_view hint) const {
        problems_({severity, files_.path_of(kFileLocksImage), lock.offset,
                   fmt::format("entry {}", lock.index), std::move(message), std::string(hint)});
    }

    CheckpointFiles& files_;
    Scope scope_;
    Checkpoint checkpoint_;
    ProblemSink problems_;
    ImageSet images_;
    Processes processes_;
    std::vector<Found> found_;                    // by the index of the lock
    std::map<FileKey, OpenFile> wanted_;          // the files of locks
    bool has_all_files_ = false;                  // none is missing in files.img
    std::map<std::string, std::size_t> openers_;  // of their paths, through whatever open files
};

}  // namespace

Checkpoint read_checkpoint(CheckpointFiles& files) {
    check_version(files);
    return Reader(files, Processes::Scope::asked_for, [](const Problem&) {}).read();
}

Checkpoint read_sound_checkpoint(CheckpointFiles& files) {
    Checkpoint checkpoint = read_checkpoint(files);
    if (checkpoint.damage) {
        throw Error(Error::Kind::damaged, *checkpoint.damage);
    }
    return checkpoint;
}

const LockDetails& details_of(const Checkpoint& checkpoint, const std::string& file,
                              const FileLockEntry& entry) {
    const auto index = static_cast<std::size_t>(entry.index);
    if (index >= checkpoint.details.size() || checkpoint.details[index].entry != entry) {
        fail_changed(file);
    }
    return checkpoint.details[index];
}

void fail_changed(const std::string& file) {
    fail_damaged(file, "it has changed since it was read",
                 "somebody else writes to this file; try again", Problem::Code::changed_meanwhile);
}

Checkpoint verify_checkpoint(CheckpointFiles& files, const ProblemSink& problems) {
    Checkpoint checkpoint;
    checkpoint.name = files.name();
    attempt([&](const Problem& problem) { problems(*(checkpoint.damage = problem)); },
            [&] {
                check_version(files);
                checkpoint = Reader(files, Processes::Scope::all, problems).read();
            });
    return checkpoint;
}

Snapshot as_snapshot(Checkpoint&& checkpoint) {
    Snapshot snapshot;
    snapshot.origin = {
        .name = std::move(checkpoint.name), .format = Format::criu, .criu = checkpoint.tasks};
    snapshot.locks = std::move(checkpoint.locks);
    snapshot.damage = std::move(checkpoint.damage);
    for (std::size_t i = 0; i < checkpoint.details.size(); ++i) {
        const Lock lock = snapshot.locks.at(i);
        const std::optional<LeaseOwner>& owner = checkpoint.details[i].owner;
        if (lock.kind == LockKind::lease && owner) {
            snapshot.owners.emplace(lock.index, *owner);
        }
    }
    return snapshot;
}

}  // namespace ckpt_lease::criu
