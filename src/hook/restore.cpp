// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "criu/captured_leases.hpp"
#include "criu/checkpoint.hpp"
#include "criu/file_locks.hpp"
#include "hook/stages.hpp"
#include "io/source.hpp"
#include "io/trust.hpp"
#include "linux_cr/image.hpp"
#include "live/apply.hpp"
#include "live/ordinary_break.hpp"
#include "live/processes.hpp"
#include "live/target.hpp"
#include "rewrite/image_file.hpp"

namespace ckpt_lease::hook {
namespace {

// In a folder where everybody can make files, anybody may have made one of this name.
void check_origin(const Call& call, const ImageFile& captured) {
    const struct stat found = captured.file().status();
    const auto inventory = place_of(call, criu::kInventoryImage).status;
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

// What the dump has taken out of CRIU's hands: breaks, of which CRIU has restored leases that are
// held, so that their holders, who were signalled before, would keep them for ever; and leases that
// CRIU could not restore. Read as CRIU reads it: nobody's lock or journal is in the way.
std::vector<criu::FileLockEntry> left_to_us(const Call& call) {
    std::vector<criu::FileLockEntry> found;
    const io::Place place = place_of(call, criu::kFileLocksImage);
    if (place.status && S_ISREG(place.status->st_mode)) {
        const io::File file = place.open(O_RDONLY | O_NONBLOCK);
        criu::for_each_file_lock(place.shown, criu::read_image(file),
                                 [&](const criu::FileLockEntry& entry) {
                                     if (entry.held_as || entry.is_parked) {
                                         found.push_back(entry);
                                     }
                                 });
    }
    return found;
}

// Leases that could not be set in the middle of their break, and what they are called in the log.
class OrdinaryBreaks {
 public:
    explicit OrdinaryBreaks(const Call& call) : call_(call) {}

    void add(std::string name, const live::WantedLease& lease) {
        names_.push_back(std::move(name));
        leases_.push_back(lease);
    }

    void begin() const {
        const std::vector<live::OrdinaryBreak> results = live::begin_ordinary_breaks(leases_);
        for (std::size_t i = 0; i < results.size(); ++i) {
            log(names_[i], results[i]);
        }
    }

 private:
    void log(const std::string& name, const live::OrdinaryBreak& result) const {
        switch (result.outcome) {
            case live::OrdinaryBreak::Outcome::begun:
                say(call_, Level::warning,
                    "{}: an ordinary break was begun instead, as criu would have done", name);
                break;
            case live::OrdinaryBreak::Outcome::goes_on:
                say(call_, Level::warning,
                    "{}: it is being broken already, with the deadline that it has", name);
                break;
            case live::OrdinaryBreak::Outcome::failed:
                say(call_, Level::error, "{}: no ordinary break can be begun either: {}", name,
                    result.reason);
                break;
        }
    }

    const Call& call_;
    std::vector<std::string> names_;
    std::vector<live::WantedLease> leases_;
};

// What became of the leases, in the log.
class Restored {
 public:
    Restored(const Call& call, const live::Targets& targets,
             const std::vector<live::AppliedLease>& results)
        : call_(call), targets_(targets), results_(results), breaks_(call) {}

    void report(const live::Targets::Place& found, bool is_dry_run) {
        using Outcome = live::AppliedLease::Outcome;
        if (!found.missing.empty()) {
            say_not_set(found.index, found.missing);
            return;
        }
        const live::AppliedLease& result = results_[found.wanted];
        if (result.outcome == Outcome::set) {
            say(call_, Level::info, "lease {} {}", found.index,
                is_dry_run ? "can be set" : "is set");
        } else if (result.outcome == Outcome::lost) {
            all_ = false;
            say(call_, Level::error, "lease {} is lost: {}", found.index, result.reason);
        } else {
            say_not_set(found.index, result.reason);
            if (targets_.wanted[found.wanted].state.breaking) {
                breaks_.add(fmt::format("lease {}", found.index), targets_.wanted[found.wanted]);
            }
        }
    }

    void begin_breaks() const { breaks_.begin(); }

    [[nodiscard]] bool is_all() const { return all_; }

 private:
    void say_not_set(std::uint64_t index, const std::string& reason) {
        all_ = false;
        tell(call_, {.level = Level::error,
                     .problem = {.message = fmt::format("lease {} is not set: {}", index, reason),
                                 .advice = reason == live::kTimeNotKnown ? Advice::set_time
                                                                         : Advice::none}});
    }

    const Call& call_;
    const live::Targets& targets_;
    const std::vector<live::AppliedLease>& results_;
    bool all_ = true;
    OrdinaryBreaks breaks_;
};

// Returns whether that is as it should be: a checkpoint that was dumped without this hook has none.
bool restore_without_captured(const Call& call, bool is_dry_run) {
    const std::size_t left = left_to_us(call).size();
    if (left == 0) {
        say(call, call.strict ? Level::error : Level::info, "there is no {}: nothing to set",
            criu::kCapturedImage);
        return !call.strict;
    }
    say(call, Level::error, "there is no {}, and the dump has left {}", criu::kCapturedImage,
        left == 1 ? "a lease to it: its state is lost"
                  : fmt::format("{} leases to it: their states are lost", left));
    if (!is_dry_run) {
        begin_breaks_left_to_us(call);
    }
    return false;
}

}  // namespace

linux_cr::Image read_captured(const Call& call, const io::Place& place) {
    const ImageFile file(place, {.wait = true, .only_regular = true, .patiently = true});
    check_origin(call, file);
    io::FileSource source(file.file());
    linux_cr::Image image = linux_cr::read_sound_image(source, linux_cr::default_layout());
    criu::check_captured_with(*criu::open_checkpoint(call.folder), image.facts.checkpoint_id,
                              image.locks);
    return image;
}

bool restore(const Call& call, bool is_dry_run) {
    const io::Place place = place_of(call, criu::kCapturedImage);
    if (!place.status) {
        return restore_without_captured(call, is_dry_run);
    }
    const linux_cr::Image image = read_captured(call, place);
    live::Targets targets =
        live::find_targets(image, live::read_tree(call.root, live::kProc, live::Reading::names));
    if (call.any_path) {
        for (live::WantedLease& lease : targets.wanted) {
            lease.path.clear();
        }
    }
    live::ApplyOptions options{.dry_run = is_dry_run};
    options.tell = [&](const Problem& problem) {
        tell(call, {.level = Level::warning, .problem = problem});
    };
    const auto results = live::apply(targets.wanted, options);
    Restored restored(call, targets, results);
    for (const live::Targets::Place& found : targets.places) {
        if (!is_dry_run) {
            show(call, image.locks, image.locks.at(static_cast<std::size_t>(found.index)));
        }
        restored.report(found, is_dry_run);
    }
    if (!is_dry_run) {
        restored.begin_breaks();
    }
    return restored.is_all();
}

void begin_breaks_left_to_us(const Call& call) {
    const std::vector<criu::FileLockEntry> left = left_to_us(call);
    const std::vector<live::Process> processes =
        left.empty() ? std::vector<live::Process>()
                     : live::read_tree(call.root, live::kProc, live::Reading::names);
    OrdinaryBreaks breaks(call);
    for (const criu::FileLockEntry& entry : left) {
        const auto holder = std::find_if(
            processes.begin(), processes.end(),
            [&](const live::Process& process) { return process.pids.front() == entry.pid; });
        if (entry.is_parked) {
            say(call, Level::error, "{} is lost: criu could not restore it", name_of(entry));
            continue;
        }
        if (holder == processes.end()) {
            say(call, Level::error, "{}: there is no such process", name_of(entry));
            continue;
        }
        live::WantedLease lease{
            .pid = holder->pid, .fd = entry.fd, .path = {}, .state = {}, .owner = {}};
        lease.state.breaking = true;
        lease.state.type = static_cast<LockType>(entry.lease_type());
        breaks.add(name_of(entry), lease);
    }
    breaks.begin();
}

}  // namespace ckpt_lease::hook
