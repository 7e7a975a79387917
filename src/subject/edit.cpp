// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "ckpt-lease/subject/plan.hpp"
#include "subject/opened.hpp"
#include "subject/record_reader.hpp"

namespace ckpt_lease {
namespace {

class Editor {
 public:
    Editor(std::string name, const EditRequest& request)
        : name_(std::move(name)), request_(request) {}

    // The record that was asked for, and perhaps all others of its lease.
    [[nodiscard]] std::vector<Lock> choose(const LockList& locks) const {
        if (request_.index >= locks.size()) {
            throw Error(Error::Kind::refused,
                        {.file = name_,
                         .message = fmt::format("there is no lock {}: the image has {}",
                                                request_.index, locks.size()),
                         .advice = Advice::list_locks,
                         .code = Problem::Code::no_such_lock});
        }
        const Lock asked = locks.at(static_cast<std::size_t>(request_.index));
        if (asked.kind != LockKind::lease) {
            refuse(asked, fmt::format("this is a lock of kind {}", to_string(asked.kind)),
                   "only leases can be edited");
        }
        std::vector<Lock> records;
        locks.for_each([&](const Lock& lock) {
            const bool same_lease = lock.kind == LockKind::lease && lock.file == asked.file;
            if (lock.index == asked.index || (request_.whole_lease && same_lease)) {
                records.push_back(lock);
            } else if (same_lease && !request_.force) {
                refuse(asked,
                       of_one_lease(std::min(asked.index, lock.index),
                                    std::max(asked.index, lock.index), "must keep the same values"),
                       Advice::edit_whole_lease);
            }
        });
        return records;
    }

    [[nodiscard]] LeaseState decide(const Lock& lock) const {
        if (!lock.lease.breaking &&
            (request_.remaining || request_.notified || request_.previous_type)) {
            refuse(lock, "the lease is held: it has a type and nothing else",
                   "only a lease that is being broken has time left, a previous type and a holder "
                   "to notify");
        }
        LeaseState after = lock.lease;
        after.notified = request_.notified.value_or(after.notified);
        after.type = request_.type.value_or(after.type);
        if (request_.previous_type) {
            after.previous_type = request_.previous_type;
        }
        if (request_.remaining) {
            after.remaining = as_recorded(lock, *request_.remaining);
        }
        return after;
    }

    [[nodiscard]] linux_cr::LockFields fields_of(const Lock& lock, const LeaseState& after,
                                                 const linux_cr::LockCodec& codec,
                                                 std::span<const std::byte> record) const {
        const linux_cr::LockFields fields =
            codec.with_state(codec.decode(record), after,
                             {.remaining = request_.remaining.has_value(),
                              .notified = request_.notified.has_value(),
                              .type = request_.type.has_value(),
                              .previous_type = request_.previous_type.has_value()});
        const std::vector<std::string> faults = codec.faults(fields);
        if (!faults.empty() && !request_.force) {
            refuse(lock, faults.front(), Advice::force_edit);
        }
        return fields;
    }

 private:
    [[nodiscard]] Remaining as_recorded(const Lock& lock, const Remaining& wanted) const {
        const RecordLimits limits = request_.layout.limits();
        if (!wanted.has_deadline() && !limits.no_deadline) {
            refuse(lock, "this layout has no value for a lease without a deadline",
                   Advice::give_time);
        }
        const Remaining rounded = rounded_up(wanted, limits.resolution);
        if (rounded.has_deadline() && rounded.time() > limits.most) {
            refuse(lock,
                   fmt::format("{} s is the most that the record can hold",
                               format_seconds(limits.most)),
                   Advice::give_no_deadline);
        }
        return rounded;
    }

    [[noreturn]] void refuse(const Lock& lock, std::string message, std::string hint) const {
        throw Error(Error::Kind::refused,
                    problem_of(name_, lock, std::move(message), std::move(hint)));
    }
    [[noreturn]] void refuse(const Lock& lock, std::string message, Advice advice) const {
        Problem problem = problem_of(name_, lock, std::move(message));
        problem.advice = advice;
        throw Error(Error::Kind::refused, std::move(problem));
    }

    std::string name_;
    const EditRequest& request_;
};

}  // namespace

Plan plan_edit(Subject& subject, const EditRequest& request) {
    subject.opened().refuse_stream();
    subject.opened().need_image();
    Snapshot image = subject.read_sound(request.layout);
    const Editor editor(subject.image_name(), request);
    const auto read_at = [&](std::span<std::byte> into, std::uint64_t offset) {
        return subject.opened().read_at(into, offset);
    };
    RecordReader reader(subject.image_name(), read_at, request.layout,
                        image.origin.encoding.value_or(Encoding()).order);
    Plan plan;
    for (const Lock& lock : editor.choose(image.locks)) {
        const LeaseState after = editor.decide(lock);
        const auto record = reader.read(lock);
        const std::size_t before = plan.edits.size();
        reader.codec().append_edits(plan.edits, lock.offset, record,
                                    editor.fields_of(lock, after, reader.codec(), record));
        // A value that no restart takes can mean the same as the one that it becomes.
        const bool is_changed = plan.edits.size() > before;
        ++(is_changed ? plan.counts.changed : plan.counts.unchanged);
        plan.leases.push_back({static_cast<std::uint32_t>(lock.index), after, is_changed});
    }
    plan.counts.changed_leases = plan.counts.changed > 0 ? 1 : 0;
    plan.locks = std::move(image.locks);
    return plan;
}

}  // namespace ckpt_lease
