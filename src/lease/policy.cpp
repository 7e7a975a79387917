// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/base/text.hpp"
#include "ckpt-lease/lease/rules.hpp"

namespace ckpt_lease {
namespace {

// Beyond anything that an image may hold, and far from where sums overflow.
constexpr Nanoseconds kTooMuch = kMaxRemaining * 2;

// A policy that leaves a lease without a deadline as it is, and computes with the time of others.
template <typename Compute>
Policy on_deadline(Compute compute) {
    return [compute](const Remaining& before, const PolicyContext& context) {
        return before.has_deadline() ? compute(before.time(), context) : before;
    };
}

Remaining not_below_zero(Nanoseconds time) {
    return Remaining(std::max(time, Nanoseconds(0)));
}

Policy favor_holder(std::string_view /*argument*/) {
    return on_deadline([](Nanoseconds time, const PolicyContext& context) {
        // A lease-break-time of 0 is the kernel's way to say that a break has no deadline.
        return context.lease_break_time.count() == 0
                   ? Remaining::no_deadline()
                   : Remaining(std::max(time, context.lease_break_time));
    });
}

Policy favor_breaker(std::string_view /*argument*/) {
    return [](const Remaining&, const PolicyContext&) { return Remaining(Nanoseconds(0)); };
}

Policy add(std::string_view argument) {
    const Nanoseconds delta = parse_duration(argument);
    return on_deadline([delta](Nanoseconds time, const PolicyContext&) {
        return not_below_zero(std::min(time, kTooMuch) + delta);
    });
}

Policy set(std::string_view argument) {
    const Nanoseconds time = parse_duration(argument);
    if (time.count() < 0) {
        refuse(fmt::format("a lease cannot have '{}' left", excerpt(argument)), "0 is the least");
    }
    return [time](const Remaining&, const PolicyContext&) { return Remaining(time); };
}

Policy scale(std::string_view argument) {
    const Factor factor = Factor::parse(argument);
    return on_deadline([factor](Nanoseconds time, const PolicyContext&) {
        return Remaining(factor.times(time, kTooMuch));
    });
}

Policy elapsed(std::string_view /*argument*/) {
    return on_deadline([](Nanoseconds time, const PolicyContext& context) {
        if (!context.elapsed) {
            refuse(
                "how much time has elapsed is not known: this image does not say when the "
                "checkpoint was taken");
        }
        // An elapsed time beyond kTooMuch leaves nothing of any lease; the bound avoids overflow.
        return not_below_zero(time - std::min(*context.elapsed, kTooMuch));
    });
}

Policy keep(std::string_view /*argument*/) {
    return [](const Remaining& before, const PolicyContext&) { return before; };
}

void check_fits(const Remaining& before, const Remaining& after, const RecordLimits& limits) {
    if (!after.has_deadline()) {
        if (!limits.no_deadline && before.has_deadline()) {
            refuse("the lease would have no deadline, and this layout has no value for that");
        }
        return;
    }
    const Nanoseconds most = std::min(kMaxRemaining, limits.most);
    if (after.time() <= most) {
        return;
    }
    const std::string limit =
        fmt::format("more than the {} s that {}", format_seconds(most),
                    most == kMaxRemaining ? "a restart takes" : "this layout holds");
    refuse(after == before ? fmt::format("the time left is {}, {}", to_string(before), limit)
                           : fmt::format("the time left would become {}", limit),
           Advice::bound_time);
}

[[noreturn]] void refuse_unknown() {
    throw Error(Error::Kind::refused, {.message = "the remaining lease is not known: it could not "
                                                  "be read when the leases were captured",
                                       .advice = Advice::set_time,
                                       .code = Problem::Code::time_not_known});
}

constexpr std::array<PolicyKind, 7> kKinds{{
    {"favor-holder", "favour-holder", "",
     "the whole lease-break-time, or what is left if that is more", favor_holder, false, false,
     WithoutTime::whole_time, true},
    {"favor-breaker", "favour-breaker", "", "nothing: the breaker gets in at once", favor_breaker,
     false, true, WithoutTime::break_is_over},
    {"add", "", "D", "what is left plus D, which may be negative, never below 0", add},
    {"set", "", "D", "D", set, false, true},
    {"scale", "", "F", "what is left times F", scale},
    {"elapsed", "", "", "what is left less the time since the checkpoint was taken, never below 0",
     elapsed, true},
    {"keep", "", "", "what is left (to use modifiers alone)", keep, false, true},
}};

}  // namespace

std::span<const PolicyKind> policy_kinds() {
    return kKinds;
}

const PolicyKind* find_policy(std::string_view name) {
    const auto* const found = std::find_if(kKinds.begin(), kKinds.end(), [&](const PolicyKind& k) {
        return name == k.name || (!k.alias.empty() && name == k.alias);
    });
    return found == kKinds.end() ? nullptr : found;
}

Treatment Treatment::of(const PolicyKind& kind, std::string_view argument) {
    Treatment treatment;
    treatment.policy = kind.make(argument);
    treatment.uses_elapsed = kind.uses_elapsed;
    treatment.takes_unknown = kind.takes_unknown;
    treatment.without_time = kind.without_time;
    treatment.uses_break_time = kind.uses_break_time;
    return treatment;
}

LeaseState Treatment::apply(const LeaseState& before, const PolicyContext& context) const {
    LeaseState after = before;
    if (!before.remaining.is_known() && !takes_unknown) {
        refuse_unknown();
    }
    after.remaining = policy(before.remaining, context);
    if (!after.remaining.is_known() && (min || max)) {
        refuse_unknown();
    }
    if (min && after.remaining.has_deadline()) {
        after.remaining = Remaining(std::max(after.remaining.time(), *min));
    }
    // No deadline is longer than any: a maximum ends it.
    if (max && (!after.remaining.has_deadline() || after.remaining.time() > *max)) {
        after.remaining = Remaining(*max);
    }
    if (after.remaining != before.remaining) {
        after.remaining = rounded_up(after.remaining, context.limits.resolution);
    }
    check_fits(before.remaining, after.remaining, context.limits);
    if (renotify) {
        after.notified = false;
    }
    return after;
}

void Treatment::bound_by(const Treatment& other) {
    if (other.min) {
        min = std::max(min.value_or(*other.min), *other.min);
    }
    if (other.max) {
        max = std::min(max.value_or(*other.max), *other.max);
    }
    renotify |= other.renotify;
}

void Treatment::check() const {
    for (const auto& bound : {min, max}) {
        if (bound && bound->count() < 0) {
            refuse(fmt::format("a bound of {} s is below 0", format_seconds(*bound)),
                   "0 is the least");
        }
    }
    if (min && max && *min > *max) {
        refuse(fmt::format("the minimum of {} s is more than the maximum of {} s",
                           format_seconds(*min), format_seconds(*max)));
    }
}

}  // namespace ckpt_lease
