// SPDX-License-Identifier: GPL-2.0-or-later
#include "ckpt-lease/base/bytes.hpp"

#include <stdexcept>

namespace ckpt_lease {

std::string_view to_string(ByteOrder order) noexcept {
    return order == ByteOrder::little ? "little" : "big";
}

void throw_past_end() {
    throw std::out_of_range("a field was read past the end of its record");
}

void throw_no_width() {
    throw std::logic_error("a field is 1, 2, 4 or 8 bytes wide");
}

std::array<std::byte, 8> encode(std::uint64_t value, std::uint8_t width, ByteOrder order) noexcept {
    std::array<std::byte, 8> bytes{};
    for (std::size_t i = 0; i < width && i < bytes.size(); ++i) {
        const std::size_t at = order == ByteOrder::little ? i : width - 1U - i;
        bytes.at(at) = static_cast<std::byte>(value >> (8U * i));
    }
    return bytes;
}

std::uint64_t max_value(const Field& field) noexcept {
    const unsigned bits = field.width * 8U - (field.is_signed ? 1U : 0U);
    return bits >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1U;
}

std::span<const std::byte> as_bytes(std::string_view text) noexcept {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

std::string_view as_text(std::span<const std::byte> bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace ckpt_lease
