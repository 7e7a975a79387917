// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/set/run_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <ctime>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/io/file.hpp"
#include "live/lease_calls.hpp"
#include "live/set/break_time.hpp"

namespace ckpt_lease::live {
namespace {

constexpr const char* kLockPath = "/run/ckpt-lease.lock";

// flock(2) on a file, tried for a while. False if somebody else has it all the time.
bool lock_within(int fd, std::uint64_t patience) {
    constexpr timespec kPause{.tv_sec = 0, .tv_nsec = 5'000'000};
    const std::uint64_t start = monotonic_now();
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (monotonic_now() - start > patience) {
            return false;
        }
        nanosleep(&kPause, nullptr);
    }
    return true;
}

}  // namespace

RunLock::RunLock(bool wanted) {
    constexpr std::uint64_t kSecond = 1'000'000'000;
    // Who may not change the setting is in nobody's way.
    if (!wanted || access(kBreakTimePath, W_OK) < 0) {
        return;
    }
    file = OwnedFd(open(kLockPath, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (file.get() < 0) {
        io::fail(kLockPath, "create", -errno);
    }
    if (!lock_within(file.get(), 15 * kSecond)) {
        Problem problem;
        problem.file = kLockPath;
        problem.message = "another process has had it locked for 15 s";
        problem.hint = "leases are set by one ckpt-lease at a time: see whether one hangs";
        throw Error(Error::Kind::io, std::move(problem));
    }
    setting = OwnedFd(open(kBreakTimePath, O_RDONLY | O_CLOEXEC));
    static_cast<void>(lock_within(setting.get(), kSecond));
}

}  // namespace ckpt_lease::live
