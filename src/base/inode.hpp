// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <tuple>

namespace ckpt_lease {

/// Which file it is, whatever it is called. fstat(2) and proc(5) do not always mean the same
/// device: on btrfs they differ.
struct Inode {
    dev_t device = 0;
    ino_t number = 0;

    friend bool operator==(const Inode&, const Inode&) = default;
    friend bool operator<(const Inode& a, const Inode& b) {
        return std::tie(a.device, a.number) < std::tie(b.device, b.number);
    }
};

}  // namespace ckpt_lease
