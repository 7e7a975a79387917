// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/set/course.hpp"

#include <algorithm>
#include <chrono>

namespace ckpt_lease::live {
namespace {

// A lease without a break, or whose break is over, signalled or not.
Course course_to_rest(const Unit& unit, LockType type, bool silent) {
    const bool refused = type == LockType::rdlck && unit.writable;
    if (silent && !refused) {
        return {.type = type};
    }
    const After after = type == LockType::unlck ? After::unlock
                        : refused               ? After::time_out
                                                : After::downgrade;
    const bool was_read =
        unit.wanted->state.breaking && unit.wanted->state.previous_type == LockType::rdlck;
    return {.type = was_read ? LockType::rdlck : LockType::wrlck,
            .breaks = true,
            .silent = silent,
            .target = type,
            .after = after};
}

}  // namespace

Course course_of(const Unit& unit, bool over) {
    const LeaseState& state = unit.wanted->state;
    const bool silent = state.notified || unit.slot->signalled;
    if (!state.breaking) {
        return course_to_rest(unit, state.type, true);
    }
    if (over) {
        return course_to_rest(unit, state.type, silent);
    }
    return {.type = state.previous_type, .breaks = true, .silent = silent, .target = state.type};
}

std::optional<std::uint64_t> deadline_of(const Group& group, std::uint64_t begin) {
    std::uint64_t latest = begin;
    for (const Unit& unit : group.units) {
        const LeaseState& state = unit.wanted->state;
        if (state.breaking && !state.remaining.has_deadline()) {
            return std::nullopt;
        }
        if (state.breaking) {
            latest = std::max(latest,
                              begin + static_cast<std::uint64_t>(state.remaining.time().count()));
        }
    }
    return latest;
}

std::uint64_t start_of(std::optional<std::uint64_t> deadline, const BreakClock& clock) {
    constexpr Nanoseconds kFineEnough = std::chrono::milliseconds(50);
    const std::uint64_t now = monotonic_now();
    if (!deadline || *deadline <= now || clock.resolution() <= kFineEnough) {
        return now;
    }
    return now + (*deadline - now) % static_cast<std::uint64_t>(clock.resolution().count());
}

}  // namespace ckpt_lease::live
