// SPDX-License-Identifier: GPL-2.0-or-later
// Whether captured leases are those of a checkpoint.
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/base/text.hpp"
#include "criu/by_descriptor.hpp"
#include "criu/captured_leases.hpp"
#include "criu/image_set.hpp"
#include "criu/messages.hpp"

namespace ckpt_lease::criu {
namespace {

constexpr std::string_view kTimensImage = "timens-0.img";

// What an id was made from: its upper half. The older ids have a hash there.
enum class Origin : std::uint32_t { clocks = 0x636c6f63, run = 0x72756e20, uptime = 0x75707469 };
constexpr std::array kOrigins{Origin::clocks, Origin::run, Origin::uptime};

std::uint64_t hash_of(std::string_view bytes) {
    return XXH3_64bits(bytes.data(), bytes.size());
}

std::uint64_t old_id(CheckpointFiles& files) {
    return std::max<std::uint64_t>(hash_of(files.read(kInventoryImage).value_or("")), 1);
}

void append(std::string& bytes, std::uint64_t number) {
    bytes += as_text(encode(number, sizeof number, ByteOrder::little));
}

// What tells a dump from others, as bytes; empty if that is not there. What is damaged tells
// nothing, and goes to `problems`.
std::string identity_of(
    CheckpointFiles& files, Origin origin, const ProblemSink& problems = [](const Problem&) {}) {
    std::string bytes;
    const ImageSet images(files, problems);
    if (origin == Origin::clocks) {
        const auto clocks = images.read_one<images::TimensEntry>(
            kTimensImage, images.read(kTimensImage), Magic::timens);
        if (clocks && clocks->has_monotonic() && clocks->has_boottime()) {
            for (const images::Timespec& clock : {clocks->monotonic(), clocks->boottime()}) {
                append(bytes, clock.tv_sec());
                append(bytes, clock.tv_nsec());
            }
        }
        return bytes;
    }
    const auto inventory = images.read_one<images::Inventory>(
        kInventoryImage, images.read(kInventoryImage), Magic::inventory);
    if (!inventory || (origin == Origin::run ? inventory->dump_criu_run_id().empty()
                                             : !inventory->has_dump_uptime())) {
        return bytes;
    }
    append(bytes, inventory->dump_uptime());
    return origin == Origin::run ? bytes + inventory->dump_criu_run_id() : bytes;
}

std::optional<std::uint64_t> id_by(CheckpointFiles& files, Origin origin) {
    const std::string bytes = identity_of(files, origin);
    if (bytes.empty()) {
        return std::nullopt;
    }
    return static_cast<std::uint64_t>(origin) << 32U | (hash_of(bytes) & UINT32_MAX);
}

std::optional<Origin> origin_of(std::uint64_t id) {
    const auto* const found =
        std::find(kOrigins.begin(), kOrigins.end(), static_cast<Origin>(id >> 32U));
    return found == kOrigins.end() ? std::nullopt : std::optional(*found);
}

// Captured leases by the descriptors that they are held through. One that is held through several
// has an entry in filelocks.img for one of them.
class Captured {
 public:
    explicit Captured(const LockList& leases) : leases_(leases) {
        leases.for_each([&](const Lock& lock) {
            if (lock.kind == LockKind::lease && !leases.tasks(lock).empty()) {
                by_descriptor_.emplace(leases, lock, lock.index);
                pending_.emplace(lock.file, lock.index);
            }
        });
    }

    // The lease that an entry is about, which has its entry then.
    std::optional<Lock> find(const FileLockEntry& entry) {
        const std::uint64_t* const found = by_descriptor_.find(entry.pid, entry.fd);
        if (!entry.is_lease() || found == nullptr) {
            return std::nullopt;
        }
        Lock lock = leases_.at(static_cast<std::size_t>(*found));
        pending_.erase(lock.file);
        return lock;
    }

    // Those for which find() was not asked: the first record of each.
    [[nodiscard]] const std::map<FileId, std::uint64_t>& without_entry() const { return pending_; }

    [[nodiscard]] std::string describe(const Lock& lock) const {
        return fmt::format("process {} holds a lease on descriptor {}, and {} has none there",
                           leases_.tasks(lock).front().pid, lock.fd, kFileLocksImage);
    }

 private:
    const LockList& leases_;
    ByDescriptor<std::uint64_t> by_descriptor_;
    std::map<FileId, std::uint64_t> pending_;
};

std::optional<std::string> first_difference(CheckpointFiles& files, const LockList& leases) {
    Captured captured(leases);
    if (const std::optional<std::string> bytes = files.read(kFileLocksImage)) {
        for_each_file_lock(files.path_of(kFileLocksImage), *bytes,
                           [&](const FileLockEntry& entry) { captured.find(entry); });
    }
    if (captured.without_entry().empty()) {
        return std::nullopt;
    }
    const auto index = static_cast<std::size_t>(captured.without_entry().begin()->second);
    return captured.describe(leases.at(index));
}

// Why captured leases are not taken for those of a checkpoint.
struct Mismatch {
    // They are of another dump. If not, they may be of this one, whose images were changed since:
    // then nobody should be told to remove them.
    bool is_certain = false;
    std::string message;
};

std::optional<Mismatch> find_mismatch(CheckpointFiles& files, std::uint64_t id,
                                      const LockList& captured) {
    constexpr const char* kOther =
        "these leases were captured with another dump than the one that is here";
    if (id == 0) {
        return std::nullopt;
    }
    const std::optional<Origin> origin = origin_of(id);
    const std::optional<std::uint64_t> now = origin ? id_by(files, *origin) : old_id(files);
    if (now == id) {
        return std::nullopt;
    }
    if (origin && now) {
        return Mismatch{true, kOther};
    }
    // Where the image that would tell is damaged, what is left to compare is too little: in
    // containers pids and descriptors are the same each time.
    if (origin && files.has(*origin == Origin::clocks ? kTimensImage : kInventoryImage)) {
        static_cast<void>(identity_of(files, *origin, [](const Problem& problem) {
            throw Error(Error::Kind::damaged, problem);
        }));
    }
    // Of inventory.img's bytes crit(1) changes some, and leaves what tells one dump from another.
    if (!origin && (id_by(files, Origin::run) || id_by(files, Origin::uptime))) {
        return Mismatch{false, fmt::format("{}, or {} was changed since", kOther, kInventoryImage)};
    }
    if (const std::optional<std::string> difference = first_difference(files, captured)) {
        return Mismatch{false, "these leases do not fit the checkpoint: " + *difference};
    }
    return std::nullopt;
}

// readlink(2) of proc(5) says so; CRIU does not.
std::string_view without_deleted(std::string_view path) {
    constexpr std::string_view kDeleted = " (deleted)";
    return path.ends_with(kDeleted) ? path.substr(0, path.size() - kDeleted.size()) : path;
}

}  // namespace

std::uint64_t checkpoint_id(CheckpointFiles& files) {
    for (const Origin origin : kOrigins) {
        if (const std::optional<std::uint64_t> id = id_by(files, origin)) {
            return *id;
        }
    }
    return old_id(files);
}

void check_captured_with(CheckpointFiles& files, std::uint64_t id, const LockList& captured) {
    if (const auto mismatch = find_mismatch(files, id, captured)) {
        throw Error(
            Error::Kind::refused,
            {.file = files.path_of(kCapturedImage),
             .message = mismatch->message,
             .hint = mismatch->is_certain
                         ? "if this one was dumped without CRIU's action script, remove it"
                         : "if CRIU's images were changed with crit, put back those that were "
                           "dumped; this image cannot be used with another dump",
             .code = Problem::Code::other_dump});
    }
}

void compare_captured(CheckpointFiles& files, const Checkpoint& checkpoint, const std::string& file,
                      const LockList& captured, const ProblemSink& problems) {
    using Severity = Problem::Severity;
    const auto about = [&](Severity severity, const Lock& lock, std::string message,
                           std::string hint) {
        problems({severity, file, lock.offset, fmt::format("lock {}", lock.index),
                  std::move(message), std::move(hint)});
    };
    Captured leases(captured);
    checkpoint.locks.for_each([&](const Lock& lock) {
        const FileLockEntry& entry = checkpoint.details[static_cast<std::size_t>(lock.index)].entry;
        const std::optional<Lock> lease = leases.find(entry);
        if (!lease && (entry.held_as || entry.is_parked)) {
            problems({Severity::meaning, files.path_of(kFileLocksImage), entry.offset,
                      fmt::format("entry {}", entry.index),
                      fmt::format("the state of this lease was left to {}, which does not have it",
                                  kCapturedImage),
                      "copy the images of one dump together; without its state the lease is lost"});
        }
        const std::string_view path = checkpoint.locks.path(lock);
        const std::string_view before = lease ? captured.path(*lease) : "";
        if (!path.empty() && !before.empty() && path != without_deleted(before)) {
            about(Severity::warning, *lease,
                  fmt::format("it was captured on {}, and the checkpoint has {} there",
                              escape(before), escape(path)),
                  "it is set after a restore only if files may be elsewhere then");
        }
    });
    for (const auto& [held_through, index] : leases.without_entry()) {
        const Lock lock = captured.at(static_cast<std::size_t>(index));
        about(Severity::meaning, lock, leases.describe(lock),
              "where processes were given other pids, or descriptors other numbers, it is not set "
              "after a restore");
    }
}

}  // namespace ckpt_lease::criu
