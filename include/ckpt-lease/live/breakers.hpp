// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "ckpt-lease/base/inode.hpp"

namespace ckpt_lease::live {

/// A thread that sleeps until a lease on `inode` is given up.
struct Breaker {
    pid_t pid = 0;     ///< of the thread
    std::string comm;  ///< bytes
    Inode inode;       ///< as fstat(2) names it
};

/// All threads that sleep in open(2) or truncate(2) and the like because of a lease, as far as they
/// may be looked at: which file it is about is read from their memory. Those that cannot be looked
/// at are left out.
[[nodiscard]] std::vector<Breaker> find_breakers();

}  // namespace ckpt_lease::live
