// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "live/breakers.hpp"
#include "live/look/lease_trace.hpp"
#include "live/set/run.hpp"

namespace ckpt_lease::live {

/// What concerns all leases of a file together, before any of them is changed.

/// A lease cannot be set while somebody waits for it: those are decided, and named.
void leave_what_is_waited_for(Preparation& preparation, const SystemLeases& leases);

/// Names who waits for leases that were refused for that, once the rest is done.
void name_who_came_between(const Run& run, const Preparation& preparation);

/// Tells how many leases there are on a file. In an inner pid namespace /proc/locks does not show
/// those of processes outside, nor those whose setter has ended: there the kernel's trace does,
/// which knows no namespaces.
class LeaseCounter {
 public:
    LeaseCounter(std::span<const WantedLease> leases, std::span<const std::size_t> places,
                 Numbers& numbers);

    /// Nothing if that cannot be found out. `shown`: what /proc/locks says.
    [[nodiscard]] std::optional<std::size_t> count(const Group& group,
                                                   const SystemLeases& shown) const;

 private:
    bool is_outermost_ = is_outermost_pid_namespace();
    std::unique_ptr<LeaseTrace> trace_;
};

/// A break without the patch is one for all leases of an inode: those that would break others too
/// are decided, and taken off their groups.
void check_together(const Run& run, Preparation& preparation, const LeaseCounter& counter,
                    const SystemLeases& leases);

}  // namespace ckpt_lease::live
