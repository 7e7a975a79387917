// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/inode.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/lease/lock_list.hpp"
#include "criu/by_descriptor.hpp"
#include "criu/checkpoint.hpp"
#include "criu/file_locks.hpp"

namespace ckpt_lease::criu {

/// An open file that a captured lease is held through.
struct LeasedFile {
    Inode inode;
    bool is_writable = false;  ///< it is open for writing
};

/// What CRIU is to make of its own entries, where the leases of its tasks were captured too. It
/// would break those anew that were being broken, for the whole lease-break-time, and their holders
/// would be signalled once more. It is to restore them as if nobody had come yet: whoever breaks
/// them is restored too, or their deadlines are set before.
class CapturedLeases {
 public:
    /// `pids`: all tasks that were looked at, by their pids in the container. `files`: by FileId.
    CapturedLeases(std::set<std::int32_t> pids, const LockList& leases,
                   const std::vector<LeasedFile>& files);

    /// What becomes of an entry. `details`: those of it; asked for only where they matter.
    ///
    /// A lease that a break has downgraded to F_RDLCK, on a file that is open for writing, is
    /// parked: fcntl(2) refuses such a lease with EAGAIN, and CRIU's restore fails with it. If it
    /// is being broken once more, CRIU makes a write lease of it first, which ends the same way,
    /// but which fcntl(2) refuses too if others have the file open. Whether others have is told by
    /// the path: where it is of another file in another mount namespace, an entry is parked that
    /// need not be, which costs nothing; one that is not parked and has to be costs the restore.
    [[nodiscard]] FileLockEdit decide(const FileLockEntry& entry,
                                      const std::function<LockDetails()>& details) const;

 private:
    struct Lease {
        LeaseState state;
        LeasedFile file;
    };
    std::set<std::int32_t> pids_;
    ByDescriptor<Lease> leases_;
    std::set<Inode> unsettled_;  // with a break of which too little is known
};

/// Tells one dump from another, by what CRIU writes anew at each and crit(1) keeps when images are
/// decoded, changed and encoded. That is, whatever comes first: both clocks of timens-0.img (since
/// CRIU 3.14), the id of CRIU's run in inventory.img (since 4.2), the time in it (with
/// --track-mem); the upper 32 bits say which, and the lower ones are a hash. Where there is none of
/// them it is a hash of inventory.img's bytes, as it was always in the first images. Never 0.
/// Throws Error(io), and Error(damaged) as CheckpointFiles::read() does.
[[nodiscard]] std::uint64_t checkpoint_id(CheckpointFiles& files);

/// Finds out whether `captured` was captured with the checkpoint: `id` is what checkpoint_id() was
/// then, or 0 if the image does not say, which is taken for yes. Where the ids cannot tell because
/// what they were made from is not there any more, each captured lease must have its entry in
/// filelocks.img: the process and the descriptor. Throws Error(refused) if it was not, Error(io),
/// and Error(damaged) if those images cannot be read.
void check_captured_with(CheckpointFiles& files, std::uint64_t id, const LockList& captured);

/// Tells `problems` how the leases of the image `file`, which were captured with a checkpoint,
/// differ from what the checkpoint says: a lease that has no entry in filelocks.img, an entry whose
/// lease was left to the image and is not there, and a file that has another path, which is only a
/// warning.
void compare_captured(CheckpointFiles& files, const Checkpoint& checkpoint, const std::string& file,
                      const LockList& captured, const ProblemSink& problems);

}  // namespace ckpt_lease::criu
