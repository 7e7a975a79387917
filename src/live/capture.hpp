// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <vector>

#include "base/inode.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "linux_cr/new_image.hpp"
#include "live/processes.hpp"
#include "live/steady_time.hpp"

namespace ckpt_lease::live {

struct CaptureOptions {
    /// When the processes were stopped: what is left is counted from then. None: of each lease from
    /// when it is looked at.
    std::optional<SteadyTime> frozen = {};
};

/// The leases of live processes.
struct Captured {
    linux_cr::NewImage image;
    std::vector<Inode> inodes;        ///< of the leased files, by FileId, as fstat(2) names them
    std::vector<Inode> shown_inodes;  ///< the same, as proc(5) names them
    std::vector<std::optional<std::int64_t>> mount_ids;  ///< the same
    std::vector<bool> are_writable;  ///< by FileId: whether the open file is open for writing
    /// What could not be found out, and why: one sentence each, with what would help. Each thing
    /// once, however many leases it is about.
    std::vector<Problem> unknown;
    /// Of each process that holds delegations (F_SETDELEG), that they are left alone: they are not
    /// leases, and are in no image.
    std::vector<Problem> left_alone;
};

/// Looks into the leases of `processes`, without changing any: on a kernel with the ckpt-lease
/// patch by F_GETLEASE_STATE, on others by the tracepoint filelock:time_out_leases. What is left of
/// a lease that neither can tell is Remaining::not_known(), and so it is where a file system does
/// not answer: after 2 s it is given up. A descriptor that is closed meanwhile is left out.
///
/// What touches the files is done by processes of its own, which are forked without exec(2): better
/// called while there are no other threads. Throws Error(io) if there is no memory or process to be
/// had.
[[nodiscard]] Captured capture(const std::vector<Process>& processes,
                               const CaptureOptions& options);

}  // namespace ckpt_lease::live
