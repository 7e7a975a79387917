// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "live/fd.hpp"

namespace ckpt_lease::live {

/// pidfd_open(2) of a process, or of a thread where the kernel can (since Linux 6.9). None and
/// errno if it is not there.
[[nodiscard]] Fd open_process(pid_t pid);

/// The open file behind a descriptor of another process: the same struct file, with its leases,
/// owner and signal (pidfd_getfd(2)). None and errno if there is none; ESRCH: there is no process.
///
/// To have it open is harmless, to close it may not be: the file system is asked to flush it, and
/// one that does not answer holds up whoever closes it, and its death too. So only processes that
/// can be given up have such a descriptor.
[[nodiscard]] Fd open_remote(pid_t pid, std::int32_t fd);

/// "process 42, descriptor 7"
[[nodiscard]] std::string name_of(pid_t pid, std::int32_t fd);

}  // namespace ckpt_lease::live
