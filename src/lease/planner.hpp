// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "ckpt-lease/lease/rules.hpp"

namespace ckpt_lease {

enum class Outcome : std::uint8_t {
    not_a_lease,
    not_breaking,  ///< a lease that is held: no policy touches it
    filtered_out,  ///< being broken, but no filter or rule means it
    unchanged,     ///< the policy leaves it as it is
    changed,
};

struct Decision {
    Outcome outcome = Outcome::not_a_lease;
    LeaseState after;
};

/// Decides what becomes of the leases of one input, one lock after the other, and writes nothing.
/// Locks can be considered as they are found in a stream.
class Planner {
 public:
    /// `input` is for messages; all references must outlive the planner.
    Planner(std::string input, const RuleSet& rules, PolicyContext context,
            const Ownership& ownership);

    /// Throws Error(refused) if the result cannot be, or if it would leave the records of one lease
    /// with different values because the rules do not treat them alike; Error(damaged) if they
    /// would be different because the input has them so.
    Decision consider(const Lock& lock);

    [[nodiscard]] const Counts& counts() const noexcept { return counts_; }
    /// Whether lease-break-time had a part in some decision.
    [[nodiscard]] bool used_break_time() const noexcept { return used_break_time_; }

 private:
    struct Place {
        std::uint64_t index = 0;
        std::uint64_t offset = 0;
    };
    // What is known of a lease from its records so far.
    struct Seen {
        LeaseState state;                      // after the decision on its first record
        const Treatment* treatment = nullptr;  // of its last record that is being broken
        std::uint32_t index = 0;               // of its first record
        bool any = false;
        bool breaking = false;  // some record was being broken
        bool changed = false;   // some record was changed
        bool split = false;     // not all of them were treated alike
        // The first record that is different from the first one, after the decisions.
        std::optional<Place> other;
    };

    [[nodiscard]] Decision decide(const Lock& lock, const Treatment* treatment) const;
    void check_agreement(const Lock& lock, const Treatment* treatment, const Decision& decision);
    void count(Outcome outcome);

    std::string input_;
    const RuleSet& rules_;
    PolicyContext context_;
    const Ownership& ownership_;
    std::deque<Seen> seen_;  // by FileId; it grows in a stream, and does so in place
    Counts counts_;
    bool used_break_time_ = false;
};

}  // namespace ckpt_lease
