// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/lease/lock.hpp"
#include "live/look/lease_trace.hpp"
#include "live/processes.hpp"

namespace ckpt_lease::live {

/// Finds out what a lease is and where its break stands, by the best means that the kernel has.
class Inspector {
 public:
    /// `frozen`: when the processes were stopped; what is left counts from then. None: from now on.
    /// `most`: leases that one file may have.
    Inspector(std::optional<SteadyTime> frozen, std::size_t most);

    /// Takes the kernel's time, and not that of a file system.
    void get_ready(const FdinfoLease& shown);
    /// The lease that is held through `fd`; `shown` is what fdinfo says of it, `name` what errors
    /// call it.
    [[nodiscard]] LeaseState inspect(int fd, const std::string& name, const FdinfoLease& shown);

    /// Why a lease could not be looked into, if one could not.
    [[nodiscard]] const std::optional<Problem>& obstacle() const noexcept { return obstacle_; }

 private:
    /// Of all leases on a file, each that there is, once; nothing if there are too many.
    using States = std::optional<std::vector<LeaseState>>;

    [[nodiscard]] std::optional<LeaseState> ask_kernel(int fd);
    [[nodiscard]] std::optional<LeaseState> ask_trace(int fd, const std::string& name,
                                                      const FdinfoLease& shown);
    void open_trace();
    [[nodiscard]] const States& trace_of(int fd, const Inode& inode);

    std::optional<SteadyTime> frozen_;
    std::size_t most_;
    bool asks_kernel_;
    std::unique_ptr<LeaseTrace> trace_;
    std::map<Inode, States> traced_;  // by file
    std::optional<Problem> obstacle_;
};

/// True if the time is over now, and may not have been when the processes were stopped: the trace
/// may tell how much was left then. It knows no break that waits for its breaker to come back, and
/// is not there in a container: then what the kernel tells is all there is.
[[nodiscard]] bool is_over_since(const LeaseState& state, const std::optional<SteadyTime>& frozen);

/// What fdinfo tells of a lease that nobody can look into. `flags`: F_GETFL of its open file, if
/// known: a read lease cannot be taken on a file that is open for writing.
[[nodiscard]] LeaseState state_as_shown(const FdinfoLease& shown, std::optional<int> flags);

}  // namespace ckpt_lease::live
