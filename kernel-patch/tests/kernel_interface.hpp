// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <fcntl.h>
#include <linux/checkpoint_hdr.h>

#include <cstdint>

// The patched <linux/fcntl.h> has these. The program is built with a distribution's, which also
// does not go together with <fcntl.h>.
#ifndef F_RESTORE_LOCKS
#define F_CHECKPOINT_LOCKS (1024 + 64)
#define F_RESTORE_LOCKS (1024 + 65)

struct file_locks_ckpt {
    std::int32_t image_fd;
    std::uint32_t flags;
    std::uint64_t begin_ns;
};
#endif

namespace proof {

using LockList = ckpt_hdr_file_locks;
using Lock = ckpt_hdr_file_lock;

static_assert(sizeof(LockList) == 16 && sizeof(Lock) == 40);

}  // namespace proof
