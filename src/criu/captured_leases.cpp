// SPDX-License-Identifier: GPL-2.0-or-later
#include "criu/captured_leases.hpp"

#include <cstddef>
#include <optional>

namespace ckpt_lease::criu {

CapturedLeases::CapturedLeases(std::set<std::int32_t> pids, const LockList& leases,
                               const std::vector<LeasedFile>& files)
    : pids_(std::move(pids)) {
    leases.for_each([&](const Lock& lock) {
        const LeasedFile& file = files.at(static_cast<std::size_t>(lock.file));
        if (!lock.lease.unbroken_type()) {
            unsettled_.insert(file.inode);
        }
        leases_.emplace(leases, lock, Lease{lock.lease, file});
    });
}

FileLockEdit CapturedLeases::decide(const FileLockEntry& entry,
                                    const std::function<LockDetails()>& details) const {
    if (!entry.is_lease() || !pids_.contains(entry.pid)) {
        return {};
    }
    const Lease* const found = leases_.find(entry.pid, entry.fd);
    if (found == nullptr) {
        // It ended while CRIU was at work.
        return {.action = entry.is_breaking() ? FileLockEdit::Action::remove
                                              : FileLockEdit::Action::keep};
    }
    const auto& [lease, file] = *found;
    const std::optional<LockType> before = lease.unbroken_type();
    const bool is_downgraded = file.is_writable && before == LockType::rdlck;
    if (is_downgraded && (!lease.breaking || details().openers > 1)) {
        return {.action = FileLockEdit::Action::park};
    }
    if (!entry.is_breaking()) {
        return {};
    }
    if (!lease.breaking) {
        return break_has_happened(entry, file.is_writable);
    }
    // CRIU breaks all leases of a file when it breaks one: either none of them is left to it, or
    // all that were being broken are.
    return !before || unsettled_.contains(file.inode)
               ? FileLockEdit()
               : unbroken(entry, is_downgraded ? LockType::wrlck : *before);
}

}  // namespace ckpt_lease::criu
