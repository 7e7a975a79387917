// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstdint>

#include "ckpt-lease/lease/lock.hpp"

namespace ckpt_lease::live {

/// F_GETLEASE_STATE and F_SETLEASE_STATE of fcntl(2), which the ckpt-lease kernel patch adds
/// (kernel-patch/README.md). Other kernels answer EINVAL. What returns an int returns 0 or an
/// errno.

/// struct lease_state of <linux/fcntl.h>. All in the machine's byte order.
struct KernelLeaseState {
    static constexpr std::uint64_t kNoDeadline = ~std::uint64_t{0};
    static constexpr std::uint32_t kNotified = 1;  ///< the holder has been signalled
    static constexpr std::uint32_t kArmed = 2;     ///< told only: no breaker has come back yet

    std::uint64_t remaining_ns = 0;  ///< that is left of the break
    /// CLOCK_MONOTONIC when that began to count, for the kernel to set; 0: now.
    std::uint64_t begin_ns = 0;
    std::uint16_t type = 0;    ///< before the break; F_UNLCK: there is no lease
    std::uint16_t target = 0;  ///< what it becomes; the same as `type`: it is not being broken
    std::uint32_t flags = 0;
    std::int32_t fd = -1;  ///< to be set: si_fd of the holder's signals
    std::uint32_t padding = 0;

    friend bool operator==(const KernelLeaseState&, const KernelLeaseState&) = default;
};
static_assert(sizeof(KernelLeaseState) == 32);

/// True if the kernel has both commands. What it answers is kept: where a lease has been taken away
/// to be set anew, this must not depend on whether another file can be opened.
[[nodiscard]] bool kernel_restores_leases();

/// The lease that is held through `fd`. ENODATA: there is none.
[[nodiscard]] int get_lease_state(int fd, LeaseState& state);

/// Sets it on `fd`; its holder knows the file as descriptor `number`. `begin`: when the remaining
/// time began to count. The remaining time and the type before the break must be known.
[[nodiscard]] int set_lease_state(int fd, int number, const LeaseState& state,
                                  std::chrono::steady_clock::time_point begin);

/// What set_lease_state() would say to this state here, whatever the file: tried on one of our own,
/// where EAGAIN means that nothing else is in the way.
[[nodiscard]] int try_lease_state(const LeaseState& state);

/// Whether that is what F_GETLEASE_STATE answers if there is no lease.
[[nodiscard]] bool is_no_lease(int result, const KernelLeaseState& told);
/// What the kernel tells, in our words; and what it is told.
[[nodiscard]] LeaseState from_kernel(const KernelLeaseState& told);
[[nodiscard]] KernelLeaseState to_kernel(const LeaseState& state, int number,
                                         std::chrono::steady_clock::time_point begin);

}  // namespace ckpt_lease::live
