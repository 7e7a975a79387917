// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <atomic>

#include "ckpt-lease/base/time.hpp"

namespace ckpt_lease::live {

/// Which of two processes has its turn with processes that were stopped: the one that sets their
/// leases, or the one that lets them go. It lies in memory that both share, and each of them takes
/// its turn in one step: so no lease is begun to be set once they are let go.
class StopHold {
 public:
    /// For who sets leases: the processes stay stopped until give_back(). False if they were let
    /// go, or are about to be. Who comes after one that was killed may take it once more.
    [[nodiscard]] bool take();
    /// False if they were let go since take().
    [[nodiscard]] bool give_back();

    /// For who lets them go: from now on nobody takes it. If somebody has it, this waits until it
    /// is given back, but for `longest` at most.
    void end(Nanoseconds longest);

    /// Nobody can take it any more.
    [[nodiscard]] bool is_over() const;

 private:
    enum class State : int {
        free,
        taken,
        ending,  ///< taken, and to be given back for the last time
        over,
    };
    static_assert(std::atomic<State>::is_always_lock_free, "processes share it");

    std::atomic<State> state_{State::free};
};

}  // namespace ckpt_lease::live
