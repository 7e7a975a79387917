// SPDX-License-Identifier: GPL-2.0-or-later
#include "ckpt-lease/subject/plan.hpp"

#include <algorithm>
#include <utility>

#include "subject/opened.hpp"
#include "subject/plan_image.hpp"
#include "subject/policy_context.hpp"
#include "subject/record_reader.hpp"

namespace ckpt_lease {

PolicyContext policy_context(const std::string& name, const PolicyRequest& request,
                             std::uint64_t checkpoint_time, const ProblemSink& warn) {
    PolicyContext context;
    context.lease_break_time = request.lease_break_time;
    context.limits = request.layout.limits();
    // Moments end in the year 2262; a checkpoint "taken" later has not been taken yet anyway.
    constexpr std::uint64_t kLatest = 9'000'000'000;
    if (checkpoint_time != 0) {
        const Moment taken(std::chrono::seconds(std::min(checkpoint_time, kLatest)));
        if (request.now < taken && request.rules.uses_elapsed()) {
            warn({.severity = Problem::Severity::warning,
                  .file = name,
                  .message = "the checkpoint was taken in the future, if the clock is right; no "
                             "time has elapsed then",
                  .advice = Advice::say_time});
        }
        context.elapsed = std::max(request.now - taken, Nanoseconds(0));
    }
    return context;
}

RecordReader::RecordReader(std::string name, ReadAt read_at, const linux_cr::Layout& layout,
                           ByteOrder order)
    : name_(std::move(name)),
      read_at_(std::move(read_at)),
      codec_(layout, order),
      record_(layout.length) {}

std::span<const std::byte> RecordReader::read(const Lock& lock) {
    Lock again = lock;
    if (read_at_(record_, lock.offset) == record_.size()) {
        codec_.interpret(codec_.decode(record_), again);
        if (again.kind == lock.kind && again.lease == lock.lease) {
            return record_;
        }
    }
    throw Error(Error::Kind::damaged, {.file = name_,
                                       .offset = lock.offset,
                                       .record = "FILE_LOCK",
                                       .message = "the record has changed since it was read",
                                       .hint = "somebody else writes to this file; try again",
                                       .code = Problem::Code::changed_meanwhile});
}

Plan plan_image(Snapshot image, const ReadAt& read_at, const PolicyRequest& request) {
    const std::string& name = image.origin.name;
    const Encoding encoding = image.origin.encoding.value_or(Encoding());
    Plan plan;
    plan.locks = std::move(image.locks);
    const PolicyContext context =
        policy_context(name, request, image.origin.taken.value_or(0),
                       [&](const Problem& problem) { plan.warnings.push_back(problem); });
    Planner planner(name, request.rules, context, plan.locks.ownership());
    RecordReader records(name, read_at, request.layout, encoding.order);
    const linux_cr::LockCodec& codec = records.codec();
    plan.locks.for_each([&](const Lock& lock) {
        const Decision decision = planner.consider(lock);
        if (decision.outcome == Outcome::changed) {
            const auto record = records.read(lock);
            codec.append_edits(plan.edits, lock.offset, record,
                               codec.with_state(codec.decode(record), lock.lease, decision.after));
        }
        if (is_meant(decision.outcome)) {
            plan.leases.push_back({static_cast<std::uint32_t>(lock.index), decision.after,
                                   decision.outcome == Outcome::changed});
        }
    });
    plan.counts = planner.counts();
    plan.used_break_time = planner.used_break_time();
    return plan;
}

Plan make_plan(Subject& subject, const PolicyRequest& request) {
    subject.opened().refuse_stream();
    if (!subject.has_image()) {
        return plan_without_times(subject, request);
    }
    return plan_image(
        subject.read_sound(request.layout),
        [&](std::span<std::byte> into, std::uint64_t offset) {
            return subject.opened().read_at(into, offset);
        },
        request);
}

void carry_out(Subject& subject, const Plan& plan) {
    if (plan.file_locks) {
        subject.opened().rewrite_file_locks(plan.old_file_locks, *plan.file_locks);
    } else {
        subject.opened().rewrite(plan.edits);
    }
}

}  // namespace ckpt_lease
