// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/criu_stages.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <set>
#include <system_error>
#include <vector>

#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/criu/captured_leases.hpp"
#include "ckpt-lease/criu/checkpoint.hpp"
#include "ckpt-lease/criu/file_locks.hpp"
#include "ckpt-lease/io/source.hpp"
#include "ckpt-lease/io/trust.hpp"
#include "ckpt-lease/live/apply.hpp"
#include "ckpt-lease/live/capture.hpp"
#include "ckpt-lease/live/freeze_time.hpp"
#include "ckpt-lease/live/ordinary_break.hpp"
#include "ckpt-lease/live/target.hpp"
#include "ckpt-lease/rewrite/writers.hpp"
#include "cli/checkpoints.hpp"
#include "render/image_facts.hpp"

namespace ckpt_lease::cli {
namespace {

// Whatever has the name in CRIU's folder: no link is followed.
io::Place place_in(const CriuStage& stage, std::string_view image) {
    return io::place_in(stage.folder, std::string(image));
}

std::string shown_leases(std::size_t count) {
    return fmt::format("{} lease{}", count, count == 1 ? "" : "s");
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

void keep_criu_from_breaking(const CriuStage& stage, const criu::CapturedLeases& leases, bool any) {
    const io::Place place = place_in(stage, criu::kFileLocksImage);
    if (!place.status) {
        if (any) {
            stage.log->warn("there is no {}: criu needs --file-locks", criu::kFileLocksImage);
        }
        return;
    }
    const ImageFile file(place, {.access = ImageFile::Access::write,
                                 .wait = true,
                                 .only_regular = true,
                                 .patiently = true});
    const auto files = criu::open_checkpoint(stage.folder);
    const std::string before = criu::read_image(file.file());
    std::size_t changed = 0;
    const std::string after =
        criu::edit_file_locks(place.shown, before, [&](const criu::FileLockEntry& entry) {
            const criu::FileLockEdit edit = leases.decide(entry, [&] {
                return criu::read_checkpoint(*files).details.at(entry.index).file_is_written;
            });
            changed += edit == criu::FileLockEdit() ? 0 : 1;
            return edit;
        });
    if (after != before) {
        replace_file(file, as_bytes(after));
        stage.log->info("in {}, {} that criu is not to break", criu::kFileLocksImage,
                        shown_leases(changed));
    }
}

void log_lease(const CriuStage& stage, const LockList& locks, const Lock& lock) {
    stage.log->info("lease {}: {}, descriptor {}, {}: {}", lock.index,
                    shown_tasks(locks.tasks(lock)), lock.fd, shown_path(locks.path(lock)),
                    describe(lock.lease));
}

// In a folder where everybody can make files, anybody may have made one of this name.
void check_origin(const CriuStage& stage, const ImageFile& captured) {
    const struct stat found = captured.file().status();
    const auto inventory = place_in(stage, "inventory.img").status;
    const bool is_ours =
        io::is_trusted(found.st_uid) || (inventory && inventory->st_uid == found.st_uid);
    if (!is_ours || found.st_nlink != 1) {
        throw Error(Error::Kind::refused,
                    {.file = captured.file().name(),
                     .message = fmt::format("this belongs to user {}, or has several names: it was "
                                            "not made when these tasks were dumped",
                                            found.st_uid),
                     .hint = "remove it"});
    }
}

// The image that fits CRIU's: one that an earlier dump left there does not.
linux_cr::Image read_captured(const CriuStage& stage, const io::Place& place) {
    ImageFile file(place, {.wait = true, .only_regular = true, .patiently = true});
    check_origin(stage, file);
    io::FileSource source(file.file());
    linux_cr::Image image = linux_cr::read_sound_image(source, linux_cr::default_layout());
    check_captured_with(*criu::open_checkpoint(stage.folder), image.facts);
    return image;
}

// What became of the leases, in the log. The dump has had criu restore breaks as leases that are
// held: one that could not be set would be held for ever by a holder that was signalled before.
class Restored {
 public:
    Restored(const CriuStage& stage, const live::Targets& targets,
             const std::vector<live::AppliedLease>& results)
        : stage_(stage), targets_(targets), results_(results) {}

    void report(const live::Targets::Place& found, bool is_dry_run) {
        using Outcome = live::AppliedLease::Outcome;
        if (!found.missing.empty()) {
            say_not_set(found.index, found.missing);
            return;
        }
        const live::AppliedLease& result = results_[found.wanted];
        if (result.outcome == Outcome::set) {
            stage_.log->info("lease {} {}", found.index, is_dry_run ? "can be set" : "is set");
        } else if (result.outcome == Outcome::lost) {
            all_ = false;
            stage_.log->error("lease {} is lost: {}", found.index, result.reason);
        } else {
            say_not_set(found.index, result.reason);
            if (targets_.wanted[found.wanted].state.breaking) {
                unset_.push_back(targets_.wanted[found.wanted]);
                indexes_.push_back(found.index);
            }
        }
    }

    void begin_breaks() const {
        const std::vector<std::string> reasons = live::begin_ordinary_breaks(unset_);
        for (std::size_t i = 0; i < reasons.size(); ++i) {
            if (reasons[i].empty()) {
                stage_.log->warn(
                    "lease {}: an ordinary break was begun instead, as criu would have done",
                    indexes_[i]);
            } else {
                stage_.log->error("lease {}: no ordinary break can be begun either: {}",
                                  indexes_[i], reasons[i]);
            }
        }
    }

    [[nodiscard]] bool is_all() const { return all_; }

 private:
    void say_not_set(std::uint64_t index, const std::string& reason) {
        all_ = false;
        stage_.log->error("lease {} is not set: {}", index, reason);
    }

    const CriuStage& stage_;
    const live::Targets& targets_;
    const std::vector<live::AppliedLease>& results_;
    bool all_ = true;
    std::vector<live::WantedLease> unset_;  // in the middle of a break
    std::vector<std::uint64_t> indexes_;
};

bool restore(const CriuStage& stage, const live::ApplyOptions& options) {
    const io::Place place = place_in(stage, criu::kCapturedImage);
    if (!place.status) {
        stage.log->log(stage.strict ? spdlog::level::err : spdlog::level::info,
                       "there is no {}: nothing to set", criu::kCapturedImage);
        return !stage.strict;
    }
    const linux_cr::Image image = read_captured(stage, place);
    const live::Targets targets = live::find_targets(image, live::read_tree(stage.root));
    live::ApplyOptions told = options;
    told.tell = [&](const Problem& problem) { stage.log->warn("{}", to_string(problem)); };
    const auto results = live::apply(targets.wanted, told);
    Restored restored(stage, targets, results);
    for (const live::Targets::Place& found : targets.places) {
        if (!options.dry_run) {
            log_lease(stage, image.locks, image.locks.at(static_cast<std::size_t>(found.index)));
        }
        restored.report(found, options.dry_run);
    }
    if (!options.dry_run) {
        restored.begin_breaks();
    }
    return restored.is_all();
}

}  // namespace

bool post_dump(const CriuStage& stage) {
    const std::string captured_image(criu::kCapturedImage);
    // Whatever fails below, what an earlier dump has left is not of these tasks.
    for (const std::string& old : {captured_image, journal_name(captured_image)}) {
        if (const int result = stage.folder->remove(old); result < 0 && result != -ENOENT) {
            stage.log->error("{} of an earlier dump cannot be removed: {}",
                             stage.folder->path_of(old), std::generic_category().message(-result));
        }
    }
    const auto frozen =
        live::frozen_at(fmt::format("/proc/self/fd/{}", stage.folder->fd()), stage.criu);
    if (!frozen) {
        stage.log->warn("no image tells when the tasks were stopped: their times count from now");
    }
    const std::vector<live::Process> processes = live::read_tree(stage.root);
    live::Captured captured = live::capture(processes, {.frozen = frozen});
    captured.image.facts.checkpoint_id = criu::checkpoint_id(*criu::open_checkpoint(stage.folder));
    const LockList& locks = captured.image.locks;
    const std::string image = linux_cr::make_image(captured.image, linux_cr::default_layout());
    write_over(stage.folder, captured_image, as_bytes(image));
    stage.log->info("post-dump: in {}, {} of the tree of process {}, stopped {} s ago",
                    criu::kCapturedImage, shown_leases(locks.size()), stage.root,
                    format_seconds(frozen ? live::steady_now() - *frozen : Nanoseconds(0)));
    locks.for_each([&](const Lock& lock) { log_lease(stage, locks, lock); });
    for (const Problem& problem : captured.unknown) {
        stage.log->warn("{}", to_string(problem));
    }
    keep_criu_from_breaking(stage, criu::CapturedLeases(pids_of(processes), locks, captured.inodes),
                            locks.size() > 0);
    return captured.unknown.empty();
}

bool post_restore(const CriuStage& stage) {
    return restore(stage, {.dry_run = true});
}

bool pre_resume(const CriuStage& stage) {
    return restore(stage, {});
}

}  // namespace ckpt_lease::cli
