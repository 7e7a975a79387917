// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <unistd.h>

#include <utility>

namespace ckpt_lease::live {

/// A descriptor that is closed in the end.
class OwnedFd {
 public:
    explicit OwnedFd(int fd) : fd_(fd) {}
    OwnedFd(const OwnedFd&) = delete;
    OwnedFd& operator=(const OwnedFd&) = delete;
    OwnedFd& operator=(OwnedFd&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~OwnedFd() { reset(); }

    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
    void reset() {
        if (fd_ >= 0) {
            close(std::exchange(fd_, -1));
        }
    }

 private:
    int fd_;
};

/// One run at a time; it lasts as long as any of its processes does. Only root can lock the file in
/// /run, which is another where /run is: the other file is the same wherever the setting can be
/// changed, but anybody may lock it, so that is waited for only so long.
struct RunLock {
    /// Does nothing unless `wanted`, or if this process may not change the setting anyway. Throws
    /// Error(io) if others do not get done.
    explicit RunLock(bool wanted);

    OwnedFd file{-1};     ///< /run/ckpt-lease.lock
    OwnedFd setting{-1};  ///< /proc/sys/fs/lease-break-time
};

}  // namespace ckpt_lease::live
