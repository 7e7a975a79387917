// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include "ckpt-lease/base/bytes.hpp"
#include "criu/captured_leases.hpp"
#include "criu/checkpoint.hpp"
#include "criu/file_locks.hpp"
#include "hook/stages.hpp"
#include "live/capture.hpp"
#include "live/freeze_time.hpp"
#include "rewrite/writers.hpp"

namespace ckpt_lease::hook {
namespace {

std::string shown_leases(std::size_t count) {
    return fmt::format("{} lease{}", count, count == 1 ? "" : "s");
}

constexpr std::uint32_t kCriuReadLease = 0;  // F_RDLCK, see criu::FileLockEntry::type

// A lease that several descriptors share has a record for each.
std::size_t count_leases(const LockList& locks) {
    std::set<FileId> files;
    locks.for_each([&](const Lock& lock) { files.insert(lock.file); });
    return files.size();
}

// The tasks that could be looked at, by their pids in the container.
std::set<std::int32_t> pids_of(const std::vector<live::Process>& processes) {
    std::set<std::int32_t> pids;
    for (const live::Process& process : processes) {
        if (!process.hidden) {
            pids.insert(process.pids.front());
        }
    }
    return pids;
}

void keep_criu_from_breaking(const Call& call, const criu::CapturedLeases& leases, bool any) {
    const io::Place place = place_of(call, criu::kFileLocksImage);
    if (!place.status) {
        if (any) {
            say(call, Level::warning, "there is no {}: criu was not told to dump file locks",
                criu::kFileLocksImage);
        }
        return;
    }
    const ImageFile file(place, {.access = ImageFile::Access::write,
                                 .wait = true,
                                 .only_regular = true,
                                 .patiently = true});
    std::optional<criu::Checkpoint> checkpoint;
    const auto details_of = [&](const criu::FileLockEntry& entry) {
        if (!checkpoint) {
            checkpoint = criu::read_sound_checkpoint(*criu::open_checkpoint(call.folder));
        }
        return criu::details_of(*checkpoint, place.shown, entry);
    };
    const std::string before = criu::read_image(file.file());
    std::size_t changed = 0;
    std::vector<criu::FileLockEntry> parked;
    std::vector<criu::FileLockEntry> ended;
    const std::string after =
        criu::edit_file_locks(place.shown, before, [&](const criu::FileLockEntry& entry) {
            const criu::FileLockEdit edit = leases.decide(entry, [&] { return details_of(entry); });
            changed += edit == criu::FileLockEdit() ? 0 : 1;
            if (edit.action == criu::FileLockEdit::Action::park) {
                parked.push_back(entry);
            } else if (edit.action == criu::FileLockEdit::Action::remove) {
                ended.push_back(entry);
            }
            return edit;
        });
    if (after != before) {
        replace_file(file, as_bytes(after));
        say(call, Level::info, "in {}, {} that criu is not to break or set", criu::kFileLocksImage,
            shown_leases(changed));
    }
    for (const criu::FileLockEntry& entry : ended) {
        say(call, Level::warning,
            "{}: its break came to an end while criu was at work, which may have waited for that "
            "to "
            "note a build-id",
            name_of(entry));
    }
    for (const criu::FileLockEntry& entry : parked) {
        say(call, Level::warning,
            "{}: criu cannot restore a read lease on a file that is open for writing: it is set at "
            "pre-resume, if nobody else has the file open then",
            name_of(entry));
    }
}

// Whether filelocks.img has been changed, or is as it would be. It is changed at once, or not at
// all.
bool is_edited(const Call& call) {
    const io::Place place = place_of(call, criu::kFileLocksImage);
    if (!place.status) {
        return true;
    }
    io::File file = place.open(O_RDONLY);
    bool is_changed = false;
    bool may_need_it = false;
    criu::for_each_file_lock(
        place.shown, criu::read_image(file), [&](const criu::FileLockEntry& entry) {
            is_changed |= entry.held_as.has_value() || entry.is_parked;
            may_need_it |=
                entry.is_breaking() || (entry.is_lease() && entry.lease_type() == kCriuReadLease);
        });
    return is_changed || !may_need_it;
}

// What is there already: then somebody has carried out this stage before, to its end. A second look
// would come later than the first, and know less.
bool is_captured(const Call& call) {
    try {
        const io::Place place = place_of(call, criu::kCapturedImage);
        const std::uint64_t id = criu::checkpoint_id(*criu::open_checkpoint(call.folder));
        return id != 0 && place.status && read_captured(call, place).facts.checkpoint_id == id &&
               is_edited(call);
    } catch (const Error&) {
        return false;
    }
}

live::SteadyTime not_later_than_now(live::SteadyTime time) {
    return std::min(time, live::steady_now());
}

std::optional<live::SteadyTime> frozen_at(const Call& call) {
    return call.frozen
               ? std::optional(not_later_than_now(*call.frozen))
               : live::frozen_at(fmt::format("/proc/self/fd/{}", call.folder->fd()), call.criu);
}

// By FileId.
std::vector<criu::LeasedFile> leased_files(const live::Captured& captured) {
    std::vector<criu::LeasedFile> files;
    for (std::size_t i = 0; i < captured.inodes.size(); ++i) {
        files.push_back({captured.inodes[i], captured.are_writable[i]});
    }
    return files;
}

}  // namespace

bool dump(const Call& call) {
    if (is_captured(call)) {
        say(call, Level::info, "post-dump: {} is of this dump already", criu::kCapturedImage);
        // Whether all could be looked into is known to the other one; it is asked for rarely.
        return !call.strict || live::capture(live::read_tree(call.root), {}).unknown.empty();
    }
    const auto frozen = frozen_at(call);
    const std::string captured_image(criu::kCapturedImage);
    // Whatever fails below, what an earlier dump has left is not of these tasks.
    for (const std::string& old : {captured_image, journal_name(captured_image)}) {
        if (const int result = call.folder->remove(old); result < 0 && result != -ENOENT) {
            say(call, Level::error, "{} of an earlier dump cannot be removed: {}",
                call.folder->path_of(old), std::generic_category().message(-result));
        }
    }
    static_cast<void>(call.folder->remove(std::string(live::kFreezeMark)));
    if (!frozen) {
        say(call, Level::warning,
            "no image tells when the tasks were stopped: their times count from now");
    }
    const std::vector<live::Process> processes = live::read_tree(call.root);
    live::Captured captured = live::capture(processes, {.frozen = frozen});
    captured.image.facts.checkpoint_id = criu::checkpoint_id(*criu::open_checkpoint(call.folder));
    const LockList& locks = captured.image.locks;
    const std::string image = linux_cr::make_image(captured.image, linux_cr::default_layout());
    write_over(call.folder, captured_image, as_bytes(image));
    say(call, Level::info, "post-dump: in {}, {} of the tree of process {}{}", criu::kCapturedImage,
        shown_leases(count_leases(locks)), call.root,
        frozen ? fmt::format(", stopped {} s ago", format_seconds(live::steady_now() - *frozen))
               : "");
    locks.for_each([&](const Lock& lock) { show(call, locks, lock); });
    for (const Problem& problem : captured.left_alone) {
        tell(call, {.level = Level::warning, .problem = problem});
    }
    for (const Problem& problem : captured.unknown) {
        tell(call, {.level = Level::warning, .problem = problem});
    }
    keep_criu_from_breaking(call,
                            criu::CapturedLeases(pids_of(processes), locks, leased_files(captured)),
                            locks.size() > 0);
    return captured.unknown.empty();
}

}  // namespace ckpt_lease::hook
