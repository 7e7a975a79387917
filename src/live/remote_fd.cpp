// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/remote_fd.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/syscall.h>

#include <cerrno>

namespace ckpt_lease::live {
namespace {

// Which <sys/pidfd.h> does not have: a thread that does not lead its process. Since Linux 6.9.
constexpr unsigned kThread = O_EXCL;

}  // namespace

Fd open_process(pid_t pid) {
    const auto process = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
    if (process >= 0 || (errno != EINVAL && errno != ENOENT)) {
        return Fd(process);
    }
    return Fd(static_cast<int>(syscall(SYS_pidfd_open, pid, kThread)));
}

Fd open_remote(pid_t pid, std::int32_t fd) {
    Fd process = open_process(pid);
    if (!process) {
        return process;
    }
    Fd file(static_cast<int>(syscall(SYS_pidfd_getfd, process.get(), fd, 0)));
    const int error = errno;
    process.reset();
    errno = error;
    return file;
}

std::string name_of(pid_t pid, std::int32_t fd) {
    return fmt::format("process {}, descriptor {}", pid, fd);
}

}  // namespace ckpt_lease::live
