// SPDX-License-Identifier: GPL-2.0-or-later
#include "ckpt-lease/lease/planner.hpp"

#include <fmt/format.h>

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

bool RuleSet::needs_tasks() const {
    return std::any_of(rules.begin(), rules.end(),
                       [](const Rule& rule) { return rule.match.needs_tasks(); });
}

bool RuleSet::uses_elapsed() const {
    return (otherwise && otherwise->uses_elapsed) ||
           std::any_of(rules.begin(), rules.end(),
                       [](const Rule& rule) { return rule.treatment.uses_elapsed; });
}

Planner::Planner(std::string input, const RuleSet& rules, PolicyContext context,
                 const Ownership& ownership)
    : input_(std::move(input)), rules_(rules), context_(context), ownership_(ownership) {}

void Planner::refuse_at(const Lock& lock, std::string message, std::string hint) const {
    Problem problem;
    problem.file = input_;
    problem.offset = lock.offset;
    problem.record = fmt::format("lock {}", lock.index);
    problem.message = std::move(message);
    problem.hint = std::move(hint);
    throw Error(Error::Kind::refused, std::move(problem));
}

Decision Planner::decide(const Lock& lock) const {
    if (lock.kind != LockKind::lease) {
        return {};
    }
    if (!lock.lease.breaking) {
        return {Outcome::not_breaking, lock.lease};
    }
    const Treatment* const treatment = rules_.find(lock, ownership_);
    if (treatment == nullptr) {
        return {Outcome::filtered_out, lock.lease};
    }
    try {
        const LeaseState after = treatment->apply(lock.lease, context_);
        return {after == lock.lease ? Outcome::unchanged : Outcome::changed, after};
    } catch (const Error& error) {
        refuse_at(lock, error.problem().message, error.problem().hint);
    }
}

void Planner::check_agreement(const Lock& lock, const Decision& decision) {
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
    if (!seen.any) {
        seen.any = true;
        seen.state = decision.after;
        seen.index = static_cast<std::uint32_t>(lock.index);
        return;
    }
    seen.disagrees |= decision.after != seen.state;
    if (seen.disagrees && seen.changed) {
        refuse_at(
            lock,
            fmt::format("locks {} and {} are one lease, held through two descriptors, and would "
                        "not have the same values",
                        seen.index, lock.index),
            "choose filters that mean all records of a lease or none");
    }
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
    const Decision decision = decide(lock);
    if (decision.outcome != Outcome::not_a_lease) {
        check_agreement(lock, decision);
    }
    count(decision.outcome);
    return decision;
}

}  // namespace ckpt_lease
