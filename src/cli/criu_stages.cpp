// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/criu_stages.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <set>
#include <system_error>
#include <vector>

#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/criu/captured_leases.hpp"
#include "ckpt-lease/criu/checkpoint.hpp"
#include "ckpt-lease/criu/file_locks.hpp"
#include "ckpt-lease/io/source.hpp"
#include "ckpt-lease/live/apply.hpp"
#include "ckpt-lease/live/capture.hpp"
#include "ckpt-lease/live/freeze_time.hpp"
#include "ckpt-lease/live/target.hpp"
#include "ckpt-lease/rewrite/writers.hpp"
#include "cli/checkpoints.hpp"
#include "render/image_facts.hpp"

namespace ckpt_lease::cli {
namespace {

constexpr mode_t kOwnerOnly = 0600;

std::string path_in(const CriuStage& stage, std::string_view image) {
    return fmt::format("{}/{}", stage.folder, image);
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
    const std::string path = path_in(stage, criu::kFileLocksImage);
    std::error_code error;
    if (!std::filesystem::exists(path, error)) {
        if (any) {
            stage.log->warn("there is no {}: criu needs --file-locks", criu::kFileLocksImage);
        }
        return;
    }
    const auto files = criu::open_checkpoint(*stage.system, stage.folder);
    const std::string before = files->read(criu::kFileLocksImage).value_or("");
    std::size_t changed = 0;
    const std::string after =
        criu::edit_file_locks(path, before, [&](const criu::FileLockEntry& entry) {
            const criu::FileLockEdit edit = leases.decide(entry, [&] {
                return criu::read_checkpoint(*files).details.at(entry.index).file_is_written;
            });
            changed += edit == criu::FileLockEdit() ? 0 : 1;
            return edit;
        });
    if (after != before) {
        write_whole(*stage.system, as_bytes(after), path, kOwnerOnly);
        stage.log->info("in {}, {} that criu is not to break", criu::kFileLocksImage,
                        shown_leases(changed));
    }
}

void log_lease(const CriuStage& stage, const LockList& locks, const Lock& lock) {
    stage.log->info("lease {}: {}, descriptor {}, {}: {}", lock.index,
                    shown_tasks(locks.tasks(lock)), lock.fd, shown_path(locks.path(lock)),
                    describe(lock.lease));
}

// The image that fits CRIU's: one that an earlier dump left there does not.
linux_cr::Image read_captured(const CriuStage& stage, const std::string& path) {
    ImageFile file(*stage.system, path, {.wait = true});
    io::FileSource source(file.file());
    linux_cr::Image image = linux_cr::read_sound_image(source, linux_cr::default_layout());
    check_captured_with(*criu::open_checkpoint(*stage.system, stage.folder), image.facts);
    return image;
}

bool restore(const CriuStage& stage, const live::ApplyOptions& options) {
    const std::string path = path_in(stage, criu::kCapturedImage);
    std::error_code error;
    const auto status = std::filesystem::status(path, error);
    if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
        throw Error(Error::Kind::refused, {.file = path, .message = "this is no regular file"});
    }
    if (!std::filesystem::exists(status)) {
        stage.log->log(stage.strict ? spdlog::level::err : spdlog::level::info,
                       "there is no {}: nothing to set", criu::kCapturedImage);
        return !stage.strict;
    }
    const linux_cr::Image image = read_captured(stage, path);
    const live::Targets targets = live::find_targets(image, live::read_tree(stage.root));
    const auto results = live::apply(targets.wanted, options);
    bool all = true;
    for (const live::Targets::Place& place : targets.places) {
        const live::AppliedLease result =
            place.missing.empty()
                ? results[place.wanted]
                : live::AppliedLease{live::AppliedLease::Outcome::skipped, place.missing};
        if (!options.dry_run) {
            log_lease(stage, image.locks, image.locks.at(static_cast<std::size_t>(place.index)));
        }
        if (result.outcome == live::AppliedLease::Outcome::set) {
            stage.log->info("lease {} {}", place.index, options.dry_run ? "can be set" : "is set");
        } else {
            const bool lost = result.outcome == live::AppliedLease::Outcome::lost;
            stage.log->error("lease {} {}: {}", place.index,
                             lost ? "is lost" : "is as criu restored it", result.reason);
            all = false;
        }
    }
    return all;
}

}  // namespace

bool post_dump(const CriuStage& stage) {
    const std::string path = path_in(stage, criu::kCapturedImage);
    // Whatever fails below, what an earlier dump has left is not of these tasks.
    for (const std::string& old : {path, journal_path(path)}) {
        if (unlink(old.c_str()) < 0 && errno != ENOENT) {
            stage.log->error("{} of an earlier dump cannot be removed: {}", old,
                             std::generic_category().message(errno));
        }
    }
    const auto frozen = live::frozen_at(stage.folder, stage.criu);
    if (!frozen) {
        stage.log->warn("no image tells when the tasks were stopped: their times count from now");
    }
    const std::vector<live::Process> processes = live::read_tree(stage.root);
    live::Captured captured = live::capture(processes, {.frozen = frozen});
    captured.image.facts.checkpoint_id =
        criu::checkpoint_id(*criu::open_checkpoint(*stage.system, stage.folder));
    const LockList& locks = captured.image.locks;
    const std::string image = linux_cr::make_image(captured.image, linux_cr::default_layout());
    write_whole(*stage.system, as_bytes(image), path, kOwnerOnly);
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
