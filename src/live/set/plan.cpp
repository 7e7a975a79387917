// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/set/plan.hpp"

namespace ckpt_lease::live {
namespace {

// What a lease that was being broken is set as before its break begins. fcntl(2) refuses F_RDLCK on
// a file that is open for writing, which only a downgrade leaves there. Being broken to F_UNLCK, a
// write lease looks the same to its holder, and ends the same way.
LockType before_break(const OpenLease& lease) {
    return lease.writable ? LockType::wrlck : lease.wanted->state.previous_type.value();
}

// A lease without a break, or whose break is over, signalled or not.
Plan plan_without_deadline(const OpenLease& lease, LockType type, bool silent) {
    const bool refused = type == LockType::rdlck && lease.writable;
    if (silent && !refused) {
        return {.type = type};
    }
    const After after = type == LockType::unlck ? After::unlock
                        : refused               ? After::time_out
                                                : After::downgrade;
    const bool was_read =
        lease.wanted->state.breaking && lease.wanted->state.previous_type == LockType::rdlck;
    return {.type = was_read ? before_break(lease) : LockType::wrlck,
            .breaks = true,
            .silent = silent,
            .target = type,
            .after = after};
}

}  // namespace

Plan plan_for(const OpenLease& lease, bool is_over) {
    const LeaseState& state = lease.wanted->state;
    const bool silent = state.notified || lease.slot->signalled;
    if (!state.breaking) {
        return plan_without_deadline(lease, state.type, true);
    }
    if (is_over) {
        return plan_without_deadline(lease, state.type, silent);
    }
    return {.type = before_break(lease), .breaks = true, .silent = silent, .target = state.type};
}

}  // namespace ckpt_lease::live
