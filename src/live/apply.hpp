// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/lease/lock.hpp"
#include "live/steady_time.hpp"

namespace ckpt_lease::live {

class StopHold;

/// What a lease of a live, stopped process is to be.
struct WantedLease {
    pid_t pid = 0;        ///< a process, as this one sees it, that has the descriptor
    std::int32_t fd = 0;  ///< the descriptor whose open file the lease is held through
    std::string path;     ///< of the file, another one is left alone; empty: any. Bytes
    LeaseState state;
    std::optional<LeaseOwner> owner;  ///< `id` as this process sees it; none: what it is now
};

/// The reason why a lease is skipped whose remaining time is not known: somebody must say what it
/// is to be.
inline constexpr std::string_view kTimeNotKnown = "the remaining lease is not known";

/// What became of it.
struct AppliedLease {
    enum class Outcome : std::uint8_t {
        set,      ///< it is as wanted (a dry run: it would be)
        skipped,  ///< it is not as wanted, but the holder has what it had, for `reason`
        lost,     ///< the holder does not have it, and it could not be set again, for `reason`
    };
    Outcome outcome = Outcome::skipped;
    std::string reason;  ///< empty if set; else a sentence without a full stop

    friend bool operator==(const AppliedLease&, const AppliedLease&) = default;
};

struct ApplyOptions {
    /// When the remaining times began to count, for all leases alike. None: just before the first
    /// lease is set, when all that takes time is done: finding processes and descriptors, waiting
    /// for another run.
    std::optional<SteadyTime> begin = {};
    /// Whether the processes stay stopped, if somebody lets them go by himself. Leases whose turn
    /// comes later than that are left as they are.
    StopHold* hold = nullptr;
    /// Touch nothing; but look at all that can be looked at.
    bool dry_run = false;
    /// Called with what is worth knowing besides the results, in the process that called apply():
    /// who has kept it waiting for a second, what it was not allowed. Each thing once.
    std::function<void(const Problem&)> tell = {};
};

/// Sets leases and deadlines of stopped processes. One result for each wanted lease, in their
/// order; leases that are one open file (dup(2), fork(2)) are set once, and have one result.
///
/// A kernel with the patch (kernel-patch/README.md) sets them (lease_state.hpp). On others the
/// leases of a file are taken away, set, and broken by an open() with O_NONBLOCK while
/// lease-break-time has the value that makes the deadline. That has its price:
/// - lease-break-time is another for about 0.1 ms; a break that begins anywhere just then gets it.
/// - Several leases on one file share the latest of their deadlines. They are `set` all the same.
/// - A break whose time is over is ended at once: the lease is taken away (with owner and signal,
///   as the kernel does it) or downgraded, even if no breaker comes.
/// - A holder that was not notified is signalled at once, and not when the breaker comes.
///
/// A deadline is met to the tick of the kernel's clock or, as a sleeping open() always was, one
/// granule of its timer wheel later: an eighth of the remaining time at most. Should a kernel take
/// nothing but whole seconds from lease-break-time, what is more than that is waited for here: a
/// second at most, for all leases together.
///
/// An owner is set only if the holder could have set it itself, by its uids, or if it is there
/// already: images are not trusted. A lease that somebody waits for is skipped, and `reason` names
/// who waits, as far as that can be seen.
///
/// All is done by processes of its own, out of reach of the signals that this one gets; they finish
/// if this one is killed, and if one of them is killed, the others put right what it left. Whatever
/// touches a file may hang as long as its file system likes: after 3 s it is given up, in state D
/// too, and nobody waits for it; its lease is skipped, or lost. Should an open() that begins a
/// break hang, lease-break-time is put back after 0.2 s. Where leases are many, they are set in
/// portions that fit into RLIMIT_NOFILE, which is raised to the hard limit.
///
/// One call waits for the other while it changes lease-break-time: they hold flock(2)s on
/// /run/ckpt-lease.lock and, for those that have another /run, on the folder of tracefs, which is
/// one for the machine. Nobody but root can take these. One that does not get on for 5 s, or does
/// not get done in 30 s, is passed over.
///
/// It forks without exec(2): better called while there are no other threads.
///
/// Throws Error only if nothing at all was changed.
[[nodiscard]] std::vector<AppliedLease> apply(std::span<const WantedLease> leases,
                                              const ApplyOptions& options);

}  // namespace ckpt_lease::live
