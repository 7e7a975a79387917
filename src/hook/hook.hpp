// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/lease/lock_list.hpp"
#include "io/folder.hpp"
#include "live/steady_time.hpp"

/// What CRIU's action script does to keep the leases of the tasks that CRIU dumps and restores.
/// criu(8), "--action-script", says when CRIU starts it and with which variables.
namespace ckpt_lease::hook {

/// How long is waited in CRIU's folder for others, in all: the tasks are stopped, and more wait for
/// them. It is for io::Folder::open().
inline constexpr std::chrono::milliseconds kPatience{5000};

/// The stages at which there is something to do.
enum class Stage : std::uint8_t {
    /// The tasks are stopped, and all their images are written. Their leases are captured into
    /// ckpt-lease.img, and CRIU's filelocks.img is changed: CRIU is then not to break those leases
    /// again, nor to signal their holders. Whatever was captured with this very dump stays: CRIU's
    /// plugin and its action script, or two of these, may both be there.
    post_dump,
    /// The tasks are restored, and CRIU can still fail. Finds out what would stop pre_resume from
    /// setting all leases, and changes nothing.
    post_restore,
    /// The tasks are restored and do not run yet; CRIU goes on whatever becomes of this stage. The
    /// leases are set as ckpt-lease.img says. A break that cannot be set becomes an ordinary one.
    pre_resume,
};

/// One thing that a stage has to say while it works.
struct Message {
    enum class Level : std::uint8_t {
        info,     ///< what was done
        warning,  ///< something is not known, or is not as it was, and no lease is lost by it
        error,    ///< a lease is lost or not set, or more than that
    };
    Level level = Level::info;
    Problem problem;          ///< where it is about no file, only `message` is set
    bool ends_stage = false;  ///< the stage could not be carried out because of this
};

/// What CRIU tells its action script, and who is told what it does.
struct Call {
    std::shared_ptr<const io::Folder> folder;  ///< CRTOOLS_IMAGE_DIR: see kPatience
    pid_t criu = 0;                            ///< CRIU's own
    pid_t root = 0;  ///< CRTOOLS_INIT_PID: of the tree, as this process sees it
    std::optional<live::SteadyTime> frozen;  ///< when the tasks were stopped, if that is known
    bool strict = false;    ///< there is to be a ckpt-lease.img: a restore without it is a failure
    bool any_path = false;  ///< a restored descriptor may lead to another path than in the image
    /// Neither may throw; one that is empty is not called. `show` is told of each lease that was
    /// captured, or that is about to be set.
    std::function<void(const Message&)> tell;
    std::function<void(const LockList& locks, const Lock& lock)> show;
};

enum class Result : std::uint8_t {
    done,
    partly,  ///< a lease could not be looked into, or not be set; `tell` was told which
    failed,  ///< `tell` was told why, as by give_up()
};

/// Carries out a stage. Throws nothing but std::bad_alloc.
[[nodiscard]] Result run(Stage stage, const Call& call);

/// For a caller that cannot carry out a stage, or whose run() was killed: tells why, and does at
/// pre_resume what must not be left undone. That is to begin an ordinary break of every lease that
/// the dump has taken out of CRIU's hands: their holders were signalled before the dump, and would
/// keep them for ever. It needs CRIU's filelocks.img only. Throws nothing but std::bad_alloc.
void give_up(Stage stage, const Call& call, const Problem& why);

}  // namespace ckpt_lease::hook
