// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "ckpt-lease/linux_cr/layout.hpp"
#include "fuzz/support.hpp"

namespace fuzz {

/// Takes numbers off the front of an input; zeros when it is used up.
class Numbers {
 public:
    explicit Numbers(Bytes bytes) : bytes_(bytes) {}

    std::uint64_t take(std::size_t width);
    [[nodiscard]] Bytes rest() const noexcept { return bytes_; }

 private:
    Bytes bytes_;
};

/// A FILE_LOCK of any bytes under any layout: what is read can be written back, and what is written
/// is read again. `numbers` choose what is written.
void check_lock_record(const ckpt_lease::linux_cr::Layout& layout, ckpt_lease::ByteOrder order,
                       Bytes record, Numbers& numbers);

/// A time that records of this layout can hold, of those that matter or any.
[[nodiscard]] ckpt_lease::Remaining some_remaining(const ckpt_lease::RecordLimits& limits,
                                                   Numbers& numbers);

}  // namespace fuzz
