// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "ckpt-lease/base/time.hpp"
#include "ckpt-lease/lease/snapshot.hpp"

namespace ckpt_lease {

/// What may become of a lease, or of the process that holds it.
enum class EventKind : std::uint8_t {
    new_lease,     ///< it was not there before, or it is another one, or it was set anew
    break_begins,  ///< or one that is under way is to take all of the lease, and not a part
    time_over,     ///< the holder was to have given it up by now
    downgraded,    ///< it is a read lease now, by the holder's doing or the kernel's
    given_up,      ///< before its time was over
    lost,          ///< the kernel took it away, as its time was over
    ended,         ///< given up or lost: which one is not known
    process_gone,
};

/// "new-lease", "break-begins", "time-over" and so on.
[[nodiscard]] std::string_view to_string(EventKind kind) noexcept;

struct LeaseEvent {
    EventKind kind{};
    Task task;  ///< the first that has the descriptor; of process_gone, that which is gone
    /// As it is after, or where it is gone as it was before. Nothing of process_gone.
    std::optional<Lock> lock;
    bool is_before = false;  ///< the lock is of the first snapshot
    /// What is left now, of a lease that is being broken or was until now; nothing if it is not
    /// known, or if there is no deadline.
    std::optional<Nanoseconds> remaining;
};

/// What became of the leases between two looks at live processes that were `passed` apart: one
/// event after the other for each lease of the first, then those that only the second has, then
/// the processes that are gone.
///
/// A lease is the same in both if one of its descriptors leads to the same file in the same process
/// of both. The leases that only a process held that is gone are gone with it, without events of
/// their own. A lease being broken that is gone counts as lost if its time was over 50 ms later at
/// the most: whoever was kept waiting was let in then. What begins and ends between two looks is
/// not seen. A break that is armed has not begun, and nobody's time is over by it.
[[nodiscard]] std::vector<LeaseEvent> events_between(const Snapshot& before, const Snapshot& after,
                                                     Nanoseconds passed);

}  // namespace ckpt_lease
