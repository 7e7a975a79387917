// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "live/fd.hpp"
#include "live/set/run.hpp"

namespace ckpt_lease::live {

/// How long a run waits for others.
struct LockPatience {
    std::chrono::milliseconds before_telling{1'000};
    std::chrono::milliseconds without_progress{5'000};  ///< for a holder that does not get on
    std::chrono::milliseconds in_all{30'000};
};

/// One run at a time changes lease-break-time. There is one setting for the machine: so beside the
/// lock in /run, which is another where /run is, there is one on the folder of tracefs, which is
/// one for the machine, too. Nobody can take either but root, who may change the setting anyway:
/// what others could lock would cost each run the time that it takes to be sure of that.
///
/// Whoever has it shows that it gets on by the times of what is locked. That can be seen from other
/// pid namespaces, where it cannot be seen who it is.
///
/// It is taken by a worker and belongs to the run: it outlasts a worker that is killed.
class RunLock {
 public:
    /// Opens what is to be locked, unless this process may not change the setting anyway: then it
    /// is in nobody's way. Throws Error(io) if the file cannot be made. Where there is no tracefs
    /// to be had, there is one lock only.
    RunLock(bool wanted, const std::string& path, const LockPatience& patience = {});

    /// Takes it. Waits for others, and calls `wait` meanwhile; `waits` says for whom, when it has
    /// been a while. Whoever does not get on is passed over, and `waits` says that too.
    void take(LockWaits& waits, const std::function<void()>& wait);
    /// While it is taken: shows others that this run gets on. To be called often.
    void show_progress();
    /// For all processes of the run, in whichever it was taken.
    void release();

    [[nodiscard]] Fd& file() noexcept { return file_.fd; }
    [[nodiscard]] Fd& machine() noexcept { return machine_.fd; }

 private:
    struct Part {
        Fd fd;
        bool is_taken = false;  // by this process
    };

    LockPatience patience_;
    Part file_;     // /run/ckpt-lease.lock
    Part machine_;  // the folder of tracefs
    SteadyTime shown_ = kNever;
};

inline constexpr const char* kRunLockPath = "/run/ckpt-lease.lock";

}  // namespace ckpt_lease::live
