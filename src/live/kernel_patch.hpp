// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

namespace ckpt_lease::live {

/// What the ckpt-lease kernel patch adds to fcntl(2); kernel-patch/README.md describes it. Other
/// kernels answer EINVAL. Not from <linux/fcntl.h>: that does not go together with <fcntl.h>, and
/// no distribution's has it.
inline constexpr int kCheckpointLocks = 1024 + 64;
inline constexpr int kRestoreLocks = 1024 + 65;

struct FileLocksCkpt {
    std::int32_t image_fd = -1;
    std::uint32_t flags = 0;
    std::uint64_t begin_ns = 0;  ///< CLOCK_MONOTONIC at the start of the restart; 0: now
};

/// The layout of the records that these commands write and read.
inline constexpr const char* kKernelLayout = "lease-1";

}  // namespace ckpt_lease::live
