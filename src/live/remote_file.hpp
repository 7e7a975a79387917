// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "ckpt-lease/io/file.hpp"

namespace ckpt_lease::live {

/// pidfd_open(2) of a process, or of a thread where the kernel can (since Linux 6.9). -1 and errno.
[[nodiscard]] int open_process(pid_t pid);

/// The open file behind a descriptor of another process: the same struct file, with its leases,
/// owner and signal (pidfd_getfd(2)). `pid` may be that of a
/// thread. Throws Error(io) that names the process and the descriptor.
[[nodiscard]] io::File open_remote(pid_t pid, std::int32_t fd);

/// "process 42, descriptor 7"
[[nodiscard]] std::string name_of(pid_t pid, std::int32_t fd);

}  // namespace ckpt_lease::live
