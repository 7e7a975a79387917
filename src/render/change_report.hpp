// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "ckpt-lease/lease/planner.hpp"
#include "render/json_writer.hpp"
#include "render/out.hpp"
#include "render/table.hpp"

namespace ckpt_lease {

/// What 'policy' and 'edit' report: the leases before and after. Leases are printed as they come.
class ChangeReport {
 public:
    ChangeReport() = default;
    ChangeReport(const ChangeReport&) = delete;
    ChangeReport& operator=(const ChangeReport&) = delete;
    virtual ~ChangeReport() = default;

    virtual void begin() = 0;
    virtual void begin_image(const std::string& name) = 0;
    virtual void lease(const Lock& before, const LeaseState& after, const Ownership& ownership) = 0;
    virtual void end_image(const Counts& counts) = 0;
    /// Instead of end_image(), and perhaps of begin_image() too: nothing was written.
    virtual void fail_image(const std::string& name, const std::string& error) = 0;
    virtual void end() = 0;
};

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

/// For people.
[[nodiscard]] std::unique_ptr<ChangeReport> make_policy_text(Out& out, Page page,
                                                             const PolicyRun& run);
/// As schemas/policy.json says.
[[nodiscard]] std::unique_ptr<ChangeReport> make_policy_json(Out& out, const PolicyRun& run);
/// For people.
[[nodiscard]] std::unique_ptr<ChangeReport> make_edit_text(Out& out, Page page, bool dry_run);
/// As schemas/edit.json says.
[[nodiscard]] std::unique_ptr<ChangeReport> make_edit_json(Out& out, bool dry_run);

}  // namespace ckpt_lease
