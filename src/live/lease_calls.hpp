// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "base/inode.hpp"
#include "ckpt-lease/lease/lock.hpp"
#include "live/fd.hpp"

namespace ckpt_lease::live {

/// What the kernel is asked to do to the lease of one open file. All of these return 0 or an errno:
/// they are called where a lease is half set, and nothing may be thrown past that.

/// The lease that is held through an open file, as the kernel shows it.
struct LeaseNow {
    bool held = false;
    bool breaking = false;
    LockType type = LockType::unlck;  ///< being broken: what it is to become
    Inode inode;                      ///< as proc(5) names it, which may not be fstat(2)'s name
    bool is_delegation = false;       ///< of F_SETDELEG: it is there, and no lease
};
[[nodiscard]] LeaseNow lease_now(int fd);

[[nodiscard]] bool is_outermost_pid_namespace();
[[nodiscard]] int get_owner(int fd, LeaseOwner& owner);
/// Owner and signal. The kernel notes that the owner was set by the uids of this thread, whatever
/// `owner` says of them.
[[nodiscard]] int put_owner(int fd, const LeaseOwner& owner);
/// True if put_owner() has the uids noted that `owner` says.
[[nodiscard]] bool is_set_by_us(const LeaseOwner& owner);
/// Nobody is signalled. (Without an owner, F_SETLEASE makes the caller the owner.)
[[nodiscard]] int clear_owner(int fd);

/// F_SETLEASE on `fd`, called on descriptor `number`: that is the si_fd of the holder's signal.
/// Whatever this process has open there is closed. EAGAIN, which an opener that is about to go away
/// may cause, is tried again for a few milliseconds.
[[nodiscard]] int set_lease(int fd, int number, LockType type);
/// It may have been none, which `was_there` tells.
[[nodiscard]] int remove_lease(int fd, bool* was_there = nullptr);

/// Has the kernel end a break whose deadline is over; true if one goes on.
[[nodiscard]] bool look_at_deadline(int fd);

/// Opens the very file as a breaker, without waiting: deleted or not, and wherever it is mounted.
/// `file`: the open file, or what mount_writable() made of it. 0: a break has begun. ENOLCK: there
/// was no lease in the way.
[[nodiscard]] int begin_break(int file, LockType target);
/// 0 if begin_break() may open the file, as far as that can be said without doing it.
[[nodiscard]] int may_break(int file, LockType target);
/// For a file on a read-only mount: its breaker came by another, and so does this, by a mount of
/// its own that is nowhere in the tree. None and errno if that cannot be.
[[nodiscard]] Fd mount_writable(int fd);

/// Calls `call` with the same open file under `number`, the one that it has in the holder.
template <typename Call>
[[nodiscard]] int at_number(int fd, int number, Call call) {
    if (fd == number) {
        return call();
    }
    if (dup2(fd, number) < 0) {
        return errno;
    }
    const int result = call();
    close(number);
    return result;
}

/// Calls `call` again for a few milliseconds while it comes to EAGAIN: openers come and go, and a
/// look into the file must not cost the lease.
template <typename Call>
[[nodiscard]] int with_patience(Call call) {
    constexpr int kTries = 10;
    int error = call();
    for (int i = 1; error == EAGAIN && i < kTries; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        error = call();
    }
    return error;
}

}  // namespace ckpt_lease::live
