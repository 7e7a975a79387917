// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ckpt-lease/base/time.hpp"
#include "ckpt-lease/lease/lock_list.hpp"
#include "ckpt-lease/lease/owner.hpp"
#include "ckpt-lease/linux_cr/new_image.hpp"
#include "ckpt-lease/live/breakers.hpp"
#include "ckpt-lease/live/processes.hpp"

namespace ckpt_lease::live {

struct CaptureOptions {
    /// How long ago the processes were stopped: what is left is counted from then.
    Nanoseconds ago{0};
};

/// The leases of live processes.
struct Captured {
    linux_cr::NewImage image;
    std::vector<Inode> inodes;  ///< of the leased files, by FileId
    /// What could not be found out, and why: one sentence each, with what would help.
    std::vector<Problem> unknown;
};

/// Looks into the leases of `processes`, without changing any: on a kernel with the ckpt-lease
/// patch by F_CHECKPOINT_LOCKS, on others by a LeaseTrace. What is left of a lease that neither can
/// tell is Remaining::not_known(). Throws Error(io) if processes may not be looked at.
[[nodiscard]] Captured capture(const std::vector<Process>& processes,
                               const CaptureOptions& options);

}  // namespace ckpt_lease::live
