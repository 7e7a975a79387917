// SPDX-License-Identifier: GPL-2.0-or-later
#include "ckpt-lease/base/bytes.hpp"

#include <bit>
#include <cstring>
#include <stdexcept>

namespace ckpt_lease {
namespace {

constexpr bool is_native(ByteOrder order) {
    return (order == ByteOrder::little) == (std::endian::native == std::endian::little);
}

}  // namespace

std::string_view to_string(ByteOrder order) noexcept {
    return order == ByteOrder::little ? "little" : "big";
}

std::uint64_t load(std::span<const std::byte> record, const Field& field, ByteOrder order) {
    if (!fits(field, record.size())) {
        throw std::out_of_range("a field was read past the end of its record");
    }
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < field.width; ++i) {
        const std::size_t at = order == ByteOrder::big ? i : field.width - 1U - i;
        value = value << 8U | std::to_integer<std::uint64_t>(record[field.offset + at]);
    }
    return value;
}

std::int64_t load_signed(std::span<const std::byte> record, const Field& field, ByteOrder order) {
    const std::uint64_t value = load(record, field, order);
    if (!field.is_signed || field.width == 0 || field.width >= 8) {
        return static_cast<std::int64_t>(value);
    }
    const std::uint64_t sign = std::uint64_t{1} << (field.width * 8U - 1U);
    return static_cast<std::int64_t>((value ^ sign) - sign);
}

std::uint32_t load_u32(std::span<const std::byte> record, std::size_t offset, ByteOrder order) {
    std::uint32_t value = 0;
    if (record.size() < sizeof value || offset > record.size() - sizeof value) {
        throw std::out_of_range("a number was read past the end of its record");
    }
    std::memcpy(&value, record.data() + offset, sizeof value);
    return is_native(order) ? value : __builtin_bswap32(value);
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
