// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>

#include "ckpt-lease/base/inode.hpp"
#include "ckpt-lease/lease/lock.hpp"
#include "ckpt-lease/lease/owner.hpp"

namespace ckpt_lease::live {

/// What the kernel is asked to do to the lease of one open file. All of these return 0 or an errno:
/// they are called where a lease is half set, and nothing may be thrown past that.

/// The lease that is held through an open file, as the kernel shows it.
struct LeaseNow {
    bool held = false;
    bool breaking = false;
    LockType type = LockType::unlck;  ///< being broken: what it is to become
    Inode inode;                      ///< as proc(5) names it, which may not be fstat(2)'s name
};
[[nodiscard]] LeaseNow lease_now(int fd);
/// How many leases there are on an inode that lease_now() has named, through whatever open files.
[[nodiscard]] int count_leases(const Inode& inode);

[[nodiscard]] bool is_outermost_pid_namespace();
[[nodiscard]] int get_owner(int fd, LeaseOwner& owner);
/// Owner, signal and the uids of who set the owner: for them this process takes on these uids for
/// a moment, so it must have just one thread.
[[nodiscard]] int put_owner(int fd, const LeaseOwner& owner);
/// Nobody is signalled. (Without an owner, F_SETLEASE makes the caller the owner.)
[[nodiscard]] int clear_owner(int fd);

/// F_SETLEASE on `fd`, called on descriptor `number`: that is the si_fd of the holder's signal.
/// Whatever this process has open there is closed. EAGAIN, which an opener that is about to go away
/// may cause, is tried again for a few milliseconds.
[[nodiscard]] int set_lease(int fd, int number, LockType type);
[[nodiscard]] int remove_lease(int fd);

/// Has the kernel end a break whose deadline is over; true if one goes on.
[[nodiscard]] bool look_at_deadline(int fd);

/// Opens the very file as a breaker, without waiting: deleted or not, and wherever it is mounted.
/// `door`: the open file, or what open_door() made of it. 0: a break has begun. ENOLCK: there was
/// no lease in the way.
[[nodiscard]] int begin_break(int door, LockType target);
/// 0 if begin_break() may open the file, as far as that can be said without doing it.
[[nodiscard]] int may_break(int door, LockType target);
/// For a file on a read-only mount: its breaker came by another, and so does this, by a mount of
/// its own that is nowhere in the tree. -errno if that cannot be.
[[nodiscard]] int open_door(int fd);

/// True if the kernel has F_RESTORE_LOCKS.
[[nodiscard]] bool kernel_restores_leases();
/// F_RESTORE_LOCKS, called on descriptor `number` as set_lease() does. `begin` as in ApplyOptions,
/// but not 0.
[[nodiscard]] int restore_lease(int fd, int number, const LeaseState& state, std::uint64_t begin);
/// The records that restore_lease() hands over: FILE_LOCKS and a FILE_LOCK, layout lease-1.
[[nodiscard]] std::string records_of(const LeaseState& state);

/// CLOCK_MONOTONIC, in nanoseconds.
[[nodiscard]] std::uint64_t monotonic_now();

}  // namespace ckpt_lease::live
