// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <concepts>
#include <cstdint>
#include <span>

#include "ckpt-lease/base/bytes.hpp"

namespace ckpt_lease::linux_cr {

/// The fields of one record: bytes that are as many as its type takes at least.
class Fields {
 public:
    Fields(std::span<const std::byte> bytes, ByteOrder order) : bytes_(bytes), order_(order) {}

    template <std::integral Number = std::uint64_t>
    [[nodiscard]] Number get(const Field& field) const {
        return static_cast<Number>(load_signed(bytes_, field, order_));
    }

 private:
    std::span<const std::byte> bytes_;
    ByteOrder order_;
};

}  // namespace ckpt_lease::linux_cr
