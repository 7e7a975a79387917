// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/remote_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "ckpt-lease/base/problem.hpp"

namespace ckpt_lease::live {
namespace {

// Which <sys/pidfd.h> does not have: a thread that does not lead its process. Since Linux 6.9.
constexpr unsigned kThread = O_EXCL;

}  // namespace

int open_process(pid_t pid) {
    const auto process = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
    if (process >= 0 || (errno != EINVAL && errno != ENOENT)) {
        return process;
    }
    return static_cast<int>(syscall(SYS_pidfd_open, pid, kThread));
}

std::string name_of(pid_t pid, std::int32_t fd) {
    return fmt::format("process {}, descriptor {}", pid, fd);
}

io::File open_remote(pid_t pid, std::int32_t fd) {
    const auto fail = [&](const char* action, int error) {
        throw Error(Error::Kind::io,
                    {.file = name_of(pid, fd),
                     .message = fmt::format("cannot {}: {}", action,
                                            std::generic_category().message(error)),
                     .hint = error == EPERM
                                 ? "it takes the permission to trace the process (CAP_SYS_PTRACE)"
                                 : std::string()});
    };
    const int process = open_process(pid);
    if (process < 0) {
        fail("open the process", errno);
    }
    const io::File pidfd =
        io::File::adopt(io::posix_system(), fmt::format("process {}", pid), process);
    const auto found = static_cast<int>(syscall(SYS_pidfd_getfd, pidfd.fd(), fd, 0));
    if (found < 0) {
        fail("get the descriptor", errno);
    }
    return io::File::adopt(io::posix_system(), name_of(pid, fd), found);
}

}  // namespace ckpt_lease::live
