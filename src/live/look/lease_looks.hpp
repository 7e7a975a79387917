// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/inode.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/lease/lock.hpp"
#include "live/processes.hpp"
#include "live/steady_time.hpp"

namespace ckpt_lease::live {

/// An open file that a lease is held through, by a descriptor that leads to it.
struct LeasedFile {
    pid_t pid = 0;
    std::int32_t fd = 0;
    FdinfoLease shown;
};

/// What came of looking into it.
struct LookedInto {
    bool gone = false;  ///< closed meanwhile
    LeaseState state;
    LeaseOwner owner;  ///< nobody if it is not known
    Inode inode;       ///< as fstat(2) names it, if that could be found out
};

/// Looks into the leases of `files`, by processes that can be given up where a file system does not
/// answer. What could not be found out is added to `unknown`, each reason once.
[[nodiscard]] std::vector<LookedInto> look_into(const std::vector<LeasedFile>& files,
                                                std::optional<SteadyTime> frozen,
                                                std::vector<Problem>& unknown);

}  // namespace ckpt_lease::live
