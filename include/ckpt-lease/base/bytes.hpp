// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace ckpt_lease {

/// Byte order and bounds of everything that is read from or written to an image are dealt with
/// here, and nowhere else.
enum class ByteOrder : std::uint8_t { little, big };
/// This machine's: what its kernel writes.
inline constexpr ByteOrder kNativeOrder =
    std::endian::native == std::endian::little ? ByteOrder::little : ByteOrder::big;

[[nodiscard]] std::string_view to_string(ByteOrder order) noexcept;

/// Where an integer stands in a record, and how wide it is.
struct Field {
    std::string_view name;     ///< as the kernel's struct names it
    std::uint16_t offset = 0;  ///< bytes from the start of the record
    std::uint8_t width = 4;    ///< bytes: 1, 2, 4 or 8
    bool is_signed = false;

    [[nodiscard]] constexpr std::size_t end() const noexcept { return std::size_t{offset} + width; }
};

/// True if the whole of `field` lies within the first `length` bytes of a record.
[[nodiscard]] constexpr bool fits(const Field& field, std::size_t length) noexcept {
    return field.end() <= length;
}

/// Throws std::out_of_range: what load() does where a record ends too early.
[[noreturn]] void throw_past_end();
/// Throws std::logic_error: what load() does with a field of a width that no integer has.
[[noreturn]] void throw_no_width();

/// The number that stands at `at`, whatever its alignment.
template <std::unsigned_integral Number>
[[nodiscard]] Number load_number(const std::byte* at, ByteOrder order) noexcept {
    std::array<std::byte, sizeof(Number)> bytes{};
    std::memcpy(bytes.data(), at, bytes.size());
    if (order != kNativeOrder) {
        std::reverse(bytes.begin(), bytes.end());
    }
    return std::bit_cast<Number>(bytes);
}

/// The unsigned value of `field`. Throws std::out_of_range if `record` ends before the field does:
/// callers check the record's length first, this is the second line of defence. These are inline
/// because they are called for every record of an image, mostly with a field that is a constant.
[[nodiscard]] inline std::uint64_t load(std::span<const std::byte> record, const Field& field,
                                        ByteOrder order) {
    if (!fits(field, record.size())) {
        throw_past_end();
    }
    const std::byte* const at = record.data() + field.offset;
    switch (field.width) {
        case 1:
            return load_number<std::uint8_t>(at, order);
        case 2:
            return load_number<std::uint16_t>(at, order);
        case 4:
            return load_number<std::uint32_t>(at, order);
        case 8:
            return load_number<std::uint64_t>(at, order);
        default:
            throw_no_width();
    }
}

/// The value of `field`, sign-extended if the field is signed. Throws as load() does.
[[nodiscard]] inline std::int64_t load_signed(std::span<const std::byte> record, const Field& field,
                                              ByteOrder order) {
    const std::uint64_t value = load(record, field, order);
    if (!field.is_signed) {
        return static_cast<std::int64_t>(value);
    }
    const unsigned unused = 64U - field.width * 8U;
    return static_cast<std::int64_t>(value << unused) >> unused;
}

/// The 32-bit number that `record` begins with or has at `offset`; the fast path of the walk.
[[nodiscard]] inline std::uint32_t load_u32(std::span<const std::byte> record, std::size_t offset,
                                            ByteOrder order) {
    if (record.size() < 4 || offset > record.size() - 4) {
        throw_past_end();
    }
    return load_number<std::uint32_t>(record.data() + offset, order);
}

/// The bytes that `value` takes in an image; only the first `width` of them are meaningful.
[[nodiscard]] std::array<std::byte, 8> encode(std::uint64_t value, std::uint8_t width,
                                              ByteOrder order) noexcept;

/// The largest value that `field` can hold.
[[nodiscard]] std::uint64_t max_value(const Field& field) noexcept;

/// The bytes of `text`, and the text of `bytes`.
[[nodiscard]] std::span<const std::byte> as_bytes(std::string_view text) noexcept;
[[nodiscard]] std::string_view as_text(std::span<const std::byte> bytes) noexcept;

}  // namespace ckpt_lease
