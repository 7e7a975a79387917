// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ckpt-lease/lease/lock.hpp"
#include "ckpt-lease/lease/lock_list.hpp"
#include "ckpt-lease/linux_cr/layout.hpp"
#include "linux_cr/image.hpp"

namespace ckpt_lease::linux_cr {

/// A task of an image that is to be made.
struct NewTask {
    /// Its pids, the one in the container first, that of the outermost namespace last; at least
    /// one.
    std::vector<std::int32_t> pids;
    std::int32_t parent = 0;  ///< the places of these tasks in the image, from 0; -1: none of them
    std::int32_t leader = 0;  ///< of its threads
    std::string comm;         ///< bytes
    TableId table{};          ///< its descriptors
};

/// What an image without memory holds.
struct NewImage {
    /// Time, the names of the kernel, and the checkpoint's id; the rest is ours to say.
    ImageFacts facts;
    std::vector<NewTask> tasks;  ///< the root first
    /// Locks in the order of their tables, those of a table in the order of their descriptors; its
    /// ownership has their files and paths.
    LockList locks;
    /// Who is signalled when they are broken, by their indexes; fewer where it is not known.
    std::vector<LeaseOwner> owners;
};

/// The bytes of a whole image, HEADER to TAIL, in the byte order of this machine: what
/// read_image() reads again. For leases of processes that are checkpointed by other means.
[[nodiscard]] std::string make_image(const NewImage& image, const Layout& layout);

}  // namespace ckpt_lease::linux_cr
