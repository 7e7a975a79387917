// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "criu/checkpoint.hpp"
#include "criu/file_locks.hpp"
#include "subject/opened.hpp"
#include "subject/policy_context.hpp"

namespace ckpt_lease {
namespace {

[[noreturn]] void refuse_rules(const std::string& name, std::string message, Advice advice) {
    throw Error(Error::Kind::refused, {.file = name,
                                       .message = std::move(message),
                                       .advice = advice,
                                       .code = Problem::Code::not_captured});
}

void refuse_impossible(const std::string& name, const Treatment& treatment) {
    if (treatment.min || treatment.max || treatment.renotify) {
        refuse_rules(name,
                     "no leases were captured with this checkpoint: there are no times to be "
                     "bounded, and nothing says that holders are signalled",
                     Advice::no_modifiers);
    }
    if (treatment.without_time == WithoutTime::nothing) {
        refuse_rules(name,
                     "no leases were captured with this checkpoint, and CRIU's images do not say "
                     "what was left of them",
                     Advice::capture_times);
    }
}

class Maker {
 public:
    Maker(Subject& subject, const PolicyRequest& request)
        : subject_(subject),
          rules_(request.rules),
          checkpoint_(criu::read_sound_checkpoint(*subject.opened().checkpoint())) {}

    Plan make() {
        const std::string path = subject_.opened().checkpoint()->path_of(criu::kFileLocksImage);
        const std::string before = subject_.opened().read_file_locks();
        std::size_t count = 0;
        plan_.old_file_locks = before;
        plan_.file_locks =
            before.empty()
                ? before
                : criu::edit_file_locks(path, before, [&](const criu::FileLockEntry& entry) {
                      ++count;
                      return decide(entry, criu::details_of(checkpoint_, path, entry));
                  });
        if (count != checkpoint_.details.size()) {
            criu::fail_changed(path);
        }
        plan_.locks = std::move(checkpoint_.locks);
        if (has_whole_time_) {
            note(plan_.notes, "CRIU gives these holders the whole lease-break-time");
        }
        return std::move(plan_);
    }

 private:
    criu::FileLockEdit decide(const criu::FileLockEntry& entry, const criu::LockDetails& details) {
        const Lock lock = checkpoint_.locks.at(static_cast<std::size_t>(entry.index));
        if (!is_breaking(lock)) {
            plan_.counts.not_breaking += lock.kind == LockKind::lease ? 1 : 0;
            return {};
        }
        const Treatment* const treatment = rules_.find(lock, checkpoint_.locks.ownership());
        if (treatment == nullptr) {
            ++plan_.counts.filtered_out;
            return {};
        }
        PlannedLease& lease = plan_.leases.emplace_back(
            PlannedLease{static_cast<std::uint32_t>(entry.index), lock.lease});
        if (treatment->without_time == WithoutTime::whole_time) {
            has_whole_time_ = true;
            return counted(criu::as_criu_found(entry), lease);
        }
        lease.after.remaining = Remaining();
        return counted(end_break(entry, details.is_writable()), lease);
    }

    criu::FileLockEdit counted(const criu::FileLockEdit& edit, PlannedLease& lease) {
        lease.changed = edit != criu::FileLockEdit();
        if (!lease.changed) {
            ++plan_.counts.unchanged;
        } else {
            // CRIU has a lease that several descriptors share once.
            ++plan_.counts.changed;
            ++plan_.counts.changed_leases;
        }
        return edit;
    }

    criu::FileLockEdit end_break(const criu::FileLockEntry& entry, bool is_writable) {
        if (criu::loses_read_lease(entry, is_writable)) {
            note(plan_.warnings,
                 fmt::format("lease {} is taken away: CRIU cannot restore a read lease on a file "
                             "that is open for writing",
                             entry.index));
        }
        return criu::break_has_happened(entry, is_writable);
    }

    void note(std::vector<Problem>& to, std::string message) const {
        to.push_back({.severity = Problem::Severity::warning,
                      .file = subject_.name(),
                      .message = std::move(message)});
    }

    Subject& subject_;
    const RuleSet& rules_;
    criu::Checkpoint checkpoint_;
    bool has_whole_time_ = false;  // a holder that CRIU is to give it
    Plan plan_;
};

}  // namespace

Plan plan_without_times(Subject& subject, const PolicyRequest& request) {
    for (const Rule& rule : request.rules.rules) {
        refuse_impossible(subject.name(), rule.treatment);
    }
    if (request.rules.otherwise) {
        refuse_impossible(subject.name(), *request.rules.otherwise);
    }
    return Maker(subject, request).make();
}

}  // namespace ckpt_lease
