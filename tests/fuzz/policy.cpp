// SPDX-License-Identifier: GPL-2.0-or-later
// The whole of `policy` on an image in memory: 16 bytes that choose what is asked for, and the
// image. Reading by place and streaming must agree, and only what was decided may change.
#include "ckpt-lease/lease/policy.hpp"

#include <algorithm>
#include <optional>
#include <variant>

#include "ckpt-lease/lease/diff.hpp"
#include "ckpt-lease/lease/planner.hpp"
#include "ckpt-lease/linux_cr/image.hpp"
#include "ckpt-lease/rewrite/pass_through.hpp"
#include "ckpt-lease/rewrite/writers.hpp"
#include "fuzz/lock_checks.hpp"
#include "fuzz/memory_system.hpp"

namespace fuzz {
namespace {

using namespace ckpt_lease;
using namespace ckpt_lease::linux_cr;
using std::chrono::seconds;

constexpr std::size_t kPrefix = 16;

/// What is asked for.
struct Request {
    const Layout* layout = nullptr;
    RuleSet rules;
    Nanoseconds lease_break_time{};
    Nanoseconds elapsed{};
    std::size_t piece = 1;
    bool is_idempotent = false;  // asking twice is asking once
};

std::string argument(const PolicyKind& kind, Numbers& numbers) {
    const std::uint64_t choice = numbers.take(1);
    const std::uint64_t number = numbers.take(4);
    if (kind.name == "scale") {
        return std::to_string(number % 1000 >> choice % 8) + "." + std::to_string(choice);
    }
    const Nanoseconds time = choice % 2 == 0 ? Nanoseconds(number) : seconds(number);
    return (choice % 4 == 3 && kind.name == "add" ? "-" : "") + format_seconds(time);
}

Request read_request(Numbers& numbers) {
    Request request;
    const std::uint64_t choice = numbers.take(1);
    const PolicyKind& kind = policy_kinds()[choice % policy_kinds().size()];
    Rule rule;
    rule.treatment.policy = kind.make(kind.argument.empty() ? "" : argument(kind, numbers));
    rule.treatment.uses_elapsed = kind.uses_elapsed;
    request.is_idempotent = kind.name == "set" || kind.name == "keep" ||
                            kind.name == "favor-holder" || kind.name == "favor-breaker";
    request.layout = &layouts()[choice / 8 % layouts().size()];
    const std::uint64_t modifiers = numbers.take(1);
    const std::uint64_t bounds = numbers.take(1);
    if ((modifiers & 1) != 0) {
        rule.treatment.min = Nanoseconds(bounds % 16 * 500'000'000);
    }
    if ((modifiers & 2) != 0) {
        rule.treatment.max = Nanoseconds(seconds(bounds % 16 + bounds / 16)) + Nanoseconds(bounds);
    }
    rule.treatment.renotify = (modifiers & 4) != 0;
    if ((modifiers & 8) != 0) {
        rule.match.indexes.push_back(bounds % 4);
    }
    if ((modifiers & 16) != 0) {
        rule.match.paths.emplace_back("*a*");
    }
    if ((modifiers & 32) != 0) {
        rule.match.comms.emplace_back("h*");
    }
    if ((modifiers & 64) != 0) {
        rule.match.targets.push_back(LockType::rdlck);
    }
    request.rules.rules.push_back(std::move(rule));
    if ((modifiers & 128) != 0) {
        request.rules.otherwise.emplace();
        request.rules.otherwise->policy = find_policy("set")->make("2.5");
    }
    request.lease_break_time = seconds(numbers.take(1));
    request.elapsed = Nanoseconds(numbers.take(4));
    request.piece = 1 + numbers.take(1);
    return request;
}

PolicyContext context_of(const Request& request, std::uint64_t checkpoint_time) {
    PolicyContext context;
    context.lease_break_time = request.lease_break_time;
    context.limits = request.layout->limits();
    if (checkpoint_time != 0) {
        context.elapsed = request.elapsed;
    }
    return context;
}

/// What came of one way to do it.
struct Result {
    std::optional<Error> error;
    std::vector<std::byte> bytes;
    Counts counts;
};

template <typename Action>
std::optional<Error> error_of(Action action) {
    try {
        action();
        return std::nullopt;
    } catch (const Error& error) {
        return error;
    }
}

void append_edits(EditList& edits, Bytes record, const Lock& lock, const LeaseState& after,
                  const LockCodec& codec) {
    codec.append_edits(edits, lock.offset, record,
                       codec.with_state(codec.decode(record), lock.lease, after));
}

/// What is decided about an image that can be read by place.
struct Plan {
    Image image;
    EditList edits;
    std::vector<Decision> decisions;  // by index of the lock
    Counts counts;
};

Plan make_plan(Bytes bytes, const Request& request, io::Source& source) {
    Plan plan;
    plan.image = read_sound_image(source, *request.layout);
    const LockList& locks = plan.image.locks;
    Planner planner(std::string(kName), request.rules, context_of(request, plan.image.facts.time),
                    locks.ownership());
    const LockCodec codec(*request.layout, plan.image.facts.order);
    for (std::size_t i = 0; i < locks.size(); ++i) {
        const Lock lock = locks.at(i);
        plan.decisions.push_back(planner.consider(lock));
        if (plan.decisions.back().outcome == Outcome::changed) {
            append_edits(plan.edits, bytes.subspan(lock.offset, request.layout->length), lock,
                         plan.decisions.back().after, codec);
        }
    }
    plan.counts = planner.counts();
    return plan;
}

Plan make_plan(Bytes bytes, const Request& request) {
    io::MemorySource source(std::string(kName), bytes);
    return make_plan(bytes, request, source);
}

Result write_by_place(Bytes bytes, const Request& request, std::optional<Plan>& plan) {
    Result result;
    MemorySystem system(bytes, request.piece, false);
    const io::File in = io::File::adopt(system, std::string(kName), MemorySystem::kInput);
    io::File out = io::File::adopt(system, "out", MemorySystem::kOutput);
    result.error = error_of([&] {
        io::FileSource source(in);
        plan = make_plan(bytes, request, source);
        write_stream(in, plan->edits, out, {});
        result.counts = plan->counts;
    });
    result.bytes = system.output();
    return result;
}

class StreamEditor final : public ScanVisitor {
 public:
    StreamEditor(const Request& request, PassThrough& writer, const Ownership& ownership)
        : request_(request), writer_(writer), ownership_(ownership) {}

    void on_header(const ImageFacts& facts) override {
        planner_.emplace(std::string(kName), request_.rules, context_of(request_, facts.time),
                         ownership_);
    }
    void on_lock(const Lock& lock, const LockFields& /*fields*/, Bytes record,
                 const LockCodec& codec) override {
        const Decision decision = planner_->consider(lock);
        if (decision.outcome == Outcome::changed) {
            EditList edits;
            append_edits(edits, record, lock, decision.after, codec);
            writer_.add(edits);
        }
    }
    [[nodiscard]] const Counts& counts() const { return planner_->counts(); }

 private:
    const Request& request_;
    PassThrough& writer_;
    const Ownership& ownership_;
    std::optional<Planner> planner_;
};

Result write_streamed(Bytes bytes, const Request& request) {
    Result result;
    MemorySystem system(bytes, request.piece, true);
    io::File in = io::File::adopt(system, std::string(kName), MemorySystem::kInput);
    io::File out = io::File::adopt(system, "out", MemorySystem::kOutput);
    result.error = error_of([&] {
        PassThrough pass(in, out);
        Ownership ownership;
        ImageFacts facts;
        StreamEditor editor(request, pass, ownership);
        scan(pass, *request.layout, facts, ownership, editor, [](const Problem& problem) {
            if (problem.severity == Problem::Severity::structure) {
                throw Error(Error::Kind::damaged, problem);
            }
        });
        pass.finish();
        result.counts = editor.counts();
    });
    result.bytes = system.output();
    return result;
}

void check_equal_counts(const Counts& a, const Counts& b) {
    require(a.changed == b.changed && a.unchanged == b.unchanged &&
                a.not_breaking == b.not_breaking && a.filtered_out == b.filtered_out &&
                a.changed_leases == b.changed_leases,
            "both ways count the same");
}

// Nothing is decided before all of a file is read; of a stream, what is wrong comes in its order.
void check_ways_agree(const Result& by_place, const Result& streamed) {
    if (!by_place.error) {
        require(!streamed.error, "what goes by place goes in a stream");
        require(as_text(by_place.bytes) == as_text(streamed.bytes), "both ways write the same");
        check_equal_counts(by_place.counts, streamed.counts);
        return;
    }
    require(streamed.error.has_value(), "what fails by place fails in a stream");
    if (by_place.error->kind() == Error::Kind::refused ||
        streamed.error->kind() == Error::Kind::damaged) {
        require_equal(streamed.error->what(), by_place.error->what(), "both ways say the same");
    }
}

void check_edits(Bytes before, Bytes after, const Plan& plan) {
    require(before.size() == after.size(), "an image keeps its size");
    std::vector<std::byte> image(before.begin(), before.end());
    std::uint64_t end = 0;
    for (std::size_t i = 0; i < plan.edits.size(); ++i) {
        const Edit edit = plan.edits.at(i);
        require(edit.offset >= end, "edits are in order");
        end = edit.offset + edit.new_bytes.size();
        require(end <= image.size(), "edits stand in the image");
        std::copy(edit.new_bytes.begin(), edit.new_bytes.end(),
                  image.begin() + static_cast<std::ptrdiff_t>(edit.offset));
    }
    require(as_text(image) == as_text(after), "only the bytes of the edits change");
    for (std::size_t i = 0; i < plan.edits.size(); ++i) {
        const Edit edit = plan.edits.at(i);
        require(error_of([&] { apply_edit(edit, image, 0, std::string(kName)); }).has_value(),
                "an edit is not applied twice");
    }
    image.assign(after.begin(), after.end());
    for (std::size_t i = plan.edits.size(); i-- > 0;) {
        const Edit edit = plan.edits.at(i);
        apply_edit({edit.offset, edit.new_bytes, edit.old_bytes}, image, 0, std::string(kName));
    }
    require(as_text(image) == as_text(before), "edits can be undone");
}

std::size_t faults_of(const Lock& lock, Bytes image, const LockCodec& codec) {
    return codec.faults(codec.decode(image.subspan(lock.offset, codec.layout().length))).size();
}

void check_read_again(Bytes before, Bytes after, const Request& request, const Plan& plan) {
    io::MemorySource source(std::string(kName), after);
    const Image again = read_sound_image(source, *request.layout);
    require(again.locks.size() == plan.image.locks.size(), "no lock comes or goes");
    const LockCodec codec(*request.layout, again.facts.order);
    std::size_t changed = 0;
    for (std::size_t i = 0; i < again.locks.size(); ++i) {
        const Lock was = plan.image.locks.at(i);
        const Lock is = again.locks.at(i);
        const Decision& decision = plan.decisions[i];
        const bool is_changed = decision.outcome == Outcome::changed;
        require(is.offset == was.offset && is.kind == was.kind && is.fd == was.fd &&
                    again.locks.path(is) == plan.image.locks.path(was),
                "a lock stays the lock it was");
        require(is.lease == (is_changed ? decision.after : was.lease),
                "a lease is what was decided");
        require(faults_of(is, after, codec) <= faults_of(was, before, codec),
                "what is written is nothing that a restart refuses");
        changed += is_changed ? 1 : 0;
    }
    require(changed == plan.counts.changed, "what changes is counted");
    std::size_t differences = 0;
    compare_leases(plan.image.locks, again.locks, [&](const LeaseDifference& difference) {
        require(difference.first == difference.second, "a lease is compared with itself");
        ++differences;
    });
    require(differences == changed, "diff finds what was changed");
}

void check_second_time(Bytes after, const Request& request) {
    std::optional<Plan> second;
    const auto error = error_of([&] { second = make_plan(after, request); });
    require(!error, "what was done once can be done twice");
    require(second->edits.empty() && second->counts.changed == 0, "and nothing is left to do");
}

}  // namespace
}  // namespace fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fuzz;
    if (size < kPrefix) {
        return 0;
    }
    const Bytes input = as_bytes(data, size);
    Numbers numbers(input.first(kPrefix));
    const Request request = read_request(numbers);
    const Bytes image = input.subspan(kPrefix);
    std::optional<Plan> plan;
    const Result by_place = write_by_place(image, request, plan);
    if (!request.rules.needs_tasks()) {
        check_ways_agree(by_place, write_streamed(image, request));
    }
    if (!by_place.error) {
        check_edits(image, by_place.bytes, *plan);
        check_read_again(image, by_place.bytes, request, *plan);
        if (request.is_idempotent) {
            check_second_time(by_place.bytes, request);
        }
    }
    return 0;
}
