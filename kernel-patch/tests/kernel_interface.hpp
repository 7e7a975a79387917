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

// Linux 7.3 has these instead.
#ifndef F_SETLEASE_STATE
#define F_GETLEASE_STATE (1024 + 17)
#define F_SETLEASE_STATE (1024 + 18)
#define LEASE_STATE_NOTIFIED 0x1
#define LEASE_STATE_ARMED 0x2

struct lease_state {
    std::uint64_t remaining_ns;
    std::uint64_t begin_ns;
    std::uint16_t type;
    std::uint16_t target;
    std::uint32_t flags;
    std::int32_t fd;
    std::uint32_t pad;
};
#endif

namespace proof {

/// What the kernel has: struct lease_state, or commands that write and read records.
enum class Interface { none, states, records };
Interface interface();

using LockList = ckpt_hdr_file_locks;
using Lock = ckpt_hdr_file_lock;

static_assert(sizeof(LockList) == 16 && sizeof(Lock) == 40 && sizeof(lease_state) == 32);

}  // namespace proof
