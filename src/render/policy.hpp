// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "ckpt-lease/lease/rules.hpp"
#include "render/report.hpp"
#include "render/table.hpp"

namespace ckpt_lease::render {

/// Where the lease-break-time came from.
enum class TimeSource : std::uint8_t { option, system, fallback };

/// What was asked of 'policy'.
struct PolicyRun {
    std::string policy;    ///< its name, as the option has it
    std::string argument;  ///< of the policy, or empty
    std::optional<Nanoseconds> min;
    std::optional<Nanoseconds> max;
    bool renotify = false;
    bool dry_run = false;
    Nanoseconds lease_break_time{};
    TimeSource lease_break_time_source = TimeSource::fallback;
};

/// What 'policy' reports of each image: begin_image(), the leases before and after as they come,
/// end_image() or fail_image(); and, after all, end().
class PolicyReport final : public Report {
 public:
    PolicyReport(Out& out, const Form& form, const PolicyRun& run);

    /// `used_break_time`: lease-break-time has a part in what becomes of its leases.
    void begin_image(const Name& name, bool used_break_time);
    void lease(const Lock& before, const LeaseState& after, const Ownership& ownership);
    void end_image(const Counts& counts);
    /// Instead of end_image(), and perhaps of begin_image() too: nothing was written.
    void fail_image(const Name& name, const Problem& problem, const std::string& text);

 private:
    PolicyRun run_;
    std::optional<Table> table_;
    bool in_image_ = false;
};

}  // namespace ckpt_lease::render
