// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/lease/lock.hpp"
#include "ckpt-lease/live/lease_trace.hpp"
#include "ckpt-lease/live/processes.hpp"

namespace ckpt_lease::live {

/// Finds out what a lease is and where its break stands, by the best means that the kernel has.
class Inspector {
 public:
    /// `frozen`: when the processes were stopped; what is left counts from then. None: from now on.
    explicit Inspector(std::optional<SteadyTime> frozen);

    /// To be called while no file of others is open: another process may be needed, and that must
    /// not inherit one.
    void get_ready(const FdinfoLease& shown);
    /// The lease that is held through `fd`; `shown` is what fdinfo says of it, `name` what errors
    /// call it.
    [[nodiscard]] LeaseState inspect(int fd, const std::string& name, const FdinfoLease& shown);

    /// Removes what was needed for looking.
    void close_trace() { trace_.reset(); }

    /// Why a lease could not be looked into, if one could not.
    [[nodiscard]] const std::optional<Problem>& obstacle() const noexcept { return obstacle_; }

 private:
    [[nodiscard]] std::optional<LeaseState> ask_kernel(int fd);
    [[nodiscard]] std::optional<LeaseState> ask_trace(int fd, const std::string& name,
                                                      const FdinfoLease& shown);
    void open_trace();
    [[nodiscard]] const std::vector<TracedLease>& trace_of(int fd, const Inode& inode);

    std::optional<SteadyTime> frozen_;
    bool asks_kernel_;
    std::unique_ptr<LeaseTrace> trace_;
    std::map<Inode, std::vector<TracedLease>> traced_;  // by file
    std::optional<Problem> obstacle_;
};

/// What fdinfo tells of a lease that nobody can look into. `flags`: F_GETFL of its open file, if
/// known: a read lease cannot be taken on a file that is open for writing.
[[nodiscard]] LeaseState state_as_shown(const FdinfoLease& shown, std::optional<int> flags);

}  // namespace ckpt_lease::live
