// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace proof {

/// Knows when this machine did not run its processes: on each processor one sleeps for a few
/// milliseconds at a time, and notes when that took too long for what is measured here. An emulated
/// machine stands still when its host has other work. For a process that waits for a lease, this
/// looks like a kernel that wakes it too late.
class Stalls {
 public:
    /// A processor that ran nobody for less time than this, in seconds, makes no case fail.
    static constexpr double kLeast = 0.03;

    Stalls();
    ~Stalls();
    Stalls(const Stalls&) = delete;
    Stalls& operator=(const Stalls&) = delete;

    /// The longest time in seconds that a processor ran nobody, of what lies between two moments of
    /// now(), wholly or in part; 0 if that was less than kLeast. Throws a Failure if nobody watches
    /// any more.
    double longest(std::int64_t begin, std::int64_t end) const;

 private:
    struct Stall {
        std::atomic<std::int64_t> begin;
        std::atomic<std::int64_t> end;
    };
    static constexpr std::size_t kMost = 4096;
    static constexpr std::size_t kMostProcessors = 64;
    /// Shared with the processes that sleep. After kMost stalls, the first ones are written over.
    struct Seen {
        std::atomic<std::size_t> count;
        Stall stalls[kMost];
        /// When each of them was last awake.
        std::atomic<std::int64_t> awake[kMostProcessors];
    };
    [[noreturn]] void watch(int processor, std::atomic<std::int64_t>& awake);

    Seen* seen_;
    std::vector<pid_t> watchers_;
};

}  // namespace proof
