// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <deque>
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

/// How many lock records had which outcome.
struct Counts {
    std::uint64_t changed = 0;
    std::uint64_t unchanged = 0;
    std::uint64_t not_breaking = 0;
    std::uint64_t filtered_out = 0;
    std::uint64_t changed_leases = 0;  ///< as `changed`, with the records of one lease counted once

    [[nodiscard]] std::uint64_t matched() const noexcept { return changed + unchanged; }
};

/// Decides what becomes of the leases of one input, one lock after the other, and writes nothing.
/// Locks can be considered as they are found in a stream.
class Planner {
 public:
    /// `input` is for messages; all references must outlive the planner.
    Planner(std::string input, const RuleSet& rules, PolicyContext context,
            const Ownership& ownership);

    /// Throws Error(refused) if the result cannot be, or if it would leave the records of one lease
    /// with different values.
    Decision consider(const Lock& lock);

    [[nodiscard]] const Counts& counts() const noexcept { return counts_; }

 private:
    // What is known of a lease from its records so far.
    struct Seen {
        LeaseState state;         // after the decision on its first record
        std::uint32_t index = 0;  // of its first record
        bool any = false;
        bool changed = false;    // some record was changed
        bool disagrees = false;  // its records differed before we came
    };

    [[nodiscard]] Decision decide(const Lock& lock) const;
    void check_agreement(const Lock& lock, const Decision& decision);
    void count(Outcome outcome);
    [[noreturn]] void refuse_at(const Lock& lock, std::string message, std::string hint) const;

    std::string input_;
    const RuleSet& rules_;
    PolicyContext context_;
    const Ownership& ownership_;
    std::deque<Seen> seen_;  // by FileId; it grows in a stream, and does so in place
    Counts counts_;
};

}  // namespace ckpt_lease
