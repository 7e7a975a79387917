// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ckpt-lease/lease/lock.hpp"
#include "ckpt-lease/lease/owner.hpp"

namespace ckpt_lease::live {

/// What a lease of a live, stopped process is to be.
struct WantedLease {
    pid_t pid = 0;        ///< a process, as this one sees it, that has the descriptor
    std::int32_t fd = 0;  ///< the descriptor whose open file the lease is held through
    std::string path;     ///< of the file, another one is left alone; empty: any. Bytes
    LeaseState state;
    std::optional<LeaseOwner> owner;  ///< `id` as this process sees it; none: what it is now
};

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
    /// CLOCK_MONOTONIC, in nanoseconds: when the remaining times began to count. 0: now.
    std::uint64_t begin = 0;
    /// Touch nothing; but look at all that can be looked at.
    bool dry_run = false;
};

/// Sets leases and deadlines of stopped processes. One result for each wanted lease, in their
/// order; leases that are one open file (dup(2), fork(2)) are set once, and have one result.
///
/// A kernel with the patch (kernel-patch/README.md) is handed the records. On others the leases of
/// a file are taken away, set, and broken by an open() with O_NONBLOCK while lease-break-time has
/// the value that makes the deadline. That has its price:
/// - lease-break-time is another for about 0.1 ms; a break that begins anywhere just then gets it.
/// - Several leases on one file share the latest of their deadlines. They are `set` all the same.
/// - A break whose time is over is ended at once: the lease is taken away (with owner and signal,
/// as
///   the kernel does it) or downgraded, even if no breaker comes.
/// - A holder that was not notified is signalled at once, and not when the breaker comes.
///
/// A deadline is met to the tick of the kernel's clock or, as a sleeping open() always was, one
/// granule of its timer wheel later: an eighth of the remaining time at most. Should a kernel take
/// nothing but whole seconds from lease-break-time, what is more than that is waited for here: a
/// second at most, for all leases together.
///
/// All is done by processes of its own, out of reach of the signals that this one gets; they finish
/// if this one is killed, and if one of them is killed, the others put right what it left. Should
/// an open() hang, lease-break-time is put back after 0.2 s, and the lease is skipped. One call
/// waits for the other: they hold flock(2)s on /run/ckpt-lease.lock and, for those that have
/// another /run but the same /proc, on /proc/sys/fs/lease-break-time.
///
/// It forks without exec(2): better called while there are no other threads.
///
/// Throws Error only if nothing at all was changed.
[[nodiscard]] std::vector<AppliedLease> apply(std::span<const WantedLease> leases,
                                              const ApplyOptions& options);

}  // namespace ckpt_lease::live
