// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/io/file.hpp"
#include "ckpt-lease/lease/lock.hpp"
#include "ckpt-lease/live/lease_trace.hpp"
#include "ckpt-lease/live/processes.hpp"

namespace ckpt_lease::live {

/// Finds out what a lease is and where its break stands, by the best means that the kernel has.
class Inspector {
 public:
    /// `ago`: when the processes were stopped.
    explicit Inspector(Nanoseconds ago) : ago_(ago) {}

    /// The lease that is held through `file`; `shown` is what fdinfo says of it.
    [[nodiscard]] LeaseState inspect(const io::File& file, const FdinfoLease& shown);

    /// Why a lease could not be looked into, if one could not.
    [[nodiscard]] const std::optional<Problem>& obstacle() const noexcept { return obstacle_; }

 private:
    [[nodiscard]] std::optional<LeaseState> ask_kernel(const io::File& file);
    [[nodiscard]] std::optional<LeaseState> ask_trace(const io::File& file,
                                                      const FdinfoLease& shown);
    void open_trace();

    [[nodiscard]] const std::vector<TracedLease>& trace_of(const io::File& file);

    Nanoseconds ago_;
    bool asks_kernel_ = true;
    std::unique_ptr<LeaseTrace> trace_;
    std::map<Inode, std::vector<TracedLease>> traced_;  // by file
    std::optional<Problem> obstacle_;
};

}  // namespace ckpt_lease::live
