// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <utility>

#include "ckpt-lease/lease/lock.hpp"
#include "live/fd.hpp"

namespace ckpt_lease::live {

struct WantedLease;

/// Sets owners as other users. The kernel notes the uids of who does it, and a process that has a
/// user's uid may be stopped and killed by that user's processes: so another process has them, for
/// a moment each, and whoever waits for it does so for a second only.
class OwnerSetter {
 public:
    /// `out_of_the_way` finds a number for a descriptor that stays.
    explicit OwnerSetter(std::function<Fd(Fd)> out_of_the_way)
        : out_of_the_way_(std::move(out_of_the_way)) {}
    OwnerSetter(const OwnerSetter&) = delete;
    OwnerSetter& operator=(const OwnerSetter&) = delete;
    ~OwnerSetter();

    /// Owner, signal and the uids of who set the owner. 0 or an errno; ETIMEDOUT: what was to do it
    /// was stopped or killed.
    [[nodiscard]] int put(int fd, const LeaseOwner& owner);

    /// Ends what sets owners; another put() begins it anew. To be called before _exit(2), too.
    void end();

 private:
    [[nodiscard]] int ask(int fd, const LeaseOwner& owner);
    [[nodiscard]] int start_and_ask(int fd, const LeaseOwner& owner);
    [[nodiscard]] int start();

    std::function<Fd(Fd)> out_of_the_way_;
    pid_t helper_ = -1;
    Fd socket_;
    int failures_ = 0;
};

/// What is wrong with the owner that is wanted for a lease; empty: nothing. An image is not
/// trusted: it can have no owner that its holder could not have set itself, unless `now`, the one
/// that there is, is the same.
[[nodiscard]] std::string fault_of_owner(const WantedLease& wanted, const LeaseOwner& now);

}  // namespace ckpt_lease::live
