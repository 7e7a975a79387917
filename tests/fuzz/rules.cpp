// SPDX-License-Identifier: GPL-2.0-or-later
// A rules file of any bytes; and, as the same texts stand in it, times and factors.
#include "ckpt-lease/lease/rules.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "ckpt-lease/base/time.hpp"
#include "fuzz/support.hpp"

namespace fuzz {
namespace {

using namespace ckpt_lease;
using std::chrono::seconds;

/// What `action` returns; nothing if it refuses.
template <typename Action>
auto unless_refused(Action action) -> std::optional<decltype(action())> {
    try {
        return action();
    } catch (const Error& error) {
        require(error.kind() == Error::Kind::refused, "what cannot be meant is refused");
        require(!to_string(error.problem()).empty(), "an error says what it is");
        return std::nullopt;
    }
}

void check_times(std::string_view text) {
    if (const auto span = unless_refused([&] { return parse_duration(text); })) {
        require(parse_duration(format_seconds(*span)) == *span, "a time is read as it is written");
    }
    if (const auto moment = unless_refused([&] { return parse_moment(text); })) {
        const auto since = moment->time_since_epoch();
        require(since > -seconds(100'000) && since <= seconds(9'000'100'000),
                "a moment is one that can be told");
    }
    if (const auto factor = unless_refused([&] { return Factor::parse(text); })) {
        const Nanoseconds most = kMaxRemaining;
        Nanoseconds before(-1);
        for (const Nanoseconds span :
             {Nanoseconds(0), Nanoseconds(1), Nanoseconds(seconds(7)), most}) {
            const Nanoseconds product = factor->times(span, most);
            require(product >= Nanoseconds(0) && product <= most && product >= before,
                    "a product grows with the time, up to the limit");
            before = product;
        }
    }
}

// Records as built-in and other layouts have them.
constexpr std::array kLimits{
    RecordLimits{},
    RecordLimits{.resolution = seconds(1), .most = seconds(65534), .no_deadline = false},
};

void check_result(const Treatment& treatment, const LeaseState& before, const LeaseState& after,
                  const PolicyContext& context) {
    const RecordLimits& limits = context.limits;
    require(
        after.breaking && after.type == before.type && after.previous_type == before.previous_type,
        "a policy changes no types");
    require(after.notified == (before.notified && !treatment.renotify),
            "the holder is signalled again if that was asked for, and only then");
    const Remaining left = after.remaining;
    if (!left.has_deadline()) {
        require(!treatment.max, "a maximum ends what has no deadline");
        require(limits.no_deadline || !before.remaining.has_deadline(), "it can be written");
        return;
    }
    require(left.time() >= Nanoseconds(0) && left.time() <= std::min(kMaxRemaining, limits.most),
            "the time left can be written and restored");
    require(!treatment.min || left.time() >= *treatment.min, "the minimum holds");
    if (treatment.max) {
        const Nanoseconds max = rounded_up(Remaining(*treatment.max), limits.resolution).time();
        require(left.time() <= max, "the maximum holds, but for rounding");
    }
    require(left == before.remaining || left.time() % limits.resolution == Nanoseconds(0),
            "a new time can be written");
}

void check_treatment(const Treatment& treatment) {
    treatment.check();
    for (const RecordLimits& limits : kLimits) {
        PolicyContext context{.elapsed = seconds(3), .limits = limits};
        for (const Remaining remaining :
             {Remaining(Nanoseconds(0)), Remaining(Nanoseconds(1)), Remaining(seconds(45)),
              Remaining(kMaxRemaining), Remaining(seconds(9'000'000'000)),
              Remaining::no_deadline()}) {
            LeaseState before{.breaking = true, .type = LockType::unlck, .notified = true};
            before.remaining = remaining;
            const auto after = unless_refused([&] { return treatment.apply(before, context); });
            if (!after) {
                continue;
            }
            check_result(treatment, before, *after, context);
        }
    }
}

void check_rules(const RuleSet& set) {
    Ownership ownership;
    Lock lock;
    lock.kind = LockKind::lease;
    lock.lease.breaking = true;
    lock.file = ownership.add_file();
    lock.table = ownership.add_table();
    ownership.set_path(lock.file, "/srv/backup/a");
    ownership.add_task(lock.table, {7, "backup"});
    const Treatment* const found = set.find(lock, ownership);
    const auto first = std::find_if(set.rules.begin(), set.rules.end(), [&](const Rule& rule) {
        return rule.match.matches(lock, ownership);
    });
    require(found == (first != set.rules.end() ? &first->treatment
                      : set.otherwise          ? &*set.otherwise
                                               : nullptr),
            "the first rule that matches decides");
    for (const Rule& rule : set.rules) {
        check_treatment(rule.treatment);
        require(!rule.match.contradiction(), "a rule has one value for a condition");
    }
    if (set.otherwise) {
        check_treatment(*set.otherwise);
    }
}

}  // namespace
}  // namespace fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fuzz;
    const std::string_view text = ckpt_lease::as_text(as_bytes(data, size));
    check_times(text);
    if (const auto set = unless_refused([&] { return parse_rules("rules", text); })) {
        check_rules(*set);
    }
    return 0;
}
