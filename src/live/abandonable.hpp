// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <functional>

namespace ckpt_lease::live {

/// Calls `work` for each number below `count`, in order, in a child process: for what may hang, as
/// whatever touches a file of somebody else's file system may, in state D too. A call that takes
/// longer than 2 s is given up: its child is killed and not waited for, and another child goes on
/// behind it. So do calls for which `is_like` says that they would meet the same: it is asked with
/// their number and the one that hung. After the third that hangs, 0.2 s is the limit.
///
/// A child that was given up and ends later is a zombie until this process ends.
///
/// `end` is called in the child that comes to the end.
///
/// What `work` finds out goes into a SharedArray. It may not throw, and is not to rely on being
/// called in one process.
void run_in_child(std::size_t count, const std::function<void(std::size_t)>& work,
                  const std::function<bool(std::size_t call, std::size_t hung)>& is_like,
                  const std::function<void()>& end);

/// Waits until `child`, a process of this one, has ended, but not longer than `milliseconds`: what
/// hangs in the kernel does not end. True and its status if it has.
[[nodiscard]] bool has_ended(int child, int milliseconds, int& status);

}  // namespace ckpt_lease::live
