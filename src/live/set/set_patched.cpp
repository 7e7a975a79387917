// SPDX-License-Identifier: GPL-2.0-or-later
#include <cerrno>

#include "live/lease_state.hpp"
#include "live/set/run.hpp"

namespace ckpt_lease::live {
namespace {

// A restored lease keeps an owner that is there, and makes the caller the owner of one that has
// none: decide_set() puts that right.
void restore(const Run& run, const OpenLease& lease) {
    const WantedLease& wanted = *lease.wanted;
    int error = run.owners.put(lease.file.get(), owner_of(lease));
    if (error == 0) {
        error = set_lease_state(lease.file.get(), wanted.fd, wanted.state, run.begin());
    }
    run.step(Step::set);
    if (error == 0) {
        decide_set(run, lease);
    } else {
        lease.slot->in_use = error == EAGAIN;
        decide_lost(run, lease,
                    error == EAGAIN ? std::string(kFileInUse) : cannot("restore the lease", error));
    }
}

// As on other kernels: setting a lease in place is refused for the same reasons as setting it after
// it was taken away, and does no harm.
bool may_be_set(const OpenLease& lease, const LeaseNow& now) {
    const LockType type = lease.wanted->state.unbroken_type().value();
    const int error = now.held ? set_lease(lease.file.get(), lease.wanted->fd, type) : 0;
    // What a downgrade has left on a file that is open for writing, only the kernel sets anew.
    const bool is_downgraded = lease.writable && type == LockType::rdlck;
    if (error == EAGAIN && !is_downgraded) {
        decide_refused(lease, {}, error);
    }
    return error != EAGAIN || is_downgraded;
}

// A read lease cannot be set beside one of the same file that is being broken: so all that are
// there go before the first one is set.
void take_away(const Run& run, const Group& group) {
    for (const OpenLease& lease : group.leases) {
        run.touch(lease.place);
        if (lease.slot->decided) {
            continue;
        }
        save(lease);
        run.step(Step::saved);
        if (lease.slot->decided) {
            continue;
        }
        const LeaseNow& now = lease.found;
        if (is_there_already(lease, now)) {
            // It may wait for a breaker with a deadline that was restored before; a lease that is
            // set forgets it. If it is refused, this is the kernel's own F_RDLCK.
            static_cast<void>(
                set_lease(lease.file.get(), lease.wanted->fd, lease.wanted->state.type));
            decide_set(run, lease);
            continue;
        }
        if (group.leases.size() == 1 && !may_be_set(lease, now)) {
            continue;
        }
        lease.slot->taken = true;
        const int error = remove_lease(lease.file.get());
        if (error != 0) {
            lease.slot->decide(AppliedLease::Outcome::skipped,
                               cannot("take the lease away to set it anew", error));
        }
        run.step(Step::taken);
    }
}

}  // namespace

void set_with_patch(const Run& run, const Preparation& preparation) {
    static_cast<void>(run.begin());
    for (const Group& group : preparation.groups) {
        if (!run.begin_setting()) {
            return;
        }
        take_away(run, group);
        for (const OpenLease& lease : group.leases) {
            run.touch(lease.place);
            if (!lease.slot->decided) {
                restore(run, lease);
                run.step(Step::decided);
            }
        }
        run.end_setting();
    }
}

}  // namespace ckpt_lease::live
