// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <string>

#include "ckpt-lease/lease/lock.hpp"

namespace ckpt_lease::live {

/// What the ckpt-lease kernel patch adds to fcntl(2); kernel-patch/README.md describes it. Other
/// kernels answer EINVAL. What returns an int returns 0 or an errno.

/// True if the kernel has F_CHECKPOINT_LOCKS and F_RESTORE_LOCKS.
[[nodiscard]] bool kernel_restores_leases();

/// F_CHECKPOINT_LOCKS: the lease that is held through `fd`. ENODATA: there is none.
[[nodiscard]] int checkpoint_lease(int fd, LeaseState& state);

/// F_RESTORE_LOCKS on `fd`, called on descriptor `number` as set_lease() does. `begin`: when the
/// remaining time began to count.
[[nodiscard]] int restore_lease(int fd, int number, const LeaseState& state,
                                std::chrono::steady_clock::time_point begin);

/// The records that restore_lease() hands over: FILE_LOCKS and a FILE_LOCK, layout lease-1.
[[nodiscard]] std::string records_of(const LeaseState& state);

}  // namespace ckpt_lease::live
