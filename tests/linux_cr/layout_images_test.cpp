// SPDX-License-Identifier: GPL-2.0-or-later
// Images of kernels that placed the fields of FILE_LOCK otherwise, read with a layout of their own.
#include <gtest/gtest.h>

#include "linux_cr/support.hpp"

namespace ckpt_lease::linux_cr {
namespace {

using namespace std::chrono_literals;
using test_support::breaking;
using test_support::ImageBuilder;
using test_support::Payload;
using test_support::small_image;
using Texts = std::vector<std::string>;

// Whole seconds in 8 bytes, other numbers, places and widths, an odd length, no value for "no
// deadline".
constexpr std::string_view kSecondsOnly = R"({
  "name": "seconds-only",
  "file_lock": {
    "type": 321, "length": 45,
    "fields": {
      "fl_type": { "offset": 8, "type": "u32" },
      "fl_flags": { "offset": 12, "type": "u16" },
      "fl_type_prev": { "offset": 14, "type": "u16" },
      "fl_break_notified": { "offset": 16, "type": "u32" },
      "fl_rem_lease": { "offset": 20, "type": "s64" },
      "fl_end": { "offset": 28, "type": "s64" },
      "fl_start": { "offset": 36, "type": "s64" }
    },
    "padding": [{ "offset": 44, "type": "u8" }],
    "no_deadline": null
  },
  "list_end": {
    "file_locks": { "type": 320, "length": 24, "nr_locks": { "offset": 22, "type": "u16" } }
  }
})";

// v3: no counts; a lock with these values ends a list. `TYPE` is that of FILE_LOCK.
constexpr std::string_view kMarked = R"({
  "name": "v3",
  "file_lock": {
    "type": TYPE, "length": 36,
    "fields": {
      "fl_start": { "offset": 8, "type": "s64" },
      "fl_end": { "offset": 16, "type": "s64" },
      "fl_rem_lease": { "offset": 24, "type": "u32" },
      "fl_flags": { "offset": 28, "type": "s32" },
      "fl_type": { "offset": 32, "type": "u8" },
      "fl_type_prev": { "offset": 33, "type": "u8" },
      "fl_break_notified": { "offset": 34, "type": "u8" }
    }
  },
  "list_end": { "marker": { "fl_flags": -1, "fl_type": 2 } }
})";

Layout marked(const std::string& type) {
    std::string json(kMarked);
    json.replace(json.find("TYPE"), 4, type);
    return parse_layout("v3.json", json);
}

Payload seconds_only_lock(const ImageBuilder& image, std::int64_t seconds) {
    return image.payload().u32(18).u16(32).u16(1).u32(1).s64(seconds).s64(INT64_MAX).s64(0).u8(0);
}

Payload marked_lock(const ImageBuilder& image, std::uint32_t seconds, std::int32_t flags,
                    std::uint8_t type) {
    return image.payload().s64(0).s64(9).u32(seconds).s32(flags).u8(type).u8(1).u8(0).u8(0);
}

ImageBuilder begin(ByteOrder order) {
    ImageBuilder image(order);
    image.header().tree({7}).task("t").table(1, 2).open_file(2, "/f").open_file(3, "/g").file_desc(
        2, 3);
    return image;
}

ImageBuilder seconds_only_image(ByteOrder order) {
    ImageBuilder image = begin(order);
    image.record(320, image.payload().zeros(14).u16(1))
        .record(321, seconds_only_lock(image, 0x100000000))
        .file_desc(3, 4)
        .record(320, image.payload().zeros(14).u16(0))
        .task_objs(1)
        .tail();
    return image;
}

TEST(SecondsOnly, AnImageIsRead) {
    const Layout layout = parse_layout("s.json", kSecondsOnly);
    for (const ByteOrder order : kBothOrders) {
        const Image image = read_bytes(seconds_only_image(order).bytes(), layout);
        EXPECT_FALSE(image.damage.has_value()) << to_string(*image.damage);
        ASSERT_EQ(image.locks.size(), 1U);
        const Lock lock = image.locks.at(0);
        EXPECT_EQ(lock.kind, LockKind::lease);
        EXPECT_EQ(lock.fd, 3);
        EXPECT_EQ(image.locks.path(lock), "/f");
        EXPECT_TRUE(lock.lease.breaking);
        EXPECT_EQ(lock.lease.type, LockType::unlck);
        EXPECT_EQ(lock.lease.previous_type, LockType::wrlck);
        EXPECT_TRUE(lock.lease.notified);
        EXPECT_EQ(lock.lease.remaining, Remaining(4294967296s));
        EXPECT_EQ(problems_of(seconds_only_image(order).bytes(), layout),
                  Texts{at(lock.offset, "lock 0",
                           "fl_rem_lease is 4294967296: a restart takes at most 2147483647 s",
                           "[edit_lease]")});
    }
}

TEST(SecondsOnly, EditsHaveTheWidthsOfTheLayout) {
    const Layout layout = parse_layout("s.json", kSecondsOnly);
    const ImageBuilder image(ByteOrder::big);
    const std::string record = ImageBuilder(image).record(321, seconds_only_lock(image, 5)).bytes();
    const LockCodec codec(layout, ByteOrder::big);
    LockFields wanted = codec.decode(as_bytes(record));
    wanted.fl_rem_lease = 0x102;
    wanted.fl_type = 16;
    wanted.fl_type_prev = 0;
    EditList edits;
    codec.append_edits(edits, 100, as_bytes(record), wanted);
    ASSERT_EQ(edits.size(), 3U);
    EXPECT_EQ(edits.at(0).offset, 108U);
    EXPECT_EQ(as_text(edits.at(0).new_bytes), std::string_view("\0\0\0\x10", 4));
    EXPECT_EQ(edits.at(1).offset, 114U);
    EXPECT_EQ(as_text(edits.at(1).new_bytes), std::string_view("\0\0", 2));
    EXPECT_EQ(edits.at(2).offset, 120U);
    EXPECT_EQ(as_text(edits.at(2).new_bytes), std::string_view("\0\0\0\0\0\0\x01\x02", 8));
}

TEST(SecondsOnly, AValueForNoDeadlineIsOnlyOneIfTheLayoutSaysSo) {
    const Layout layout = parse_layout("s.json", kSecondsOnly);
    const LockCodec codec(layout, ByteOrder::little);
    LockFields fields;
    fields.fl_flags = kFlLease;
    fields.fl_type = 18;
    fields.fl_rem_lease = 0xffffffff;
    Lock lock;
    codec.interpret(fields, lock);
    EXPECT_EQ(lock.lease.remaining, Remaining(4294967295s));
}

TEST(SecondsOnly, AbsurdTimesAreCappedAndNotOverflown) {
    const Layout layout = parse_layout("s.json", kSecondsOnly);
    const LockCodec codec(layout, ByteOrder::little);
    LockFields fields;
    fields.fl_flags = kFlLease;
    fields.fl_type = 18;
    fields.fl_rem_lease = UINT64_MAX;
    Lock lock;
    codec.interpret(fields, lock);
    ASSERT_TRUE(lock.lease.remaining.has_deadline());
    EXPECT_GT(lock.lease.remaining.time(), kMaxRemaining);
}

TEST(SecondsOnly, WideTypesBeyondAByteAreUnknown) {
    const Layout layout = parse_layout("s.json", kSecondsOnly);
    const LockCodec codec(layout, ByteOrder::little);
    LockFields fields;
    fields.fl_flags = kFlLease;
    fields.fl_type = 0x101;  // 1 in its lowest byte
    Lock lock;
    codec.interpret(fields, lock);
    EXPECT_EQ(lock.lease.type, static_cast<LockType>(255));
    EXPECT_EQ(codec.faults(fields),
              Texts{"fl_type is unknown(255): a lock that is held is F_RDLCK or F_WRLCK"});
}

ImageBuilder marked_image(ByteOrder order, std::uint32_t type = 310) {
    ImageBuilder image = begin(order);
    image.record(type, marked_lock(image, 12, 32, 18))
        .record(type, marked_lock(image, 0, 1, 2))  // one value of the marker is not the marker
        .record(type, marked_lock(image, 0, -1, 2))
        .file_desc(3, 4)
        .record(type, marked_lock(image, 0, -1, 2))
        .task_objs(1)
        .tail();
    return image;
}

TEST(Marked, AnImageIsRead) {
    const Layout layout = marked("310");
    for (const ByteOrder order : kBothOrders) {
        const ImageBuilder builder = marked_image(order);
        const Image image = read_bytes(builder.bytes(), layout);
        EXPECT_FALSE(image.damage.has_value()) << to_string(*image.damage);
        ASSERT_EQ(image.locks.size(), 2U) << "markers are no locks";
        EXPECT_EQ(image.locks.at(0).lease.remaining, Remaining(12s));
        EXPECT_EQ(image.locks.at(1).kind, LockKind::posix);
        EXPECT_EQ(image.locks.at(1).offset, builder.offset_of(310, 1));
        EXPECT_EQ(holders_of(image, 0), Texts{"7 t"});
    }
}

TEST(Marked, TheIndexGoesOnBehindAMarker) {
    ImageBuilder image = begin(ByteOrder::little);
    image.record(310, marked_lock(image, 1, 32, 18))
        .record(310, marked_lock(image, 0, -1, 2))
        .file_desc(3, 4)
        .record(310, marked_lock(image, 2, 32, 18))
        .record(310, marked_lock(image, 0, -1, 2))
        .task_objs(1)
        .tail();
    const Image found = read_bytes(image.bytes(), marked("310"));
    ASSERT_EQ(found.locks.size(), 2U);
    EXPECT_EQ(found.locks.at(1).fd, 4);
    EXPECT_EQ(found.locks.at(1).lease.remaining, Remaining(2s));
    EXPECT_EQ(problems_of(image.bytes(), marked("310")), Texts{});
}

TEST(Marked, AListWithoutMarkerIsDamage) {
    for (const ByteOrder order : kBothOrders) {
        ImageBuilder image = marked_image(order);
        image.remove(310, 2);
        EXPECT_EQ(
            damage_of(image.bytes(), marked("310")),
            at(image.offset_of(310, 0), "FILE_LOCK",
               "the list of locks that begins here does not end in a marker", "[describe_layout]"));
    }
}

TEST(Marked, AListThatTheEndCutsOffIsDamage) {
    ImageBuilder image = begin(ByteOrder::little);
    image.record(310, marked_lock(image, 1, 32, 18));
    const Texts problems = problems_of(image.bytes(), marked("310"));
    ASSERT_EQ(problems.size(), 2U);
    EXPECT_NE(problems[0].find("does not end in a marker"), std::string::npos);
    EXPECT_NE(problems[1].find("without TAIL"), std::string::npos);
}

TEST(Marked, MarkersStandOnlyWhereTheLayoutSaysSo) {
    const Layout layout = marked("310");
    const ImageBuilder image(ByteOrder::big);
    const auto is_marker = [&](std::int32_t flags, std::uint8_t type) {
        const std::string record =
            ImageBuilder(image).record(310, marked_lock(image, 0, flags, type)).bytes();
        return LockCodec(layout, ByteOrder::big).is_marker(as_bytes(record));
    };
    EXPECT_TRUE(is_marker(-1, 2));
    EXPECT_FALSE(is_marker(-1, 1));
    EXPECT_FALSE(is_marker(255, 2));
}

TEST(OtherLayout, AnImageOfLease1IsToldWhatWouldFit) {
    const ImageBuilder image = small_image();
    EXPECT_EQ(damage_of(image.bytes(), marked("310")),
              at(image.offset_of(310), "FILE_LOCK",
                 "its length is 40, and FILE_LOCK of layout v3 has 36", "[use_layout: lease-1]"));
}

TEST(OtherLayout, RecordsOfOtherNumbersAreNotLooked) {
    // With other numbers in the layout, 309 and 310 mean nothing.
    const Image image = read_bytes(small_image().bytes(), parse_layout("s.json", kSecondsOnly));
    EXPECT_FALSE(image.damage.has_value());
    EXPECT_EQ(image.locks.size(), 0U);
}

// Problems call a record what it is, also where the layout has a number for it that another record,
// or none, has elsewhere.
TEST(OtherLayout, ProblemsNameTheRecordsAsTheLayoutDoes) {
    ImageBuilder image = marked_image(ByteOrder::little, 309);
    image.resize(309, 1, 40);
    EXPECT_EQ(damage_of(image.bytes(), marked("309")),
              at(image.offset_of(309, 1), "FILE_LOCK",
                 "its length is 40, and FILE_LOCK of layout v3 has 36", "[describe_layout]"));
    ImageBuilder counted = seconds_only_image(ByteOrder::little);
    counted.remove(320, 0);
    EXPECT_EQ(damage_of(counted.bytes(), parse_layout("s.json", kSecondsOnly)),
              at(counted.offset_of(321), "FILE_LOCK", "no FILE_LOCKS announces this lock"));
}

}  // namespace
}  // namespace ckpt_lease::linux_cr
