// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <optional>
#include <utility>

#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/criu/file_locks.hpp"
#include "ckpt-lease/rewrite/writers.hpp"
#include "cli/archives.hpp"
#include "cli/checkpoints.hpp"
#include "cli/policy_run.hpp"
#include "cli/rewriting.hpp"
#include "render/image_facts.hpp"

namespace ckpt_lease::cli {
namespace {

constexpr std::string_view kFavorHolder = "favor-holder";
constexpr std::string_view kFavorBreaker = "favor-breaker";

void refuse_impossible(const criu::CheckpointFiles& checkpoint, const BarePolicy& asked,
                       const OutputOptions& output) {
    const std::string& name = checkpoint.name();
    if (asked.has_modifiers) {
        throw Error(Error::Kind::refused,
                    {.file = name,
                     .message = "no leases were captured with this checkpoint: there are no times "
                                "to be bounded, and nothing says that holders are signalled",
                     .hint = "leave --min, --max and --renotify out"});
    }
    if (asked.policy != kFavorHolder && asked.policy != kFavorBreaker) {
        refuse_without_times(name);
    }
    if (!checkpoint.is_archive() && (!output.out.empty() || !output.undo_file.empty())) {
        throw Error(Error::Kind::refused,
                    {.file = name,
                     .message = "-o and --undo-file are for images of leases, and none were "
                                "captured with this checkpoint",
                     .hint = "copy the folder, and give the copy"});
    }
}

[[noreturn]] void fail_changed(const std::string& image) {
    throw Error(Error::Kind::damaged, {.file = image,
                                       .message = "it has changed since it was read",
                                       .hint = "somebody else writes to this file; try again"});
}

}  // namespace

void PolicyRunner::rewrite_bare(criu::CheckpointFiles& checkpoint, const ImageFile* archive,
                                const BarePolicy& asked, Counts& counts) {
    refuse_impossible(checkpoint, asked, settings_.output);
    // In a folder it is this one image that is read, decided about, and replaced.
    std::optional<ImageFile> locked;
    if (const auto place = checkpoint.place_of(criu::kFileLocksImage); place && place->status) {
        ImageFile::Options options = access_for(*place, settings_.output, settings_.wait);
        options.only_regular = true;
        locked.emplace(*place, options);
    }
    const bool for_breaker = asked.policy == kFavorBreaker;
    const criu::Checkpoint read = criu::read_checkpoint(checkpoint);
    Plan made;
    const auto decide = [&](const criu::FileLockEntry& entry) {
        if (entry.index >= read.locks.size()) {
            fail_changed(checkpoint.path_of(criu::kFileLocksImage));
        }
        const Lock lock = read.locks.at(static_cast<std::size_t>(entry.index));
        if (!is_breaking(lock)) {
            made.counts.not_breaking += lock.kind == LockKind::lease ? 1 : 0;
            return criu::FileLockEdit();
        }
        if (!asked.filter.matches(lock, read.locks.ownership())) {
            ++made.counts.filtered_out;
            return criu::FileLockEdit();
        }
        Change& change =
            made.changes.emplace_back(Change{static_cast<std::uint32_t>(entry.index), lock.lease});
        if (!for_breaker) {
            ++made.counts.unchanged;
            return criu::FileLockEdit();
        }
        change.after.remaining = Remaining();
        // CRIU has a lease that several descriptors share once.
        ++made.counts.changed;
        ++made.counts.changed_leases;
        const bool written = read.details.at(entry.index).file_is_written;
        if (criu::loses_read_lease(entry, written)) {
            context_.complain(fmt::format(
                "{}: lease {} is taken away: CRIU cannot restore a read lease on a file that is "
                "open for writing",
                shown_name(checkpoint.name()), entry.index));
        }
        return criu::break_has_happened(entry, written);
    };
    const std::string path = checkpoint.path_of(criu::kFileLocksImage);
    const std::string before = locked ? criu::read_image(locked->file())
                                      : checkpoint.read(criu::kFileLocksImage).value_or("");
    std::string after = before.empty() ? before : criu::edit_file_locks(path, before, decide);
    counts = made.counts;
    if (fails_to_match(counts)) {
        return;
    }
    if (archive != nullptr) {
        criu::ArchiveChanges changes;
        if (after != before) {
            changes.file_locks = std::move(after);
        }
        rewrite_archive(context_, *archive, changes, settings_.output);
    } else if (after != before && !settings_.output.dry_run) {
        refuse_several_names(*locked, "image");
        replace_file(*locked, as_bytes(after));
    }
    report(checkpoint.name(), read.locks, made);
    if (counts.unchanged > 0) {
        context_.complain(fmt::format("{}: CRIU gives these holders the whole lease-break-time",
                                      shown_name(checkpoint.name())));
    }
}

int PolicyRunner::run_bare(criu::CheckpointFiles& checkpoint, const ImageFile* archive,
                           const BarePolicy& asked) {
    return judge(checkpoint.name(),
                 [&](Counts& counts) { rewrite_bare(checkpoint, archive, asked, counts); });
}

}  // namespace ckpt_lease::cli
