// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <string>

#include "live/fd.hpp"
#include "live/set/run.hpp"

namespace ckpt_lease::live {

/// One run at a time changes lease-break-time. There is one setting for the machine: so beside the
/// lock in /run, which only root can take but is another where /run is, there is one on the user
/// namespace, which everybody has in common who may change the setting. But anybody may take that,
/// and so the locks of those who may not change the setting count for nothing.
///
/// It is taken by a worker and belongs to the run: it outlasts a worker that is killed.
class RunLock {
 public:
    /// Opens what is to be locked, unless this process may not change the setting anyway: then it
    /// is in nobody's way. Throws Error(io) if the file cannot be made.
    RunLock(bool wanted, const std::string& path);

    /// Takes it. Waits 5 s for others, and calls `wait` meanwhile; after one second `holder` says
    /// for whom. Whoever does not get done is passed over, and `holder` says that too.
    void take(LockHolder& holder, const std::function<void()>& wait) const;
    /// For all processes of the run, in whichever it was taken.
    void release() const;

    [[nodiscard]] Fd& file() noexcept { return file_; }
    [[nodiscard]] Fd& machine() noexcept { return machine_; }

 private:
    Fd file_;     // /run/ckpt-lease.lock
    Fd machine_;  // /proc/self/ns/user
};

inline constexpr const char* kRunLockPath = "/run/ckpt-lease.lock";

}  // namespace ckpt_lease::live
