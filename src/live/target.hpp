// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "linux_cr/image.hpp"
#include "live/apply.hpp"
#include "live/processes.hpp"

namespace ckpt_lease::live {

/// Which live process each lease of an image belongs to.
struct Targets {
    struct Place {
        std::uint64_t index = 0;  ///< of the lock in the image
        std::size_t wanted = 0;   ///< its place in `wanted`, if `missing` is empty
        std::string missing;      ///< why there is no live process for it; if there is none:
        WantedLease lost;         ///< what the image wants, with no pid
    };
    std::vector<WantedLease> wanted;
    std::vector<Place> places;  ///< of all leases of the image, in its order
};

/// The processes that have the pids of the tasks with leases in `image`, by name only. Those that
/// are not there are left out.
[[nodiscard]] std::vector<Process> read_holders(const linux_cr::Image& image);

/// Finds the tasks of `image` among `processes` by their pids in the container, and by their
/// command names where several have the same. If neither leads anywhere, a single task with leases
/// is matched with a single process, whatever its pid. `where` says where `processes` come from,
/// for what is `missing`: "in the tree of process 42".
[[nodiscard]] Targets find_targets(const linux_cr::Image& image,
                                   const std::vector<Process>& processes,
                                   std::string_view where = {});

}  // namespace ckpt_lease::live
