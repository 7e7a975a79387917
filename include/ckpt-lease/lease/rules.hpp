// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ckpt-lease/base/api.hpp"
#include "ckpt-lease/lease/lock_list.hpp"
#include "ckpt-lease/lease/policy.hpp"

namespace ckpt_lease {

/// The conditions of a filter that a lock has just one value for.
enum class Condition : std::uint8_t { index, fd, target, phase };

/// Whether a lease is being broken. Other locks are in neither phase.
enum class Phase : std::uint8_t { held, breaking };

/// Reads "held" or "breaking"; nothing for other texts.
[[nodiscard]] CKPT_LEASE_API std::optional<Phase> parse_phase(std::string_view text);

/// Which locks are meant. All conditions must hold; an empty filter means every lock.
struct CKPT_LEASE_API Filter {
    /// Glob patterns as of find(1) -path: * and ? match any byte, a slash included.
    std::vector<std::string> paths;
    std::vector<std::string> comms;
    std::vector<std::int32_t> pids;
    std::vector<std::int32_t> fds;
    std::vector<std::uint64_t> indexes;
    /// What a lease that is being broken is to become; a lease that is held matches none.
    std::vector<LockType> targets;
    std::vector<Phase> phases;

    friend bool operator==(const Filter&, const Filter&) = default;

    /// True if a lock has to be known together with its tasks, which stand behind it in an image.
    [[nodiscard]] bool needs_tasks() const noexcept { return !pids.empty() || !comms.empty(); }

    /// A task condition holds if it holds for any of the tasks that share the lock's file table.
    [[nodiscard]] bool matches(const Lock& lock, const Ownership& ownership) const;

    /// From now on `other` must match too.
    void add(const Filter& other);

    /// The condition with two different values, if there is one: no lock can ever match then.
    [[nodiscard]] std::optional<Condition> contradiction() const;
};

struct Rule {
    Filter match;
    Treatment treatment;
};

/// Which lease is treated how: the first rule that matches decides. One policy with one filter, as
/// the command line gives them, is a set of one rule.
struct CKPT_LEASE_API RuleSet {
    std::vector<Rule> rules;
    std::optional<Treatment> otherwise;  ///< of leases that no rule matches

    /// The treatment of `lock`, or null if it is to be left alone.
    [[nodiscard]] const Treatment* find(const Lock& lock, const Ownership& ownership) const;
    [[nodiscard]] bool needs_tasks() const;
    [[nodiscard]] bool uses_elapsed() const;
    [[nodiscard]] bool uses_break_time() const;
};

/// How many lock records rules meant, and what became of them.
struct Counts {
    std::uint64_t changed = 0;
    std::uint64_t unchanged = 0;
    std::uint64_t not_breaking = 0;
    std::uint64_t filtered_out = 0;
    std::uint64_t changed_leases = 0;  ///< as `changed`, with the records of one lease counted once

    [[nodiscard]] std::uint64_t matched() const noexcept { return changed + unchanged; }
};

/// Reads a rules file: JSON as schemas/rules.json says. `name` is for messages. Throws
/// Error(refused), with Code::invalid_file, that names the place in the file: line, column (in
/// characters, from 1) and JSON pointer.
[[nodiscard]] CKPT_LEASE_API RuleSet parse_rules(const std::string& name, std::string_view json);

}  // namespace ckpt_lease
