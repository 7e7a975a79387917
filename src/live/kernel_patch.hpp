// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <string>

#include "ckpt-lease/lease/lock.hpp"

namespace ckpt_lease::live {

/// What the ckpt-lease kernel patch adds to fcntl(2); kernel-patch/README.md describes it: the
/// commands of lease_state.hpp, or, on Linux 6.12 and 6.1, F_CHECKPOINT_LOCKS and F_RESTORE_LOCKS,
/// which write and read records. Other kernels answer EINVAL. What returns an int returns 0 or an
/// errno.

/// True if the kernel has the one or the other.
[[nodiscard]] bool kernel_restores_leases();

/// The lease that is held through `fd`. ENODATA: there is none.
[[nodiscard]] int checkpoint_lease(int fd, LeaseState& state);

/// Sets the lease on `fd`; its holder knows the file as descriptor `number`. Whatever this process
/// has open there may be closed. `begin`: when the remaining time began to count.
[[nodiscard]] int restore_lease(int fd, int number, const LeaseState& state,
                                std::chrono::steady_clock::time_point begin);

/// What restore_lease() would say to this state here, whatever the file: tried on one of our own.
[[nodiscard]] int try_to_restore(const LeaseState& state);

/// The records that restore_lease() hands over to F_RESTORE_LOCKS: FILE_LOCKS and a FILE_LOCK,
/// layout lease-1.
[[nodiscard]] std::string records_of(const LeaseState& state);

}  // namespace ckpt_lease::live
