// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "image.hpp"
#include "process.hpp"

/// User space makes struct lease_state of a record, and a record of it: as ckpt-lease does, but
/// written a second time, since ckpt-lease is what is tested.
namespace proof {

/// Who calls the commands that tell and set a lease: the holder, or we on a descriptor that
/// pidfd_getfd() gave us.
enum class Way { inside, outside };

/// What a record says of a lease, for the kernel: its holder knows the file as `fd`.
lease_state state_of(const Lock& lock, int fd, std::int64_t begin);

/// F_GETLEASE_STATE or F_SETLEASE_STATE on the holder's descriptor.
Reply call_state(Holder& holder, Way way, int command, const lease_state& state);
/// What F_GETLEASE_STATE tells.
lease_state get_state(Holder& holder, Way way = Way::inside);
/// What F_SETLEASE_STATE returns, or minus errno.
long set_state(Holder& holder, const lease_state& state, Way way = Way::inside);

/// Appends the records of the holder's lease to the image; returns how many locks, or minus errno.
long write_lease(Holder& holder, ImageWriter& image, Way way);

/// Sets the lease that a descriptor of an image has, if it has one; returns 0 or minus errno.
/// `begin`: from when on its deadline counts; 0: from now on.
long restore_lease(Holder& holder, const SavedDescriptor& saved, Way way, std::int64_t begin);

}  // namespace proof
