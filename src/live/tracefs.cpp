// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/tracefs.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/vfs.h>

namespace ckpt_lease::live {

Fd open_tracefs() {
    // To mount it once more where it is mounted would change its options.
    constexpr long kTracefs = 0x74726163;  // TRACEFS_MAGIC of linux/magic.h
    for (const char* const path : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}) {
        struct statfs system {};
        if (statfs(path, &system) == 0 && system.f_type == kTracefs) {
            return Fd(open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
        }
    }
    const Fd context(fsopen("tracefs", FSOPEN_CLOEXEC));
    if (!context || fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) < 0) {
        return {};
    }
    return Fd(fsmount(context.get(), FSMOUNT_CLOEXEC, 0));
}

}  // namespace ckpt_lease::live
