// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/policy_run.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <optional>
#include <span>
#include <utility>

#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/rewrite/pass_through.hpp"
#include "ckpt-lease/rewrite/writers.hpp"
#include "cli/archives.hpp"
#include "cli/checkpoints.hpp"
#include "cli/exit_status.hpp"
#include "cli/input.hpp"
#include "cli/rewriting.hpp"

namespace ckpt_lease::cli {
namespace {

bool is_reported(Outcome outcome) {
    return outcome == Outcome::changed || outcome == Outcome::unchanged;
}

void throw_if_damaged(const Problem& problem) {
    if (problem.severity == Problem::Severity::structure) {
        throw Error(Error::Kind::damaged, problem);
    }
}

}  // namespace

PolicyContext PolicyRunner::policy_context(const std::string& name,
                                           std::uint64_t checkpoint_time) const {
    PolicyContext policy;
    policy.lease_break_time = settings_.lease_break_time;
    policy.limits = settings_.layout.limits();
    // Moments end in the year 2262; a checkpoint "taken" later has not been taken yet anyway.
    constexpr std::uint64_t kLatest = 9'000'000'000;
    if (checkpoint_time != 0) {
        const Moment taken(std::chrono::seconds(std::min(checkpoint_time, kLatest)));
        if (settings_.now < taken && settings_.rules.uses_elapsed()) {
            context_.complain(fmt::format(
                "{}: the checkpoint was taken in the future, if the clock is right; no time has "
                "elapsed then (--now says what time it is)",
                name));
        }
        policy.elapsed = std::max(settings_.now - taken, Nanoseconds(0));
    }
    return policy;
}

bool PolicyRunner::fails_to_match(const Counts& counts) const {
    return settings_.require_match && counts.matched() == 0;
}

PolicyRunner::Plan PolicyRunner::plan(const io::File& file, const linux_cr::Image& image) const {
    const LockList& locks = image.locks;
    const std::string& name = file.name();
    Planner planner(name, settings_.rules, policy_context(name, image.facts.time),
                    locks.ownership());
    RecordReader records(file, settings_.layout, image.facts.order);
    Plan made;
    for (std::size_t i = 0; i < locks.size(); ++i) {
        const Lock lock = locks.at(i);
        const Decision decision = planner.consider(lock);
        if (decision.outcome == Outcome::changed) {
            const auto record = records.read(lock);
            const linux_cr::LockCodec& codec = records.codec();
            codec.append_edits(made.edits, lock.offset, record,
                               codec.with_state(codec.decode(record), lock.lease, decision.after));
        }
        if (is_reported(decision.outcome)) {
            made.changes.push_back({static_cast<std::uint32_t>(i), decision.after});
        }
    }
    made.counts = planner.counts();
    spdlog::info("{}: {} edits", name, made.edits.size());
    return made;
}

void PolicyRunner::report(const std::string& name, const LockList& locks, const Plan& plan) const {
    report_.begin_image(name);
    for (const Change& change : plan.changes) {
        report_.lease(locks.at(change.index), change.after, locks.ownership());
    }
    report_.end_image(plan.counts);
}

void PolicyRunner::rewrite_file(const io::Place& place, Counts& counts) {
    const std::string& name = place.shown;
    Input input(context_, place, access_for(place, settings_.output, settings_.wait));
    if (!input.is_seekable()) {
        throw Error(Error::Kind::io,
                    {.file = name,
                     .message = "only regular files and block devices can be rewritten by name",
                     .hint = "give - to rewrite what comes through a pipe"});
    }
    const linux_cr::Image image = linux_cr::read_sound_image(input.source(), settings_.layout);
    const Plan made = plan(input.file(), image);
    counts = made.counts;
    if (fails_to_match(counts)) {
        return;  // nothing is written
    }
    carry_out(context_, input, made.edits, settings_.output);
    report(name, image.locks, made);
}

void PolicyRunner::rewrite_archived(criu::CheckpointFiles& archive, const ImageFile& archive_file,
                                    Counts& counts) {
    std::string bytes = archive.read(criu::kCapturedImage).value_or("");
    const io::File file = file_in_memory(*context_.environment.system,
                                         archive.path_of(criu::kCapturedImage), as_bytes(bytes));
    io::FileSource source(file);
    const linux_cr::Image image = linux_cr::read_sound_image(source, settings_.layout);
    check_captured_with(archive, image.facts);
    const Plan made = plan(file, image);
    counts = made.counts;
    if (fails_to_match(counts)) {
        return;
    }
    log_edits(made.edits);
    for (std::size_t i = 0; i < made.edits.size(); ++i) {
        apply_edit(made.edits.at(i), std::as_writable_bytes(std::span(bytes)), 0, file.name());
    }
    criu::ArchiveChanges changes;
    if (!made.edits.empty()) {
        changes.captured = std::move(bytes);
    }
    rewrite_archive(context_, archive_file, changes, settings_.output);
    report(archive.name(), image.locks, made);
}

// Decides about each lock while its record is in the window, before it is passed on.
class PolicyRunner::StreamEditor final : public linux_cr::ScanVisitor {
 public:
    StreamEditor(const PolicyRunner& runner, PassThrough* writer, const Ownership& ownership)
        : runner_(runner), writer_(writer), ownership_(ownership) {}

    void on_header(const linux_cr::ImageFacts& facts) override {
        planner_.emplace("-", runner_.settings_.rules, runner_.policy_context("-", facts.time),
                         ownership_);
        runner_.report_.begin_image("-");
    }

    void on_lock(const Lock& lock, const linux_cr::LockFields& fields,
                 std::span<const std::byte> record, const linux_cr::LockCodec& codec) override {
        const Decision decision = planner_->consider(lock);
        if (decision.outcome == Outcome::changed && writer_ != nullptr) {
            EditList edits;
            codec.append_edits(edits, lock.offset, record,
                               codec.with_state(fields, lock.lease, decision.after));
            writer_->add(edits);
        }
        if (is_reported(decision.outcome)) {
            runner_.report_.lease(lock, decision.after, ownership_);
        }
    }

    [[nodiscard]] const Counts& counts() const { return planner_->counts(); }

 private:
    const PolicyRunner& runner_;
    PassThrough* writer_;  // null: dry run
    const Ownership& ownership_;
    std::optional<Planner> planner_;
};

void PolicyRunner::rewrite_stream(Counts& counts) {
    if (settings_.rules.needs_tasks()) {
        refuse("filters on tasks (--pid, --comm) cannot be used on standard input",
               "in an image the tasks come after the locks, which are written on before the tasks "
               "are known; save the image and give its name");
    }
    io::System& system = *context_.environment.system;
    ImageFile image = open_image(context_, "-", {.wait = settings_.wait});
    if (image.hides_change()) {
        refuse("an image of which a change was interrupted cannot be rewritten through -",
               "run 'ckpt-lease recover' on it first, or give its name");
    }
    io::File& in = image.file();
    const io::Progress progress = progress_on(context_, in);
    Ownership ownership;
    const auto scan = [&](io::Source& source, PassThrough* writer) {
        source.on_progress(progress);
        linux_cr::ImageFacts facts;
        StreamEditor editor(*this, writer, ownership);
        linux_cr::scan(source, settings_.layout, facts, ownership, editor, throw_if_damaged);
        counts = editor.counts();
    };
    const auto rewrite_to = [&](io::File& out) {
        PassThrough pass(in, out);
        scan(pass, &pass);
        pass.finish();
    };
    // What is written into a pipe or a device cannot be taken back.
    const auto rewrite_at_once = [&](io::File& out) {
        try {
            rewrite_to(out);
        } catch (const Error& error) {
            Problem problem = error.problem();
            problem.hint += problem.hint.empty() ? "" : "; ";
            problem.hint += "what was passed on is no whole image: throw it away";
            throw Error(error.kind(), std::move(problem));
        }
    };
    const std::string& out_name = settings_.output.out;
    if (settings_.output.dry_run) {
        io::StreamSource source(in);
        scan(source, nullptr);
    } else if (out_name.empty() || out_name == "-") {
        io::File out = open_standard_output(in);
        rewrite_at_once(out);
    } else {
        Output output = find_output(system, out_name);
        std::optional<StopSignals> stop_signals;
        if (output.takes_file) {
            stop_signals.emplace();
        }
        write_new(output, nullptr, [&](io::File& out) {
            output.takes_file ? rewrite_to(out) : rewrite_at_once(out);
            return !fails_to_match(counts);
        });
    }
    report_.end_image(counts);
}

int PolicyRunner::run(const io::Place& image) {
    return judge(image.shown, [&](Counts& counts) { rewrite_file(image, counts); });
}

int PolicyRunner::run_stream() {
    return judge("-", [&](Counts& counts) { rewrite_stream(counts); });
}

int PolicyRunner::run_in_archive(criu::CheckpointFiles& archive, const ImageFile& file) {
    return judge(archive.name(), [&](Counts& counts) { rewrite_archived(archive, file, counts); });
}

int PolicyRunner::judge(const std::string& name, const std::function<void(Counts&)>& rewrite) {
    Counts counts;
    try {
        rewrite(counts);
    } catch (const Error& error) {
        report_.fail_image(name, error.what());
        throw;
    }
    if (fails_to_match(counts)) {
        const std::string message = fmt::format("{}: no lease that is being broken matches",
                                                name == "-" ? "standard input" : name);
        if (name != "-") {
            report_.fail_image(name, message);
        }
        context_.complain(message);
        return kNoMatch;
    }
    return kDone;
}

}  // namespace ckpt_lease::cli
