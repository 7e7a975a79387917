// SPDX-License-Identifier: GPL-2.0-or-later
#include <optional>

#include "ckpt-lease/subject/plan.hpp"
#include "subject/opened.hpp"
#include "subject/plan_image.hpp"
#include "subject/policy_context.hpp"

namespace ckpt_lease {
namespace {

void refuse_tasks(const RuleSet& rules) {
    if (rules.needs_tasks()) {
        refuse("filters on tasks cannot be used on a stream",
               "in an image the tasks come after the locks, which are written on before the tasks "
               "are known; save the image and give its name");
    }
}

// Decides about each lock while its record is in the window, before it is passed on.
class StreamEditor final : public linux_cr::ScanVisitor {
 public:
    StreamEditor(PassThrough& source, const PolicyRequest& request, StreamListener& listener,
                 const Ownership& ownership)
        : source_(source), request_(request), listener_(listener), ownership_(ownership) {}

    void on_header(const linux_cr::ImageFacts& facts) override {
        const PolicyContext context =
            policy_context(source_.name(), request_, facts.time,
                           [&](const Problem& problem) { listener_.warning(problem); });
        planner_.emplace(source_.name(), request_.rules, context, ownership_);
        listener_.begin();
    }

    void on_lock(const Lock& lock, const linux_cr::LockFields& fields,
                 std::span<const std::byte> record, const linux_cr::LockCodec& codec) override {
        const Decision decision = planner_->consider(lock);
        if (decision.outcome == Outcome::changed) {
            EditList edits;
            codec.append_edits(edits, lock.offset, record,
                               codec.with_state(fields, lock.lease, decision.after));
            source_.add(edits);
        }
        if (is_meant(decision.outcome)) {
            listener_.lease(lock, decision.after, ownership_);
        }
    }

    [[nodiscard]] const Counts& counts() const { return planner_->counts(); }

 private:
    PassThrough& source_;
    const PolicyRequest& request_;
    StreamListener& listener_;
    const Ownership& ownership_;
    std::optional<Planner> planner_;
};

}  // namespace

bool rewrite_stream(PassThrough& source, const PolicyRequest& request, StreamListener& listener) {
    refuse_tasks(request.rules);
    Ownership ownership;
    linux_cr::ImageFacts facts;
    StreamEditor editor(source, request, listener, ownership);
    linux_cr::scan(source, request.layout, facts, ownership, editor, linux_cr::throw_if_damaged);
    return listener.end(editor.counts());
}

void rewrite_stream(Subject& subject, const PolicyRequest& request, StreamListener& listener) {
    refuse_tasks(request.rules);
    subject.opened().rewrite_stream(
        [&](PassThrough& source) { return rewrite_stream(source, request, listener); });
}

}  // namespace ckpt_lease
