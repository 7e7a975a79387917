// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "image.hpp"
#include "job.hpp"
#include "process.hpp"

/// Where the kernel has struct lease_state, user space makes it of records, and records of it: as
/// ckpt-lease does, but written a second time, since ckpt-lease is what is tested.
namespace proof {

/// What a record says of a lease, for the kernel: its holder knows the file as `fd`.
lease_state state_of(const Lock& lock, int fd, std::int64_t begin);

/// F_GETLEASE_STATE or F_SETLEASE_STATE on the holder's descriptor.
Reply call_state(Holder& holder, Way way, int command, const lease_state& state);

/// Appends the records of the holder's lease to the image; returns how many locks, or minus errno.
long write_state(Holder& holder, ImageWriter& image, Way way);

/// Sets the lease of which the records stand at `at` of the image; returns how many, or minus
/// errno.
long restore_state(Holder& holder, const std::string& image, off_t at, Way way, std::int64_t begin);

}  // namespace proof
