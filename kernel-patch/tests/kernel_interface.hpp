// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <fcntl.h>

#include <cstdint>

// The patched <linux/fcntl.h> has these. The program is built with a distribution's, which also
// does not go together with <fcntl.h>.
#ifndef F_SETLEASE_STATE
#define F_GETLEASE_STATE (1024 + 17)
#define F_SETLEASE_STATE (1024 + 18)
#define LEASE_STATE_NOTIFIED 0x1
#define LEASE_STATE_ARMED 0x2
#define LEASE_STATE_NO_DEADLINE (~std::uint64_t{0})

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

// Those of Linux 7.x, which other kernels do not have.
#ifndef F_SETDELEG
#define F_GETDELEG (1024 + 15)
#define F_SETDELEG (1024 + 16)

struct delegation {
    std::uint32_t d_flags;
    std::uint16_t d_type;
    std::uint16_t pad;
};
#endif

namespace proof {

/// Whether the kernel has the two commands for struct lease_state.
bool has_lease_states();

static_assert(sizeof(lease_state) == 32 && sizeof(delegation) == 8);

}  // namespace proof
