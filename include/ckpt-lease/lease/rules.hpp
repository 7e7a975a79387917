// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ckpt-lease/base/api.hpp"
#include "ckpt-lease/lease/lock.hpp"
#include "ckpt-lease/lease/lock_list.hpp"

namespace ckpt_lease {

/// What the records of an image can hold; a back end says.
struct RecordLimits {
    Nanoseconds resolution{1};  ///< times are rounded up to a multiple of this
    Nanoseconds most = std::chrono::seconds(4294967295);  ///< the longest time
    bool no_deadline = true;  ///< whether there is a value for "no deadline"
};

/// What a policy may take into account besides the lease.
struct PolicyContext {
    /// The whole lease-break-time. 0 stands for none, as in /proc/sys/fs/lease-break-time.
    Nanoseconds lease_break_time = std::chrono::seconds(45);
    /// Wall-clock time since the checkpoint was taken; nothing if the image does not say when.
    std::optional<Nanoseconds> elapsed;
    RecordLimits limits;
};

/// From the time that a lease has left to the time that it is to have. Results beyond what an image
/// can hold are allowed here: Treatment::apply() rounds or refuses them.
using Policy = std::function<Remaining(const Remaining& before, const PolicyContext& context)>;

/// What a policy comes to where nobody knows what is left of any lease: CRIU begins the breaks
/// anew.
enum class WithoutTime : std::uint8_t {
    nothing,       ///< it makes no sense there
    whole_time,    ///< each holder is to have the whole lease-break-time, as CRIU gives it
    break_is_over  ///< nothing is to be left
};

/// One line of the table of policies: to add a policy, add a line in policy.cpp. The options of the
/// command line, their help and the names in a rules file all come from it.
struct PolicyKind {
    std::string_view name;      ///< of the option, without dashes, and of the key in a rules file
    std::string_view alias;     ///< another spelling, or empty
    std::string_view argument;  ///< what the option takes, as help shows it; empty: nothing
    std::string_view help;
    /// Makes the policy from the text of its argument. Throws Error(refused).
    Policy (*make)(std::string_view argument);
    bool uses_elapsed = false;   ///< needs PolicyContext::elapsed
    bool takes_unknown = false;  ///< does not need to know what is left
    WithoutTime without_time = WithoutTime::nothing;
    bool uses_break_time = false;  ///< needs PolicyContext::lease_break_time
};

[[nodiscard]] CKPT_LEASE_API std::span<const PolicyKind> policy_kinds();

/// The kind that `name`, or its other spelling, stands for; null if there is none.
[[nodiscard]] CKPT_LEASE_API const PolicyKind* find_policy(std::string_view name);

/// All that happens to a lease: a policy, and then the modifiers.
struct CKPT_LEASE_API Treatment {
    Policy policy;
    std::optional<Nanoseconds> min;
    std::optional<Nanoseconds> max;
    bool renotify = false;       ///< have the holder signalled again
    bool uses_elapsed = false;   ///< as the policy's kind says
    bool takes_unknown = false;  ///< as the policy's kind says
    WithoutTime without_time = WithoutTime::nothing;
    bool uses_break_time = false;  ///< as the policy's kind says

    /// A policy of this kind, without modifiers. Throws Error(refused) as PolicyKind::make() does.
    [[nodiscard]] static Treatment of(const PolicyKind& kind, std::string_view argument);

    /// What becomes of a lease that is being broken. Throws Error(refused) if the remaining time
    /// would be more than kMaxRemaining, or more than the records can hold, or if it is not known
    /// and would have to be.
    [[nodiscard]] LeaseState apply(const LeaseState& before, const PolicyContext& context) const;

    /// Takes over the bounds of `other` where they are narrower, and its renotify.
    void bound_by(const Treatment& other);

    /// Throws Error(refused) if min is more than max, or either is negative.
    void check() const;
};

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
