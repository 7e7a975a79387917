// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/inode.hpp"
#include "live/look/lease_event.hpp"
#include "live/steady_time.hpp"

namespace ckpt_lease::live {

/// Reads the leases of an inode with the time that is left to their holders, on kernels that have
/// no call for that: F_GETLEASE goes over all leases of an inode, and a tracepoint on the way tells
/// what is in them. perf_event_open(2) has the kernel write down those of this thread only; nothing
/// is changed for anybody else, and nothing is left behind when the process is killed. Needs root,
/// and tracefs in the kernel, which says what the tracepoint's events look like; where it is not
/// mounted, it is for a moment, where nobody else sees it.
class LeaseTrace {
 public:
    /// `most`: leases that one inode may have. Throws Error(io) that says what is missing.
    explicit LeaseTrace(std::size_t most);
    LeaseTrace(const LeaseTrace&) = delete;
    LeaseTrace& operator=(const LeaseTrace&) = delete;
    ~LeaseTrace();

    /// Has its descriptor moved: `move` closes one and returns what stands for it.
    void place(const std::function<int(int)>& move);

    /// All leases on `inode`, which `fd` has open and proc(5) names so, in the kernel's order, with
    /// what was left of them at the moment `from`; nothing if there are more than there was room
    /// for. Leases whose time is over go, as whenever somebody looks at them. The file system is
    /// not asked. Throws Error(io).
    [[nodiscard]] std::optional<std::vector<TracedLease>> read(int fd, const Inode& inode,
                                                               SteadyTime from);

 private:
    class Events;

    LeaseEventFormat format_;
    std::unique_ptr<Events> events_;
    Jiffies jiffies_;
};

}  // namespace ckpt_lease::live
