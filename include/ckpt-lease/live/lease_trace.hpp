// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ckpt-lease/base/time.hpp"
#include "ckpt-lease/lease/lock.hpp"

namespace ckpt_lease::live {

/// The clock that deadlines of lease breaks are kept in. It ticks with CLOCK_MONOTONIC, from 5
/// minutes before its lower half wraps around (INITIAL_JIFFIES) on; how often in a second
/// (CONFIG_HZ) follows from that, and stands nowhere else.
struct Jiffies {
    std::uint64_t now = 0;
    std::uint64_t per_second = 0;

    [[nodiscard]] std::uint64_t ticks(Nanoseconds span) const noexcept;
    /// How long until `deadline`; 0 once it is over.
    [[nodiscard]] Nanoseconds until(std::uint64_t deadline) const noexcept;
};

/// Reads "now at N nsecs" and "jiffies: N" of /proc/timer_list. Nothing if they are not there, or
/// if the machine was started 5 minutes ago to the second, when they do not tell.
[[nodiscard]] std::optional<Jiffies> parse_timer_list(std::string_view text);

/// One lease of an inode as the tracepoint filelock:time_out_leases prints it.
struct TracedLease {
    dev_t device = 0;
    std::uint64_t inode = 0;
    LeaseState state;

    friend bool operator==(const TracedLease&, const TracedLease&) = default;
};

/// Reads a line of a trace; nothing if it is another event.
[[nodiscard]] std::optional<TracedLease> parse_trace_line(std::string_view line,
                                                          const Jiffies& jiffies);

/// Reads the leases of an inode with the time that is left to their holders, on kernels that have
/// no call for that: F_GETLEASE goes over all leases of an inode, and a tracepoint on the way
/// prints what is in them. For that it makes a tracing instance of its own, on a mount of tracefs
/// of its own, that sees nothing but this thread, and removes it; a second process does if this one
/// is killed. Needs root, and tracefs in the kernel.
class LeaseTrace {
 public:
    /// Throws Error(io) that says what is missing.
    LeaseTrace();
    LeaseTrace(const LeaseTrace&) = delete;
    LeaseTrace& operator=(const LeaseTrace&) = delete;
    ~LeaseTrace();

    /// All leases on the inode of `fd`, in the kernel's order, with what was left of them `ago`.
    /// Leases whose time is over go, as whenever somebody looks at them.
    [[nodiscard]] std::vector<TracedLease> read(int fd, Nanoseconds ago = Nanoseconds(0));

 private:
    struct Instance;
    std::unique_ptr<Instance> instance_;
};

}  // namespace ckpt_lease::live
