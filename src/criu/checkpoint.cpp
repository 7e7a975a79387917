// SPDX-License-Identifier: GPL-2.0-or-later
#include "ckpt-lease/criu/checkpoint.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/criu/file_locks.hpp"
#include "criu/image_set.hpp"
#include "criu/messages.hpp"
#include "criu/processes.hpp"

namespace ckpt_lease::criu {
namespace {

constexpr std::string_view kFilesImage = "files.img";
constexpr std::string_view kRegFilesImage = "reg-files.img";
constexpr std::uint32_t kRegularFile = 1;  // REG of CRIU's enum fd_types

// What is known of the time of a break: nothing. All that is said of it stands here.
Remaining unknown_remaining() {
    return Remaining::not_known();
}

struct OpenFile {
    FileId id{};
    std::string path;
    LeaseOwner owner;
    std::uint32_t flags = 0;
    bool found = false;
};

class Reader {
 public:
    explicit Reader(CheckpointFiles& files)
        : files_(files),
          images_(files),
          version_(read_version()),
          processes_(images_, checkpoint_.locks.ownership()) {}

    Checkpoint read() {
        read_locks();
        read_files();
        add_locks();
        CheckpointFacts& facts = checkpoint_.facts;
        facts.name = files_.name();
        facts.version = version_;
        facts.root_pid = processes_.root_pid();
        facts.tasks = processes_.size();
        facts.has_captured = files_.has(kCapturedImage);
        return std::move(checkpoint_);
    }

 private:
    struct Found {
        FileLockEntry entry;
        TableId table{};
        FileKey file;
    };

    [[nodiscard]] std::uint32_t read_version() const {
        const auto inventory = images_.read_one<images::Inventory>(
            kInventoryImage, images_.read(kInventoryImage), Magic::inventory);
        if (inventory.img_version() != 1 && inventory.img_version() != 2) {
            fail_damaged(
                files_.path_of(kInventoryImage),
                fmt::format("images of version {}: 1 and 2 are known", inventory.img_version()),
                "a newer ckpt-lease may know them");
        }
        return inventory.img_version();
    }

    void read_locks() {
        const std::optional<std::string> bytes = files_.read(kFileLocksImage);
        if (!bytes) {
            return;
        }
        checkpoint_.facts.has_file_locks = true;
        for_each_file_lock(files_.path_of(kFileLocksImage), *bytes, [&](const FileLockEntry& lock) {
            check(lock);
            const Table& table = table_of(lock);
            const auto file = table.descriptors.find(lock.fd);
            if (file == table.descriptors.end()) {
                fail(lock, fmt::format("process {} has no descriptor {}", lock.pid, lock.fd));
            }
            wanted_.try_emplace(file->second);
            locks_.push_back({lock, table.id, file->second});
        });
    }

    // What no kernel could have had, and what a Lock cannot say.
    void check(const FileLockEntry& lock) const {
        if (lock.type > UINT8_MAX || (lock.is_lease() && lock.lease_type() > 2)) {
            fail(lock, fmt::format("{} is no type of a lock", lock.type));
        }
        if (lock.start < 0 || lock.len < 0 || lock.len > INT64_MAX - lock.start) {
            fail(lock, fmt::format("{} bytes from {} on are no range", lock.len, lock.start));
        }
    }

    const Table& table_of(const FileLockEntry& lock) {
        const Processes::Found found = processes_.find_table(lock.pid);
        if (found.result == Processes::Lookup::no_process) {
            fail(lock, fmt::format("there is no process {}", lock.pid));
        }
        if (found.result == Processes::Lookup::no_table) {
            fail(lock, fmt::format("process {} has no descriptors", lock.pid));
        }
        return *found.table;
    }

    // Of all files, which may be many, only those that are locked are kept.
    void read_files() {
        if (wanted_.empty()) {
            return;
        }
        const std::optional<std::string> files = files_.read(kFilesImage);
        const std::string reg_files = files ? std::string() : images_.read(oldest_files_image());
        const auto for_each_file = [&](auto visit) {
            if (files) {
                images_.for_each<images::FileEntry>(
                    kFilesImage, *files, Magic::files,
                    [&](const ImageReader& /*image*/, const Entry& /*entry*/,
                        const images::FileEntry& file) {
                        visit(FileKey{file.type(), file.id()}, file.reg());
                    });
            } else {
                images_.for_each<images::RegFileEntry>(
                    kRegFilesImage, reg_files, Magic::reg_files,
                    [&](const ImageReader& /*image*/, const Entry& /*entry*/,
                        const images::RegFileEntry& file) {
                        visit(FileKey{kRegularFile, file.id()}, file);
                    });
            }
        };
        for_each_file([&](const FileKey& key, const images::RegFileEntry& file) {
            if (const auto wanted = wanted_.find(key); wanted != wanted_.end()) {
                note_file(wanted->second, file);
            }
        });
        for_each_file([&](const FileKey& /*key*/, const images::RegFileEntry& file) {
            if ((file.flags() & O_ACCMODE) != O_RDONLY && paths_.contains(file.name())) {
                written_.insert(file.name());
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
        const images::FileOwner& owner = file.fown();
        open.owner.kind = owner.pid_type() <= 2 ? static_cast<LeaseOwner::Kind>(owner.pid_type())
                                                : LeaseOwner::Kind::process;
        open.owner.id = static_cast<std::int32_t>(owner.pid());
        open.owner.uid = owner.uid();
        open.owner.euid = owner.euid();
        open.owner.signal = static_cast<std::int32_t>(owner.signum());
        if (!open.path.empty()) {
            paths_.insert(open.path);
        }
    }

    void add_locks() {
        Ownership& ownership = checkpoint_.locks.ownership();
        for (auto& [key, file] : wanted_) {
            file.id = ownership.add_file();
            ownership.set_path(file.id, file.path);
        }
        for (const Found& found : locks_) {
            const OpenFile& file = wanted_.at(found.file);
            if (!file.found && found.file.type == kRegularFile) {
                fail(found.entry,
                     fmt::format("file {} is not among the open files", found.file.id));
            }
            checkpoint_.locks.add(as_lock(found, file));
            checkpoint_.details.push_back(
                {file.owner, file.flags, found.entry.type, written_.contains(file.path)});
        }
    }

    static Lock as_lock(const Found& found, const OpenFile& file) {
        const FileLockEntry& entry = found.entry;
        Lock lock;
        lock.index = entry.index;
        lock.offset = entry.offset;
        lock.fd = entry.fd;
        lock.file = file.id;
        lock.table = found.table;
        lock.kind = kind_of(entry.flag);
        lock.lease.breaking = entry.is_breaking();
        lock.lease.type = static_cast<LockType>(entry.is_lease() ? entry.lease_type() : entry.type);
        if (lock.lease.breaking) {
            lock.lease.previous_type = kUnknownType;
            lock.lease.remaining = unknown_remaining();
            lock.lease.notified = true;  // a break begins with the signal
        }
        lock.range.start = entry.start;
        lock.range.end = entry.len == 0 ? kToEndOfFile : entry.start + entry.len - 1;
        return lock;
    }

    static LockKind kind_of(std::uint32_t flag) {
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

    [[noreturn]] void fail(const FileLockEntry& lock, std::string message) const {
        throw Error(
            Error::Kind::damaged,
            {Problem::Severity::structure, files_.path_of(kFileLocksImage), lock.offset,
             fmt::format("entry {}", lock.index), std::move(message), std::string(kIncomplete)});
    }

    CheckpointFiles& files_;
    ImageSet images_;
    std::uint32_t version_;  // read first: of what is not known nothing is read
    Checkpoint checkpoint_;
    Processes processes_;
    std::vector<Found> locks_;
    std::map<FileKey, OpenFile> wanted_;  // the files of locks
    std::set<std::string> paths_;         // of those
    std::set<std::string> written_;       // those of them that are open for writing
};

}  // namespace

std::uint64_t checkpoint_id(CheckpointFiles& files) {
    const std::string inventory = files.read(kInventoryImage).value_or("");
    return std::max<std::uint64_t>(XXH3_64bits(inventory.data(), inventory.size()), 1);
}

Checkpoint read_checkpoint(CheckpointFiles& files) {
    return Reader(files).read();
}

}  // namespace ckpt_lease::criu
