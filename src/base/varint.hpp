// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>

namespace ckpt_lease {

/// Numbers in as few bytes as they need, seven bits in each (LEB128). Only for what this program
/// keeps in its own memory: nothing here looks for an end.

/// The most bytes that a number takes.
inline constexpr std::size_t kLongestVarint = 10;

/// Both return where the next number stands.
[[nodiscard]] inline std::byte* put_varint(std::byte* at, std::uint64_t value) noexcept {
    for (; value >= 0x80; value >>= 7U) {
        *at++ = static_cast<std::byte>(value | 0x80U);
    }
    *at++ = static_cast<std::byte>(value);
    return at;
}

[[nodiscard]] inline const std::byte* get_varint(const std::byte* at,
                                                 std::uint64_t& value) noexcept {
    value = 0;
    for (unsigned shift = 0;; shift += 7) {
        const auto byte = std::to_integer<std::uint64_t>(*at++);
        value |= (byte & 0x7fU) << shift;
        if (byte < 0x80) {
            return at;
        }
    }
}

/// Numbers near 0, negative ones too, become small ones.
[[nodiscard]] constexpr std::uint64_t to_zigzag(std::int64_t value) noexcept {
    return (static_cast<std::uint64_t>(value) << 1U) ^ static_cast<std::uint64_t>(value >> 63);
}
[[nodiscard]] constexpr std::int64_t from_zigzag(std::uint64_t value) noexcept {
    return static_cast<std::int64_t>((value >> 1U) ^ (~(value & 1U) + 1));
}

}  // namespace ckpt_lease
