// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <span>
#include <unordered_map>

#include "live/apply.hpp"
#include "live/fd.hpp"

namespace ckpt_lease::live {

/// The numbers of a worker's descriptors. A lease is set by a call on the number that its holder
/// has (that is the si_fd of the holder's signal). So a descriptor that is alone in wanting its
/// number gets it, and where several want one, it is kept free for all of them in turn.
class Numbers {
 public:
    Numbers(std::span<const WantedLease> leases, std::span<const std::size_t> places);

    /// Raises the limit of descriptors to what is needed, as far as that is allowed.
    void raise_limit();
    /// How many leases a worker may have open at once, whatever it raises its limit to.
    [[nodiscard]] static std::size_t most(std::span<const WantedLease> leases);
    /// False if a descriptor cannot have this number.
    [[nodiscard]] bool is_possible(int number) const { return number >= 0 && number < limit_; }

    /// Finds a number for the open file of a lease whose holder has `wanted`. None and errno if
    /// there is none.
    [[nodiscard]] Fd place(Fd fd, int wanted);
    /// Finds one for a descriptor of our own that stays: what gets its place later would close it.
    [[nodiscard]] Fd out_of_the_way(Fd fd);

 private:
    std::unordered_map<int, std::size_t> counts_;  // of who wants a number
    int largest_ = 0;
    int next_ = 3;  // below this, no number is free
    int limit_ = 0;
};

}  // namespace ckpt_lease::live
