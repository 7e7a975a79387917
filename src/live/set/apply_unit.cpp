// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>

#include "live/set/apply_run.hpp"

namespace ckpt_lease::live {

void Slot::decide(AppliedLease::Outcome what, std::string_view why) {
    outcome = what;
    const std::string_view fits = why.substr(0, reason.size() - 1);
    reason.fill('\0');
    std::copy(fits.begin(), fits.end(), reason.begin());
    decided = true;
}

void save(const Unit& unit) {
    Slot& slot = *unit.slot;
    if (slot.saved) {
        return;
    }
    const int error = get_owner(unit.fd, slot.owner);
    if (error != 0) {
        slot.decide(AppliedLease::Outcome::skipped, cannot("ask for the lease's owner", error));
        return;
    }
    slot.saved = true;
}

bool is_there_already(const Unit& unit) {
    const LeaseState& state = unit.wanted->state;
    const LeaseNow now = lease_now(unit.fd);
    return !state.breaking && now.held && !now.breaking && now.type == state.type;
}

const LeaseOwner& owner_of(const Unit& unit) {
    return unit.wanted->owner ? *unit.wanted->owner : unit.slot->owner;
}

void decide_set(const Unit& unit) {
    const int error = put_owner(unit.fd, owner_of(unit));
    if (error == 0) {
        unit.slot->decide(AppliedLease::Outcome::set);
    } else {
        unit.slot->decide(AppliedLease::Outcome::skipped,
                          cannot("set the lease's owner: the lease is set, but its holder may not "
                                 "be signalled",
                                 error));
    }
    unit.slot->taken = false;
}

void decide_lost(const Unit& unit, std::string_view why) {
    // Owner and signal are the open file's, and count when its holder takes a lease again.
    static_cast<void>(put_owner(unit.fd, owner_of(unit)));
    unit.slot->decide(AppliedLease::Outcome::lost, why);
    unit.slot->taken = false;
}

}  // namespace ckpt_lease::live
