// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "live/set/worker.hpp"

namespace ckpt_lease::live {

/// Longest that a worker may be at one lease: a file system that takes longer is given up.
inline constexpr Nanoseconds kLongestSilence = std::chrono::seconds(3);

/// Has workers do all there is to do, and watches over them: if one is killed, it puts back what
/// that left, and has another go on; if one does not go on, stopped or in the kernel, it is killed
/// and not waited for. It touches no file itself, so that it cannot hang.
class Watch {
 public:
    explicit Watch(const Order& order) : order_(order), shared_(order.shared) {}

    void run();

 private:
    enum class End : int { done, failed, hung };

    [[nodiscard]] std::vector<std::vector<std::size_t>> portions() const;
    void run_portion(std::span<const std::size_t> places);
    [[nodiscard]] End have_done(std::span<const std::size_t> places, Duty duty,
                                std::string_view why);
    [[nodiscard]] End wait_for(int worker);
    void note_silence(std::size_t place);

    const Order& order_;
    SharedRun& shared_;
    std::string failure_ = setter_that("did not say what became of it");  // of the last worker
};

/// Decides about all leases at `places` that nothing is decided about, without touching them.
void decide_rest(SharedRun& shared, std::span<const WantedLease> wanted,
                 std::span<const std::size_t> places, std::string_view why);

[[nodiscard]] bool is_decided(const SharedRun& shared, std::size_t place);

}  // namespace ckpt_lease::live
