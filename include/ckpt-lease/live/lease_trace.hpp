// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ckpt-lease/base/inode.hpp"
#include "ckpt-lease/lease/lock.hpp"
#include "ckpt-lease/live/steady_time.hpp"

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

/// One lease of an inode as the tracepoint filelock:time_out_leases prints it.
struct TracedLease {
    Inode inode;      ///< as proc(5) names it
    std::string key;  ///< tells it from the others that there are
    LeaseState state;

    friend bool operator==(const TracedLease&, const TracedLease&) = default;
};

/// Reads a line of a trace; nothing if it is another event. What is left counts from `from`.
[[nodiscard]] std::optional<TracedLease> parse_trace_line(std::string_view line,
                                                          const Jiffies& jiffies, SteadyTime from);

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

    /// Has its descriptors moved: `move` closes one and returns what stands for it.
    void place(const std::function<int(int)>& move);

    /// All leases on `inode`, which `fd` has open and proc(5) names so, in the kernel's order, with
    /// what was left of them at the moment `from`. Leases whose time is over go, as whenever
    /// somebody looks at them. The file system is not asked.
    [[nodiscard]] std::vector<TracedLease> read(int fd, const Inode& inode, SteadyTime from);

 private:
    struct Instance;
    std::unique_ptr<Instance> instance_;
    Jiffies jiffies_;
};

}  // namespace ckpt_lease::live
