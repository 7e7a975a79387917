// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ckpt-lease/lease/filter.hpp"
#include "ckpt-lease/lease/policy.hpp"

namespace ckpt_lease {

struct Rule {
    Filter match;
    Treatment treatment;
};

/// Which lease is treated how: the first rule that matches decides. One policy with one filter, as
/// the command line gives them, is a set of one rule.
struct RuleSet {
    std::vector<Rule> rules;
    std::optional<Treatment> otherwise;  ///< of leases that no rule matches

    /// The treatment of `lock`, or null if it is to be left alone.
    [[nodiscard]] const Treatment* find(const Lock& lock, const Ownership& ownership) const;
    [[nodiscard]] bool needs_tasks() const;
    [[nodiscard]] bool uses_elapsed() const;
};

/// Reads a rules file: JSON as schemas/rules.json says. `name` is for messages. Throws
/// Error(refused) that names the place in the file.
[[nodiscard]] RuleSet parse_rules(const std::string& name, std::string_view json);

}  // namespace ckpt_lease
