// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ckpt-lease/base/inode.hpp"
#include "ckpt-lease/base/time.hpp"
#include "ckpt-lease/lease/lock.hpp"

namespace ckpt_lease::live {

/// The clock that deadlines of lease breaks are kept in.
struct Jiffies {
    std::uint64_t now = 0;
    std::uint64_t per_second = 0;  ///< CONFIG_HZ

    [[nodiscard]] std::uint64_t ticks(Nanoseconds span) const noexcept;
    /// How long until `deadline`; 0 once it is over.
    [[nodiscard]] Nanoseconds until(std::uint64_t deadline) const noexcept;
};

/// Reads "jiffies: N" of /proc/timer_list: the only place that tells what time it is on that clock.
/// Nothing if it is not there.
[[nodiscard]] std::optional<std::uint64_t> parse_timer_list(std::string_view text);

/// One lease of an inode as the tracepoint filelock:time_out_leases prints it.
struct TracedLease {
    Inode inode;  ///< as fstat(2) names it, but for the device on some file systems (btrfs)
    LeaseState state;

    friend bool operator==(const TracedLease&, const TracedLease&) = default;
};

/// Reads a line of a trace; nothing if it is another event.
[[nodiscard]] std::optional<TracedLease> parse_trace_line(std::string_view line,
                                                          const Jiffies& jiffies);

/// Reads the leases of an inode with the time that is left to their holders, on kernels that have
/// no call for that: F_GETLEASE goes over all leases of an inode, and a tracepoint on the way
/// prints what is in them. For that it makes a tracing instance of its own, that sees nothing but
/// this thread, and removes it; a second process does if this one is killed. Where tracefs is not
/// mounted, it is for as long, where nobody else sees it. Needs root, and tracefs in the kernel.
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
