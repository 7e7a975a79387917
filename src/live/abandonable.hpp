// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace ckpt_lease::live {

/// A call that did not come to its end.
struct GivenUp {
    std::size_t call = 0;
    /// What became of its process, "was killed by SIGKILL" say; empty: it hung.
    std::string why;

    friend bool operator==(const GivenUp&, const GivenUp&) = default;
};

/// Calls `work` for each number below `count`, in order, in a child process: for what may hang, as
/// whatever touches a file of somebody else's file system may, in state D too. A call that takes
/// longer than 2 s is given up: its child is killed and not waited for, and another child goes on
/// behind it. So do calls for which `is_like` says that they would meet the same: it is asked with
/// their number and the one that hung. After the third that hangs, 0.2 s is the limit.
///
/// A child that ends later is a zombie until the next call.
///
/// A child that crashes, is killed or throws costs nothing but the call that it was at; but after
/// eight of them, all that is left is given up for the same.
///
/// `prepare` is called before each `work`, for what it needs and has nothing to do with the file:
/// on a busy machine that may take its time, and has 10 s.
///
/// The child that comes to the end is not waited for either: to close what it has open may take the
/// kernel longer than everything else.
///
/// What `work` finds out goes into a SharedArray. It is not to rely on being called in one process.
/// Returns what was given up, in order, but for those that are like one that hung. What had been
/// found out by then counts all the same. Throws Error(io) if there is no process to be had.
std::vector<GivenUp> run_in_child(
    std::size_t count, const std::function<void(std::size_t)>& work,
    const std::function<bool(std::size_t call, std::size_t hung)>& is_like,
    const std::function<void(std::size_t)>& prepare = {});

/// What became of a process that did not end as it should, by its status: "was killed by SIGKILL".
[[nodiscard]] std::string describe_end(int status);

/// Waits until `child`, a process of this one, has ended, but not longer than `milliseconds`: what
/// hangs in the kernel does not end. True and its status if it has.
[[nodiscard]] bool has_ended(int child, int milliseconds, int& status);

}  // namespace ckpt_lease::live
