// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/checkpoints.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/base/text.hpp"
#include "ckpt-lease/criu/checkpoint.hpp"
#include "ckpt-lease/criu/file_locks.hpp"
#include "ckpt-lease/rewrite/writers.hpp"
#include "cli/archives.hpp"
#include "cli/exit_status.hpp"
#include "render/image_facts.hpp"

namespace ckpt_lease::cli {
namespace {

namespace fs = std::filesystem;

// Without opening it: whoever fills a pipe would notice.
bool is_folder(const std::string& name) {
    std::error_code error;
    return fs::is_directory(name, error);
}

bool is_file(const std::string& name) {
    std::error_code error;
    return fs::is_regular_file(name, error);
}

// The path of an image in a folder of CRIU's; empty if there is none.
std::string find_in(const std::string& folder, std::string_view image) {
    for (const char* const place : {"", "checkpoint/"}) {
        std::string path = fmt::format("{}/{}{}", folder, place, image);
        if (is_file(path)) {
            return path;
        }
    }
    return {};
}

std::string captured_in(const std::string& folder) {
    return find_in(folder, criu::kCapturedImage);
}

// Other folders are left to whoever opens them, and complains.
bool is_criu_folder(const std::string& name) {
    return is_folder(name) && !find_in(name, "inventory.img").empty();
}

[[noreturn]] void refuse_without_times(const std::string& name) {
    throw Error(Error::Kind::refused,
                {.file = name,
                 .message = "no leases were captured with this checkpoint, and CRIU's images do "
                            "not say what was left of them",
                 .hint = "dump with --action-script ckpt-lease-criu-hook; without it there are "
                         "policy --favor-holder and --favor-breaker"});
}

}  // namespace

void check_captured_with(criu::CheckpointFiles& files, const linux_cr::ImageFacts& facts) {
    if (facts.checkpoint_id != 0 && facts.checkpoint_id != criu::checkpoint_id(files)) {
        throw Error(Error::Kind::refused,
                    {.file = files.path_of(criu::kCapturedImage),
                     .message = "these leases were captured with another dump than the one that is "
                                "here",
                     .hint = "remove it: this one was dumped without --action-script "
                             "ckpt-lease-criu-hook"});
    }
}

std::string image_of(io::System& system, const std::string& name) {
    if (!is_folder(name)) {
        return name;
    }
    std::string path = captured_in(name);
    if (!is_criu_folder(name)) {
        return path.empty() ? name : path;
    }
    if (path.empty()) {
        refuse_without_times(name);
    }
    const io::File file(system, path, O_RDONLY);
    io::FileSource source(file);
    // What else is wrong with it is found by whoever opens it.
    check_captured_with(*criu::open_checkpoint(system, name),
                        linux_cr::read_image(source, linux_cr::default_layout()).facts);
    return path;
}

bool is_checkpoint(io::System& system, const std::string& name) {
    return is_criu_folder(name) || (is_file(name) && criu::may_be_checkpoint(system, name));
}

std::unique_ptr<criu::CheckpointFiles> open_bare_checkpoint(const Context& context,
                                                            const std::string& name) {
    io::System& system = *context.environment.system;
    if (!is_checkpoint(system, name) || (is_folder(name) && !captured_in(name).empty())) {
        return nullptr;
    }
    return criu::open_checkpoint(system, name);
}

int run_bare_policy(const Context& context, criu::CheckpointFiles& files, const BarePolicy& asked) {
    const std::string& name = files.name();
    const criu::Checkpoint checkpoint = criu::read_checkpoint(files);
    if (asked.has_modifiers) {
        throw Error(Error::Kind::refused,
                    {.file = name,
                     .message = "no leases were captured with this checkpoint: there are no times "
                                "to be bounded, and nothing says that holders are signalled",
                     .hint = "leave --min, --max and --renotify out"});
    }
    if (asked.policy != "favor-holder" && asked.policy != "favor-breaker") {
        refuse_without_times(name);
    }
    if (!files.is_archive() && (!asked.output.out.empty() || !asked.output.undo_file.empty())) {
        throw Error(Error::Kind::refused,
                    {.file = name,
                     .message = "-o and --undo-file are for images of leases, and none were "
                                "captured with this checkpoint",
                     .hint = "copy the folder, and give the copy"});
    }
    const bool for_breaker = asked.policy == "favor-breaker";
    std::size_t matched = 0;
    std::size_t changed = 0;
    const auto decide = [&](const criu::FileLockEntry& entry) {
        const Lock lock = checkpoint.locks.at(static_cast<std::size_t>(entry.index));
        if (!is_breaking(lock) || !asked.filter.matches(lock, checkpoint.locks.ownership())) {
            return criu::FileLockEdit();
        }
        ++matched;
        if (!for_breaker) {
            return criu::FileLockEdit();
        }
        const bool written = checkpoint.details[entry.index].file_is_written;
        const criu::FileLockEdit edit = criu::break_has_happened(entry, written);
        const bool removed = edit.action == criu::FileLockEdit::Action::remove;
        ++changed;
        context.err.print(
            "{}: lease {}, {}, {}: {}{}\n", shown_name(name), entry.index,
            shown_tasks(checkpoint.locks.tasks(lock)), shown_path(checkpoint.locks.path(lock)),
            removed ? "is taken away" : "becomes F_RDLCK",
            criu::loses_read_lease(entry, written)
                ? " (CRIU cannot restore the read lease: the file is open for writing)"
                : "");
        return edit;
    };
    const std::string path = files.path_of(criu::kFileLocksImage);
    const std::string before = files.read(criu::kFileLocksImage).value_or("");
    std::string after = before;
    if (!before.empty()) {
        after = criu::edit_file_locks(path, before, decide);
    }
    if (asked.require_match && matched == 0) {
        context.complain(fmt::format("{}: nothing matches", shown_name(name)));
        return kNoMatch;
    }
    if (files.is_archive()) {
        criu::ArchiveChanges changes;
        if (after != before) {
            changes.file_locks = std::move(after);
        }
        rewrite_archive(context, name, changes, asked.output);
    } else if (after != before && !asked.output.dry_run) {
        constexpr mode_t kOwnerOnly = 0600;
        write_whole(*context.environment.system, as_bytes(after), path, kOwnerOnly);
    }
    context.err.print("{}: {} changed{}, {} left as they are{}\n", shown_name(name), changed,
                      asked.output.dry_run ? " (not written)" : "", matched - changed,
                      for_breaker ? "" : ": CRIU gives holders the whole lease-break-time");
    return kDone;
}

}  // namespace ckpt_lease::cli
