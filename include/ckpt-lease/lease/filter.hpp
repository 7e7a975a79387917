// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ckpt-lease/lease/lock_list.hpp"

namespace ckpt_lease {

/// Which locks are meant. All conditions must hold; an empty filter means every lock.
struct Filter {
    /// Glob patterns as of find(1) -path: * and ? match any byte, a slash included.
    std::vector<std::string> paths;
    std::vector<std::string> comms;
    std::vector<std::int32_t> pids;
    std::vector<std::int32_t> fds;
    std::vector<std::uint64_t> indexes;
    /// What a lease that is being broken is to become; a lease that is held matches none.
    std::vector<LockType> targets;

    friend bool operator==(const Filter&, const Filter&) = default;

    /// True if a lock has to be known together with its tasks, which stand behind it in an image.
    [[nodiscard]] bool needs_tasks() const noexcept { return !pids.empty() || !comms.empty(); }

    /// A task condition holds if it holds for any of the tasks that share the lock's file table.
    [[nodiscard]] bool matches(const Lock& lock, const Ownership& ownership) const;

    /// From now on `other` must match too.
    void add(const Filter& other);

    /// Throws Error(refused) if no lock can ever match, as with two different fds.
    void check() const;
};

}  // namespace ckpt_lease
