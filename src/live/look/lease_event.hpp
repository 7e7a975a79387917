// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/inode.hpp"
#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/lease/lock.hpp"
#include "live/steady_time.hpp"

namespace ckpt_lease::live {

/// The clock that deadlines of lease breaks are kept in. It goes on with CLOCK_MONOTONIC, a tick at
/// a time: so one look at both is enough to turn its times into moments.
struct Jiffies {
    std::uint64_t ticks = 0;       ///< what it says
    std::uint64_t per_second = 0;  ///< CONFIG_HZ
    SteadyTime since;              ///< when it began to say so

    [[nodiscard]] SteadyTime moment_of(std::uint64_t deadline) const noexcept;
};

/// Reads "jiffies: N" of /proc/timer_list: the only place that tells what time it is on that clock.
/// Nothing if it is not there.
[[nodiscard]] std::optional<std::uint64_t> parse_timer_list(std::string_view text);

/// Where an event of the tracepoint filelock:time_out_leases has what it tells of a lease.
struct LeaseEventFormat {
    std::uint64_t id = 0;  ///< the tracepoint's number, for perf_event_open(2)
    Field device;          ///< dev_t, as the kernel has it
    Field inode;
    Field flags;  ///< FL_UNLOCK_PENDING, FL_DOWNGRADE_PENDING
    Field type;   ///< F_RDLCK, ...
    Field break_time;
    Field downgrade_time;  ///< both in jiffies; 0: never
};

/// Reads the tracepoint's file `format` in tracefs. Nothing if it does not have all of them. Since
/// Linux 6.9 the names of some have no "fl_" in front.
[[nodiscard]] std::optional<LeaseEventFormat> parse_event_format(std::string_view text);

/// One lease of an inode.
struct TracedLease {
    Inode inode;  ///< as proc(5) names it
    LeaseState state;

    friend bool operator==(const TracedLease&, const TracedLease&) = default;
};

/// Reads an event. What is left counts from `from`. Nothing if it ends early, or its type is none.
[[nodiscard]] std::optional<TracedLease> read_event(std::span<const std::byte> event,
                                                    const LeaseEventFormat& format,
                                                    const Jiffies& jiffies, SteadyTime from);

}  // namespace ckpt_lease::live
