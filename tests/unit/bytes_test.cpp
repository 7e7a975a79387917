// SPDX-License-Identifier: GPL-2.0-or-later
// Integers in records: byte order, width, sign and bounds.
#include "ckpt-lease/base/bytes.hpp"

#include <gtest/gtest.h>

#include <array>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace ckpt_lease {
namespace {

using namespace std::string_literals;

const std::string kBytes = "\x01\x02\x03\x04\x05\x06\x07\x08\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8";

Field field(std::uint16_t offset, std::uint8_t width, bool is_signed = false) {
    return {"f", offset, width, is_signed};
}

struct Case {
    Field field;
    std::uint64_t little;
    std::uint64_t big;
};

constexpr std::array<std::uint8_t, 4> kWidths{1, 2, 4, 8};

const std::vector<Case> kCases{
    {field(0, 1), 0x01, 0x01},
    {field(0, 2), 0x0201, 0x0102},
    {field(0, 4), 0x04030201, 0x01020304},
    {field(0, 8), 0x0807060504030201, 0x0102030405060708},
    {field(8, 1), 0xf1, 0xf1},
    {field(8, 2), 0xf2f1, 0xf1f2},
    {field(8, 4), 0xf4f3f2f1, 0xf1f2f3f4},
    {field(8, 8), 0xf8f7f6f5f4f3f2f1, 0xf1f2f3f4f5f6f7f8},
    {field(7, 2), 0xf108, 0x08f1},
    {field(3, 4), 0x07060504, 0x04050607},
};

TEST(Bytes, OrdersHaveNames) {
    EXPECT_EQ(to_string(ByteOrder::little), "little");
    EXPECT_EQ(to_string(ByteOrder::big), "big");
}

TEST(Bytes, LoadReadsEveryWidthInBothOrdersAtAnyPlace) {
    for (const auto& [where, little, big] : kCases) {
        EXPECT_EQ(load(as_bytes(kBytes), where, ByteOrder::little), little);
        EXPECT_EQ(load(as_bytes(kBytes), where, ByteOrder::big), big);
    }
}

TEST(Bytes, LoadIgnoresTheSign) {
    EXPECT_EQ(load(as_bytes("\xff"), field(0, 1, true), ByteOrder::big), 0xffU);
}

TEST(Bytes, LoadSignedExtendsTheSignOfEveryWidth) {
    for (const std::uint8_t width : kWidths) {
        const std::string all_ones(width, '\xff');
        std::string least(width, '\0');
        least.front() = '\x80';
        const std::int64_t lowest =
            width == 8 ? INT64_MIN : -(std::int64_t{1} << (width * 8U - 1U));
        EXPECT_EQ(load_signed(as_bytes(all_ones), field(0, width, true), ByteOrder::big), -1);
        EXPECT_EQ(load_signed(as_bytes(all_ones), field(0, width, true), ByteOrder::little), -1);
        EXPECT_EQ(load_signed(as_bytes(least), field(0, width, true), ByteOrder::big), lowest);
        const std::string reversed(least.rbegin(), least.rend());
        EXPECT_EQ(load_signed(as_bytes(reversed), field(0, width, true), ByteOrder::little),
                  lowest);
    }
}

TEST(Bytes, LoadSignedKeepsUnsignedAndPositiveValues) {
    EXPECT_EQ(load_signed(as_bytes("\xff\xff\xff\xff"), field(0, 4), ByteOrder::big), 4294967295);
    EXPECT_EQ(load_signed(as_bytes("\x7f\xff"), field(0, 2, true), ByteOrder::big), 32767);
}

TEST(Bytes, NothingIsReadPastTheEnd) {
    const auto bytes = as_bytes(kBytes);
    for (const std::uint8_t width : kWidths) {
        for (const bool is_signed : {false, true}) {
            const Field last = field(static_cast<std::uint16_t>(16 - width), width, is_signed);
            const Field past = field(static_cast<std::uint16_t>(17 - width), width, is_signed);
            EXPECT_NO_THROW(static_cast<void>(load(bytes, last, ByteOrder::big)));
            EXPECT_NO_THROW(static_cast<void>(load_signed(bytes, last, ByteOrder::big)));
            EXPECT_THROW(static_cast<void>(load(bytes, past, ByteOrder::big)), std::out_of_range);
            EXPECT_THROW(static_cast<void>(load_signed(bytes, past, ByteOrder::big)),
                         std::out_of_range);
        }
    }
    EXPECT_THROW(static_cast<void>(load({}, field(0, 1), ByteOrder::little)), std::out_of_range);
    EXPECT_THROW(static_cast<void>(load(bytes, field(65535, 8), ByteOrder::big)),
                 std::out_of_range);
}

TEST(Bytes, LoadU32ReadsBothOrdersAtAnyPlace) {
    EXPECT_EQ(load_u32(as_bytes(kBytes), 0, ByteOrder::little), 0x04030201U);
    EXPECT_EQ(load_u32(as_bytes(kBytes), 0, ByteOrder::big), 0x01020304U);
    EXPECT_EQ(load_u32(as_bytes(kBytes), 7, ByteOrder::little), 0xf3f2f108U);
    EXPECT_EQ(load_u32(as_bytes(kBytes), 12, ByteOrder::big), 0xf5f6f7f8U);
}

TEST(Bytes, LoadU32ReadsNothingPastTheEnd) {
    for (const std::size_t offset : {std::size_t{13}, std::size_t{16}, SIZE_MAX, SIZE_MAX - 3}) {
        EXPECT_THROW(static_cast<void>(load_u32(as_bytes(kBytes), offset, ByteOrder::little)),
                     std::out_of_range)
            << offset;
    }
    EXPECT_THROW(static_cast<void>(load_u32(as_bytes("abc"), 0, ByteOrder::little)),
                 std::out_of_range);
}

TEST(Bytes, EncodeIsTheReverseOfLoad) {
    for (const auto& [where, little, big] : kCases) {
        const auto expected = std::string_view(kBytes).substr(where.offset, where.width);
        for (const auto& [value, order] :
             {std::pair(little, ByteOrder::little), std::pair(big, ByteOrder::big)}) {
            const auto bytes = encode(value, where.width, order);
            EXPECT_EQ(as_text(std::span(bytes).first(where.width)), expected);
        }
    }
}

TEST(Bytes, EncodeDropsWhatDoesNotFit) {
    const auto bytes = encode(0x123456, 2, ByteOrder::big);
    EXPECT_EQ(as_text(bytes), "\x34\x56\0\0\0\0\0\0"s);
}

TEST(Bytes, MaxValueOfEveryWidth) {
    EXPECT_EQ(max_value(field(0, 1)), 255U);
    EXPECT_EQ(max_value(field(0, 2)), 65535U);
    EXPECT_EQ(max_value(field(0, 4)), 4294967295U);
    EXPECT_EQ(max_value(field(0, 8)), 18446744073709551615U);
    EXPECT_EQ(max_value(field(0, 1, true)), 127U);
    EXPECT_EQ(max_value(field(0, 2, true)), 32767U);
    EXPECT_EQ(max_value(field(0, 4, true)), 2147483647U);
    EXPECT_EQ(max_value(field(0, 8, true)), 9223372036854775807U);
}

TEST(Bytes, AFieldFitsIfItsLastByteDoes) {
    EXPECT_EQ(field(36, 4).end(), 40U);
    EXPECT_TRUE(fits(field(36, 4), 40));
    EXPECT_FALSE(fits(field(36, 4), 39));
    EXPECT_FALSE(fits(field(0, 1), 0));
    EXPECT_EQ(field(65535, 8).end(), 65543U) << "no 16-bit overflow";
    EXPECT_FALSE(fits(field(65535, 8), 65542));
}

TEST(Bytes, TextAndBytesAreTheSameMemory) {
    const std::string text = "a\0\xff"s;
    EXPECT_EQ(as_bytes(text).size(), 3U);
    EXPECT_EQ(as_bytes(text)[2], std::byte{0xff});
    EXPECT_EQ(as_text(as_bytes(text)), text);
}

}  // namespace
}  // namespace ckpt_lease
