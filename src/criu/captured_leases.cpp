// SPDX-License-Identifier: GPL-2.0-or-later
#include "ckpt-lease/criu/captured_leases.hpp"

#include <cstddef>

namespace ckpt_lease::criu {

CapturedLeases::CapturedLeases(std::set<std::int32_t> pids, const LockList& leases,
                               const std::vector<Inode>& inodes)
    : pids_(std::move(pids)) {
    leases.for_each([&](const Lock& lock) {
        const Inode inode = inodes.at(static_cast<std::size_t>(lock.file));
        if (lock.lease.breaking && lock.lease.previous_type == kUnknownType) {
            unsettled_.insert(inode);
        }
        for (const Task& task : leases.tasks(lock)) {
            leases_.insert_or_assign({task.pid, lock.fd}, Lease{lock.lease, inode});
        }
    });
}

FileLockEdit CapturedLeases::decide(const FileLockEntry& entry,
                                    const std::function<bool()>& is_written) const {
    if (!entry.is_breaking() || !pids_.contains(entry.pid)) {
        return {};
    }
    const auto found = leases_.find({entry.pid, entry.fd});
    if (found == leases_.end()) {
        // It ended while CRIU was at work.
        return {.action = FileLockEdit::Action::remove};
    }
    const LeaseState& lease = found->second.state;
    if (!lease.breaking) {
        return break_has_happened(entry, is_written());
    }
    // CRIU breaks all leases of a file when it breaks one: either none of them is left to it, or
    // all that were being broken are.
    return unsettled_.contains(found->second.inode) ? FileLockEdit()
                                                    : unbroken(entry, lease.previous_type);
}

}  // namespace ckpt_lease::criu
