// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/look/lease_event.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/sysmacros.h>

#include <bit>
#include <string>

namespace ckpt_lease::live {
namespace {

using namespace std::chrono_literals;

// As Linux 6.18 has it in events/filelock/time_out_leases/format.
const std::string kFormat = R"(name: time_out_leases
ID: 642
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:unsigned char common_flags;	offset:2;	size:1;	signed:0;
	field:unsigned char common_preempt_count;	offset:3;	size:1;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:struct file_lease * fl;	offset:8;	size:8;	signed:0;
	field:unsigned long i_ino;	offset:16;	size:8;	signed:0;
	field:dev_t s_dev;	offset:24;	size:4;	signed:0;
	field:struct file_lock_core * blocker;	offset:32;	size:8;	signed:0;
	field:fl_owner_t owner;	offset:40;	size:8;	signed:0;
	field:unsigned int flags;	offset:48;	size:4;	signed:0;
	field:unsigned char type;	offset:52;	size:1;	signed:0;
	field:unsigned long break_time;	offset:56;	size:8;	signed:0;
	field:unsigned long downgrade_time;	offset:64;	size:8;	signed:0;

print fmt: "fl=%p dev=0x%x:0x%x ino=0x%lx", REC->fl
)";

std::string without(const std::string& line) {
    std::string text = kFormat;
    const std::size_t at = text.find(line);
    return text.erase(at, text.find('\n', at) - at);
}

std::string replaced(std::string from, const std::string& to) {
    std::string text = kFormat;
    return text.replace(text.find(from), from.size(), to);
}

TEST(EventFormat, SaysWhereFieldsStand) {
    const auto format = parse_event_format(kFormat);
    ASSERT_TRUE(format);
    EXPECT_EQ(format->id, 642U);
    EXPECT_EQ(format->inode.offset, 16U);
    EXPECT_EQ(format->inode.width, 8U);
    EXPECT_EQ(format->device.offset, 24U);
    EXPECT_EQ(format->device.width, 4U);
    EXPECT_EQ(format->flags.offset, 48U);
    EXPECT_EQ(format->type.offset, 52U);
    EXPECT_EQ(format->type.width, 1U);
    EXPECT_EQ(format->break_time.offset, 56U);
    EXPECT_EQ(format->downgrade_time.offset, 64U);
}

TEST(EventFormat, OlderKernelsHaveOtherNames) {
    std::string text = kFormat;
    for (const std::string name : {" flags;", " type;", " break_time;", " downgrade_time;"}) {
        text.replace(text.find(name), 1, " fl_");
    }
    const auto format = parse_event_format(text);
    ASSERT_TRUE(format);
    EXPECT_EQ(format->break_time.offset, 56U);
}

TEST(EventFormat, WithoutAFieldThereIsNone) {
    for (const std::string field :
         {"i_ino", "s_dev", "int flags", "char type", "long break_time", "long downgrade_time"}) {
        const std::size_t at = kFormat.find(field);
        const std::size_t line = kFormat.rfind('\n', at) + 1;
        EXPECT_FALSE(parse_event_format(without(kFormat.substr(line, at - line + field.size()))))
            << field;
    }
    EXPECT_FALSE(parse_event_format(without("ID: 642")));
    EXPECT_FALSE(parse_event_format(""));
}

TEST(EventFormat, AFieldIsANumber) {
    EXPECT_FALSE(parse_event_format(replaced("offset:56;	size:8", "offset:56;	size:3")));
    EXPECT_FALSE(parse_event_format(replaced("offset:56;	size:8", "offset:56;	size:16")));
    EXPECT_FALSE(parse_event_format(replaced("offset:56;", "offset:99999;")));
    EXPECT_FALSE(parse_event_format(replaced("offset:56;", "offset:soon;")));
}

constexpr SteadyTime kMoment(1000s);
constexpr Jiffies kNow{4295000000, 250, kMoment};
constexpr std::uint64_t kLease = 32;
constexpr std::uint64_t kDowngrade = 256;
constexpr std::uint64_t kUnlock = 512;

// Numbers are the kernel's own, in the byte order of the machine.
std::string event_of(std::uint64_t flags, std::uint64_t type, std::uint64_t break_time,
                     std::uint64_t downgrade_time) {
    std::string bytes(72, '\0');
    const auto put = [&](std::size_t offset, std::uint8_t width, std::uint64_t value) {
        const ByteOrder order =
            std::endian::native == std::endian::little ? ByteOrder::little : ByteOrder::big;
        const auto encoded = encode(value, width, order);
        bytes.replace(offset, width, as_text(std::span(encoded).first(width)));
    };
    put(16, 8, 0x1f);
    put(24, 4, 0xfe00001);  // major 0xfe, minor 1
    put(48, 4, flags);
    put(52, 1, type);
    put(56, 8, break_time);
    put(64, 8, downgrade_time);
    return bytes;
}

std::optional<TracedLease> read(const std::string& bytes, SteadyTime from = kMoment) {
    return read_event(as_bytes(bytes), *parse_event_format(kFormat), kNow, from);
}

TEST(Event, AWriterBreaksAWriteLease) {
    const auto lease = read(event_of(kLease | kUnlock, F_WRLCK, 4295001001, 0));
    ASSERT_TRUE(lease);
    EXPECT_EQ(lease->inode, (Inode{makedev(0xfe, 1), 0x1f}));
    EXPECT_EQ(lease->state,
              (LeaseState{true, LockType::unlck, LockType::wrlck, true, Remaining(4004ms)}));
}

TEST(Event, AReaderBreaksAWriteLease) {
    const auto lease = read(event_of(kLease | kDowngrade, F_WRLCK, 0, 4295000250));
    ASSERT_TRUE(lease);
    EXPECT_EQ(lease->state,
              (LeaseState{true, LockType::rdlck, LockType::wrlck, true, Remaining(1s)}));
}

TEST(Event, OfTwoBreaksTheUnlockIsTold) {
    const auto lease =
        read(event_of(kLease | kDowngrade | kUnlock, F_WRLCK, 4295000500, 4295000250));
    ASSERT_TRUE(lease);
    EXPECT_EQ(lease->state.type, LockType::unlck);
    EXPECT_EQ(lease->state.remaining, Remaining(2s));
}

TEST(Event, PastDeadlinesAndNone) {
    const auto remaining = [](std::uint64_t break_time) {
        return read(event_of(kLease | kUnlock, F_RDLCK, break_time, 0))->state.remaining;
    };
    EXPECT_EQ(remaining(4294999999), Remaining(0s));
    EXPECT_EQ(remaining(0), Remaining::no_deadline());
}

TEST(Event, WhatIsLeftCountsFromAnyMoment) {
    const std::string event = event_of(kLease | kUnlock, F_RDLCK, 4295000250, 0);
    EXPECT_EQ(read(event, kMoment - 30s)->state.remaining, Remaining(31s));
    EXPECT_EQ(read(event, kMoment + 1ms)->state.remaining, Remaining(999ms));
    EXPECT_EQ(read(event, kMoment + 2s)->state.remaining, Remaining(0s));
}

TEST(Event, ALeaseThatIsHeldHasNoTime) {
    const auto lease = read(event_of(kLease, F_RDLCK, 0, 0));
    ASSERT_TRUE(lease);
    EXPECT_EQ(lease->state, LeaseState());
}

// On 32-bit kernels jiffies are 300 s before their end when the machine starts.
TEST(Event, A32BitDeadlineMayLieBehindTheEndOfJiffies) {
    std::string text = kFormat;
    const std::string wide = "offset:56;	size:8";
    text.replace(text.find(wide), wide.size(), "offset:56;	size:4");
    const Jiffies now{0xffffff00, 250, kMoment};
    const std::string event = event_of(kLease | kUnlock, F_WRLCK, 0xfa, 0);
    const auto lease = read_event(as_bytes(event), *parse_event_format(text), now, kMoment);
    ASSERT_TRUE(lease);
    EXPECT_EQ(lease->state.remaining, Remaining(2024ms)) << "506 ticks";
}

TEST(Event, NothingElseIsALease) {
    EXPECT_FALSE(read(event_of(kLease, 9, 0, 0)));
    const std::string event = event_of(kLease, F_RDLCK, 0, 0);
    EXPECT_FALSE(read(event.substr(0, 71)));
    EXPECT_FALSE(read({}));
}

}  // namespace
}  // namespace ckpt_lease::live
