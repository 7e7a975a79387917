// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <spdlog/logger.h>
#include <sys/types.h>

#include <chrono>
#include <memory>

#include "ckpt-lease/io/folder.hpp"

namespace ckpt_lease::cli {

/// How long the hook waits for others, in all: the tasks are stopped, and more wait for them.
inline constexpr std::chrono::milliseconds kHookPatience{5000};

/// What criu tells its action script, and where the script writes what it does.
struct CriuStage {
    spdlog::logger* log = nullptr;
    std::shared_ptr<const io::Folder> folder;  ///< CRTOOLS_IMAGE_DIR
    pid_t criu = 0;                            ///< CRIU's own
    pid_t root = 0;       ///< CRTOOLS_INIT_PID: of the tree, as this process sees it
    bool strict = false;  ///< a lease that is not kept is a failure
};

/// The tasks are stopped, and all their images are written: captures their leases into
/// ckpt-lease.img, and has CRIU neither break those leases again nor signal their holders. Returns
/// whether everything could be found out. Throws Error.
[[nodiscard]] bool post_dump(const CriuStage& stage);

/// The tasks are restored, and CRIU can still fail: says what would stop pre_resume() from setting
/// all leases. Returns whether nothing would. Throws Error.
[[nodiscard]] bool post_restore(const CriuStage& stage);

/// The tasks are restored and do not run yet: sets their leases as ckpt-lease.img says. Returns
/// whether all are set. Throws Error.
[[nodiscard]] bool pre_resume(const CriuStage& stage);

}  // namespace ckpt_lease::cli
