// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

namespace ckpt_lease {

/// Who is signalled when a lease is broken, and how: fcntl(2), F_GETOWN_EX, F_GETOWNER_UIDS and
/// F_GETSIG of a descriptor.
struct LeaseOwner {
    /// The values of F_OWNER_TID, F_OWNER_PID and F_OWNER_PGRP.
    enum class Kind : std::uint8_t { thread = 0, process = 1, group = 2 };

    Kind kind = Kind::process;
    std::int32_t id = 0;      ///< of the thread, process or group; 0: nobody is signalled
    std::uint32_t uid = 0;    ///< of who set the owner
    std::uint32_t euid = 0;   ///< the same, effective
    std::int32_t signal = 0;  ///< 0: SIGIO, without siginfo

    friend bool operator==(const LeaseOwner&, const LeaseOwner&) = default;
};

}  // namespace ckpt_lease
