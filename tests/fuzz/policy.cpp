// SPDX-License-Identifier: GPL-2.0-or-later
// The whole of `policy` on an image in memory: 16 bytes that choose what is asked for, and the
// image. Reading by place and streaming must agree, and only what was decided may change.
#include <algorithm>
#include <map>
#include <optional>
#include <variant>

#include "ckpt-lease/lease/rules.hpp"
#include "fuzz/lock_checks.hpp"
#include "fuzz/memory_system.hpp"
#include "lease/diff.hpp"
#include "linux_cr/image.hpp"
#include "rewrite/pass_through.hpp"
#include "rewrite/writers.hpp"
#include "subject/plan_image.hpp"

namespace fuzz {
namespace {

using namespace ckpt_lease;
using namespace ckpt_lease::linux_cr;
using std::chrono::seconds;

constexpr std::size_t kPrefix = 16;

/// What is asked for.
struct Request {
    PolicyRequest policy;
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
    rule.treatment = Treatment::of(kind, kind.argument.empty() ? "" : argument(kind, numbers));
    request.is_idempotent = kind.name == "set" || kind.name == "keep" ||
                            kind.name == "favor-holder" || kind.name == "favor-breaker";
    request.policy.layout = layouts()[choice / 8 % layouts().size()];
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
    RuleSet& rules = request.policy.rules;
    rules.rules.push_back(std::move(rule));
    if ((modifiers & 128) != 0) {
        rules.otherwise = Treatment::of(*find_policy("set"), "2.5");
    }
    request.policy.lease_break_time = seconds(numbers.take(1));
    request.policy.now = Moment(seconds(numbers.take(4)));
    request.piece = 1 + numbers.take(1);
    return request;
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

Plan make_plan(Bytes bytes, const PolicyRequest& request, io::Source& source) {
    return plan_image(
        as_snapshot(read_sound_image(source, request.layout), std::string(kName), request.layout),
        [bytes](std::span<std::byte> into, std::uint64_t offset) {
            const Bytes from = bytes.subspan(std::min<std::uint64_t>(offset, bytes.size()));
            const std::size_t count = std::min(from.size(), into.size());
            std::copy_n(from.begin(), count, into.begin());
            return count;
        },
        request);
}

Plan make_plan(Bytes bytes, const PolicyRequest& request) {
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
        plan = make_plan(bytes, request.policy, source);
        write_stream(in, plan->edits, out, {});
        result.counts = plan->counts;
    });
    result.bytes = system.output();
    return result;
}

class Listener final : public StreamListener {
 public:
    explicit Listener(Counts& counts) : counts_(counts) {}

    void begin() override { begun_ = true; }
    void lease(const Lock& before, const LeaseState& after, const Ownership& ownership) override {
        require(begun_, "leases are those of an image");
        require(is_breaking(before) && after.breaking,
                "only leases that are being broken are meant");
        require(static_cast<std::size_t>(before.file) < ownership.file_count(),
                "its file is known");
    }
    void warning(const Problem& problem) override {
        require(problem.severity == Problem::Severity::warning, "a warning is one");
    }
    bool end(const Counts& counts) override {
        counts_ = counts;
        return true;
    }

 private:
    Counts& counts_;
    bool begun_ = false;
};

Result write_streamed(Bytes bytes, const Request& request) {
    Result result;
    MemorySystem system(bytes, request.piece, true);
    io::File in = io::File::adopt(system, std::string(kName), MemorySystem::kInput);
    io::File out = io::File::adopt(system, "out", MemorySystem::kOutput);
    result.error = error_of([&] {
        PassThrough pass(in, out);
        Listener listener(result.counts);
        rewrite_stream(pass, request.policy, listener);
        pass.finish();
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

// Not what its records are, but what they say and what was asked.
bool is_about_meaning(const Error& error) {
    return error.kind() == Error::Kind::refused ||
           error.problem().severity == Problem::Severity::meaning;
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
    if (is_about_meaning(*by_place.error) || !is_about_meaning(*streamed.error)) {
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

void check_read_again(Bytes before, Bytes after, const PolicyRequest& request, const Plan& plan) {
    io::MemorySource source(std::string(kName), after);
    const Image again = read_sound_image(source, request.layout);
    require(again.locks.size() == plan.locks.size(), "no lock comes or goes");
    const LockCodec codec(request.layout, again.facts.order);
    std::map<std::size_t, LeaseState> decided;
    for (const PlannedLease& lease : plan.leases) {
        decided.emplace(lease.index, lease.after);
    }
    require(decided.size() == plan.leases.size(), "each lease is decided about once");
    std::size_t changed = 0;
    for (std::size_t i = 0; i < again.locks.size(); ++i) {
        const Lock was = plan.locks.at(i);
        const Lock is = again.locks.at(i);
        const auto found = decided.find(i);
        const LeaseState& wanted = found == decided.end() ? was.lease : found->second;
        require(is.offset == was.offset && is.kind == was.kind && is.fd == was.fd &&
                    again.locks.path(is) == plan.locks.path(was),
                "a lock stays the lock it was");
        require(is.lease == wanted, "a lease is what was decided");
        require(faults_of(is, after, codec) <= faults_of(was, before, codec),
                "what is written is nothing that a restart refuses");
        changed += wanted == was.lease ? 0 : 1;
    }
    require(changed == plan.counts.changed, "what changes is counted");
    std::size_t differences = 0;
    compare_leases(plan.locks, again.locks, [&](const LeaseDifference& difference) {
        require(difference.first == difference.second, "a lease is compared with itself");
        ++differences;
    });
    require(differences == changed, "diff finds what was changed");
}

void check_second_time(Bytes after, const PolicyRequest& request) {
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
    if (!request.policy.rules.needs_tasks()) {
        check_ways_agree(by_place, write_streamed(image, request));
    }
    if (!by_place.error) {
        check_edits(image, by_place.bytes, *plan);
        check_read_again(image, by_place.bytes, request.policy, *plan);
        if (request.is_idempotent) {
            check_second_time(by_place.bytes, request.policy);
        }
    }
    return 0;
}
