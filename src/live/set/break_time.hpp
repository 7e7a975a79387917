// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <optional>

#include "live/set/step.hpp"
#include "live/steady_time.hpp"

namespace ckpt_lease::live {

inline constexpr const char* kBreakTimePath = "/proc/sys/fs/lease-break-time";

/// Longest that a break may take to begin: a machine that is busy needs some. To begin one is to
/// open a file, which may take as long as a virus scanner or a file server likes.
inline constexpr Nanoseconds kLongestBegin = std::chrono::milliseconds(200);

/// What lease-break-time has to be put back to; in memory that is shared with the processes that
/// watch over the one that changes it.
struct BreakTimeRecord {
    std::atomic<bool> changed{false};  ///< or is about to be
    std::atomic<bool> early{false};    ///< put_back_early() has put it back
    /// When a change began, until what it was made for is done; kNever: none has.
    std::atomic<SteadyTime> begun{kNever};
    int original = 0;
    int written = 0;
};

/// Puts lease-break-time back if it was changed, unless somebody else has changed it since. For the
/// process that changes it, and for others once that is gone. If it fails, `changed` stays.
void put_back(BreakTimeRecord& record);
/// The same while the process that changes it is still at it: it may not have written it yet, and
/// so this is to be called again.
void put_back_early(BreakTimeRecord& record);

/// How lease-break-time makes deadlines that are no whole seconds. The kernel multiplies it by
/// CONFIG_HZ in an int, and what passes the int's end is cut off: so there is a value for (nearly)
/// every number of ticks, one in the past too. With CONFIG_HZ 250, 1494648619 s are -2 ticks.
class BreakClock {
 public:
    /// `hz`: CONFIG_HZ. `wraps`: the kernel does multiply so; else deadlines are whole seconds.
    BreakClock(std::uint32_t hz, bool wraps);

    /// How finely a deadline can be set.
    [[nodiscard]] Nanoseconds resolution() const;
    /// The value of lease-break-time for a deadline after `time`, above 0, rounded up to the
    /// resolution. Nothing if it is too far away: 2^31 ticks, 99 days with CONFIG_HZ 250.
    [[nodiscard]] std::optional<int> value_for(Nanoseconds time) const;
    /// The value for a deadline that is over when the break begins; nothing without wrapping.
    [[nodiscard]] std::optional<int> value_for_past() const;
    /// The longest that value_for() can do.
    [[nodiscard]] Nanoseconds longest() const;

 private:
    [[nodiscard]] std::optional<int> value_of_ticks(std::int64_t ticks) const;

    std::int64_t hz_;
    std::int64_t step_;  // in ticks
};

/// Writes lease-break-time for as long as a break takes to begin.
class BreakTime {
 public:
    /// `fd`: kBreakTimePath, open for reading and writing. `hook` is called at each step.
    BreakTime(int fd, BreakTimeRecord& record, const StepHook& hook)
        : fd_(fd), record_(&record), hook_(&hook) {}

    /// Calls `begin` while lease-break-time is `value`. Returns what `begin` does, the errno of
    /// what went wrong before it, or ETIME if it took longer than kLongestBegin: lease-break-time
    /// may have been put back before.
    template <typename Begin>
    [[nodiscard]] int during(int value, Begin begin) const {
        const int error = change_to(value);
        if (error != 0) {
            return error;
        }
        const int result = begin();
        step(Step::opened);
        const bool late = is_late();
        put_back(*record_);
        record_->begun = kNever;
        step(Step::restored);
        return result == 0 && late ? ETIME : result;
    }

    /// Tries on a file of its own whether BreakClock can rely on wrapping.
    [[nodiscard]] bool wraps(std::uint32_t hz) const;

 private:
    [[nodiscard]] int change_to(int value) const;
    [[nodiscard]] bool is_late() const;
    void step(Step what) const;

    int fd_;
    BreakTimeRecord* record_;
    const StepHook* hook_;
};

}  // namespace ckpt_lease::live
