// SPDX-License-Identifier: GPL-2.0-or-later
#include <cerrno>

#include "live/set/apply_run.hpp"

namespace ckpt_lease::live {
namespace {

// A restored lease keeps an owner that is there, and makes the caller the owner of one that has
// none: decide_set() puts that right.
void restore_unit(const Unit& unit, std::uint64_t begin, const ApplyHooks& hooks) {
    int error = put_owner(unit.fd, owner_of(unit));
    if (error == 0) {
        error = restore_lease(unit.fd, unit.wanted->fd, unit.wanted->state, begin);
    }
    step(hooks, "set");
    if (error == 0) {
        decide_set(unit);
    } else {
        decide_lost(unit,
                    error == EAGAIN ? std::string(kFileInUse) : cannot("restore the lease", error));
    }
}

// As on other kernels: setting a lease in place is refused for the same reasons as setting it after
// it was taken away, and does no harm.
bool may_be_set(const Unit& unit) {
    const LeaseState& state = unit.wanted->state;
    const LockType type = state.breaking ? state.previous_type : state.type;
    const int error = lease_now(unit.fd).held ? set_lease(unit.fd, unit.wanted->fd, type) : 0;
    if (error == EAGAIN) {
        unit.slot->decide(AppliedLease::Outcome::skipped, kFileInUse);
    }
    return error != EAGAIN;
}

// A read lease cannot be set beside one of the same file that is being broken: so all that are
// there go before the first one is set.
void take_away(const Group& group, const ApplyHooks& hooks) {
    for (const Unit& unit : group.units) {
        if (unit.slot->decided) {
            continue;
        }
        save(unit);
        step(hooks, "saved");
        if (unit.slot->decided) {
            continue;
        }
        if (is_there_already(unit)) {
            // It may wait for a breaker with a deadline that was restored before; a lease that is
            // set forgets it. If it is refused, this is the kernel's own F_RDLCK.
            static_cast<void>(set_lease(unit.fd, unit.wanted->fd, unit.wanted->state.type));
            decide_set(unit);
            continue;
        }
        if (group.units.size() == 1 && !may_be_set(unit)) {
            continue;
        }
        unit.slot->taken = true;
        const int error = remove_lease(unit.fd);
        if (error != 0) {
            unit.slot->decide(AppliedLease::Outcome::skipped,
                              cannot("take the lease away to set it anew", error));
        }
        step(hooks, "taken");
    }
}

}  // namespace

void set_with_patch(const Preparation& preparation, std::uint64_t begin, const ApplyHooks& hooks) {
    for (const Group& group : preparation.groups) {
        take_away(group, hooks);
        for (const Unit& unit : group.units) {
            if (!unit.slot->decided) {
                restore_unit(unit, begin, hooks);
                step(hooks, "decided");
            }
        }
    }
}

}  // namespace ckpt_lease::live
