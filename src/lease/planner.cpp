// SPDX-License-Identifier: GPL-2.0-or-later
#include "lease/planner.hpp"

#include <algorithm>
#include <utility>

#include "ckpt-lease/base/problem.hpp"

namespace ckpt_lease {

const Treatment* RuleSet::find(const Lock& lock, const Ownership& ownership) const {
    for (const Rule& rule : rules) {
        if (rule.match.matches(lock, ownership)) {
            return &rule.treatment;
        }
    }
    return otherwise ? &*otherwise : nullptr;
}

namespace {

template <typename Predicate>
bool has_treatment(const RuleSet& set, Predicate holds) {
    return (set.otherwise && holds(*set.otherwise)) ||
           std::any_of(set.rules.begin(), set.rules.end(),
                       [&](const Rule& rule) { return holds(rule.treatment); });
}

}  // namespace

bool RuleSet::needs_tasks() const {
    return std::any_of(rules.begin(), rules.end(),
                       [](const Rule& rule) { return rule.match.needs_tasks(); });
}

bool RuleSet::uses_elapsed() const {
    return has_treatment(*this, [](const Treatment& each) { return each.uses_elapsed; });
}

bool RuleSet::uses_break_time() const {
    return has_treatment(*this, [](const Treatment& each) { return each.uses_break_time; });
}

Planner::Planner(std::string input, const RuleSet& rules, PolicyContext context,
                 const Ownership& ownership)
    : input_(std::move(input)), rules_(rules), context_(context), ownership_(ownership) {}

Decision Planner::decide(const Lock& lock, const Treatment* treatment) const {
    if (!lock.lease.breaking) {
        return {Outcome::not_breaking, lock.lease};
    }
    if (treatment == nullptr) {
        return {Outcome::filtered_out, lock.lease};
    }
    try {
        const LeaseState after = treatment->apply(lock.lease, context_);
        return {after == lock.lease ? Outcome::unchanged : Outcome::changed, after};
    } catch (const Error& error) {
        Problem problem = problem_of(input_, lock, error.problem().message, error.problem().hint);
        problem.advice = error.problem().advice;
        problem.code = error.problem().code;
        throw Error(Error::Kind::refused, std::move(problem));
    }
}

void Planner::check_agreement(const Lock& lock, const Treatment* treatment,
                              const Decision& decision) {
    const auto file = static_cast<std::size_t>(lock.file);
    if (file >= seen_.size()) {
        seen_.resize(ownership_.file_count());
    }
    Seen& seen = seen_.at(file);
    const bool changed = decision.outcome == Outcome::changed;
    if (changed && !seen.changed) {
        ++counts_.changed_leases;
    }
    seen.changed |= changed;
    if (lock.lease.breaking) {
        seen.split |= seen.breaking && treatment != seen.treatment;
        seen.treatment = treatment;
        seen.breaking = true;
    }
    if (!seen.any) {
        seen.any = true;
        seen.state = decision.after;
        seen.index = static_cast<std::uint32_t>(lock.index);
        return;
    }
    if (!seen.other && decision.after != seen.state) {
        seen.other = {lock.index, lock.offset};
    }
    if (!seen.other || !seen.changed) {
        return;
    }
    Lock other = lock;  // this one, or one before
    other.index = seen.other->index;
    other.offset = seen.other->offset;
    if (!seen.split) {  // what is treated alike and becomes different was different
        throw Error(Error::Kind::damaged, disagreement(input_, other, seen.index));
    }
    throw Error(Error::Kind::refused,
                problem_of(input_, other,
                           of_one_lease(seen.index, other.index, "would not have the same values"),
                           "choose filters that mean all records of a lease or none"));
}

void Planner::count(Outcome outcome) {
    switch (outcome) {
        case Outcome::not_a_lease:
            break;
        case Outcome::not_breaking:
            ++counts_.not_breaking;
            break;
        case Outcome::filtered_out:
            ++counts_.filtered_out;
            break;
        case Outcome::unchanged:
            ++counts_.unchanged;
            break;
        case Outcome::changed:
            ++counts_.changed;
            break;
    }
}

Decision Planner::consider(const Lock& lock) {
    if (lock.kind != LockKind::lease) {
        return {};
    }
    const Treatment* const treatment =
        lock.lease.breaking ? rules_.find(lock, ownership_) : nullptr;
    const Decision decision = decide(lock, treatment);
    check_agreement(lock, treatment, decision);
    used_break_time_ |= treatment != nullptr && treatment->uses_break_time;
    count(decision.outcome);
    return decision;
}

}  // namespace ckpt_lease
