// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/policy_run.hpp"

#include <optional>
#include <utility>

#include "cli/exit_status.hpp"
#include "cli/input.hpp"

namespace ckpt_lease::cli {
namespace {

render::Name name_of(const Subject& subject) {
    return {subject.name(), shown_as(subject), subject.has_checkpoint()};
}

}  // namespace

bool PolicyRunner::fails_to_match(const Counts& counts) const {
    return settings_.require_match && counts.matched() == 0;
}

void PolicyRunner::rewrite(Subject& subject, Counts& counts) {
    const Plan plan = make_plan(subject, settings_.request);
    for (const Problem& warning : plan.warnings) {
        context_.warn(subject.name(), warning);
    }
    counts = plan.counts;
    if (fails_to_match(counts)) {
        return;  // nothing is written
    }
    carry_out(subject, plan, subject.image_name());
    context_.note_written(subject, settings_.target, plan.counts);
    report_.begin_image(name_of(subject), plan.used_break_time);
    for (const PlannedLease& lease : plan.leases) {
        report_.lease(plan.locks.at(lease.index), lease.after, plan.locks.ownership());
    }
    report_.end_image(plan.counts);
    for (const Problem& note : plan.notes) {
        context_.warn(subject.name(), note);
    }
}

class PolicyRunner::Listener final : public StreamListener {
 public:
    Listener(const PolicyRunner& runner, render::Name name)
        : runner_(runner), name_(std::move(name)) {}

    void begin() override {
        // What becomes of the leases is not known yet.
        runner_.report_.begin_image(name_, runner_.settings_.request.rules.uses_break_time());
    }
    void lease(const Lock& before, const LeaseState& after, const Ownership& ownership) override {
        runner_.report_.lease(before, after, ownership);
    }
    void warning(const Problem& problem) override { runner_.context_.warn(name_.subject, problem); }
    bool end(const Counts& counts) override {
        counts_ = counts;
        return !runner_.fails_to_match(counts);
    }
    [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
    const PolicyRunner& runner_;
    render::Name name_;
    Counts counts_;
};

void PolicyRunner::rewrite_stream(Subject& subject, Counts& counts) {
    Listener listener(*this, name_of(subject));
    {
        std::optional<StopSignals> stop_signals;
        if (subject.writes_file()) {
            stop_signals.emplace();
        }
        ckpt_lease::rewrite_stream(subject, settings_.request, listener);
    }
    counts = listener.counts();
    context_.note_written(subject, settings_.target, counts);
    report_.end_image(counts);
}

int PolicyRunner::run(const std::string& name) {
    Counts counts;
    render::Name shown{name, name};
    bool is_stream = false;
    try {
        const auto subject =
            open_subject(context_, name, {.target = settings_.target, .wait = settings_.wait});
        shown = name_of(*subject);
        is_stream = subject->kind() == Subject::Kind::stream;
        is_stream ? rewrite_stream(*subject, counts) : rewrite(*subject, counts);
    } catch (const Error& error) {
        report_.fail_image(shown, error.problem(), context_.text_of(error));
        throw;
    }
    if (fails_to_match(counts)) {
        const Problem problem{.file = name,
                              .message = "no lease that is being broken matches",
                              .code = Problem::Code::no_match};
        if (!is_stream) {
            report_.fail_image(shown, problem, context_.text_of(problem));
        }
        context_.fail(name, problem);
        return kNoMatch;
    }
    return kDone;
}

}  // namespace ckpt_lease::cli
