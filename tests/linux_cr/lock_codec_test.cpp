// SPDX-License-Identifier: GPL-2.0-or-later
// FILE_LOCK records of layout lease-1 as bytes, as fields and as leases.
#include <gtest/gtest.h>

#include <functional>

#include "linux_cr/support.hpp"

namespace ckpt_lease::linux_cr {
namespace {

using namespace std::string_literals;
using namespace std::chrono_literals;
using Texts = std::vector<std::string>;

// A write lease that is being broken to none, 5.25 s left, the holder notified.
const std::string kLittle =
    "\x36\x01\0\0\x28\0\0\0"
    "\0\0\0\0\0\0\0\0"
    "\xff\xff\xff\xff\xff\xff\xff\x7f"
    "\x05\0\0\0\x80\xb2\xe6\x0e"
    "\x20\0\0\0\x12\x01\x01\0"s;
const std::string kBig =
    "\0\0\x01\x36\0\0\0\x28"
    "\0\0\0\0\0\0\0\0"
    "\x7f\xff\xff\xff\xff\xff\xff\xff"
    "\0\0\0\x05\x0e\xe6\xb2\x80"
    "\0\0\0\x20\x12\x01\x01\0"s;
// A POSIX write lock on bytes 258 to 772.
const std::string kPosix =
    "\x36\x01\0\0\x28\0\0\0"
    "\x02\x01\0\0\0\0\0\0"
    "\x04\x03\0\0\0\0\0\0"
    "\0\0\0\0\0\0\0\0"
    "\x01\0\0\0\x01\0\0\0"s;

LockCodec codec(ByteOrder order = ByteOrder::little) {
    return {default_layout(), order};
}

Lock interpreted(const LockFields& fields) {
    Lock lock;
    lock.fd = 77;
    codec().interpret(fields, lock);
    EXPECT_EQ(lock.fd, 77) << "the rest of a lock is left alone";
    return lock;
}

LockFields breaking_fields() {
    return codec().decode(as_bytes(kLittle));
}

TEST(LockCodec, DecodesBothOrders) {
    for (const auto& [bytes, order] :
         {std::pair(kLittle, ByteOrder::little), std::pair(kBig, ByteOrder::big)}) {
        const LockFields fields = codec(order).decode(as_bytes(bytes));
        EXPECT_EQ(fields.fl_start, 0);
        EXPECT_EQ(fields.fl_end, INT64_MAX);
        EXPECT_EQ(fields.fl_rem_lease, 5U);
        EXPECT_EQ(fields.fl_rem_lease_nsec, 250'000'000U);
        EXPECT_EQ(fields.fl_flags, 32U);
        EXPECT_EQ(fields.fl_type, 18U);
        EXPECT_EQ(fields.fl_type_prev, 1U);
        EXPECT_EQ(fields.fl_break_notified, 1U);
        EXPECT_TRUE(fields.padding_is_zero);
    }
}

TEST(LockCodec, DecodesARange) {
    const LockFields fields = codec().decode(as_bytes(kPosix));
    EXPECT_EQ(fields.fl_start, 0x102);
    EXPECT_EQ(fields.fl_end, 0x304);
    const Lock lock = interpreted(fields);
    EXPECT_EQ(lock.kind, LockKind::posix);
    EXPECT_EQ(lock.range.start, 0x102);
    EXPECT_EQ(lock.range.end, 0x304);
    EXPECT_EQ(lock.lease.type, LockType::wrlck);
}

TEST(LockCodec, SeesPaddingThatIsNotZero) {
    std::string bytes = kLittle;
    bytes[39] = '\x80';
    EXPECT_FALSE(codec().decode(as_bytes(bytes)).padding_is_zero);
}

TEST(LockCodec, ARecordThatIsTooShortIsNotReadBeyond) {
    EXPECT_THROW(static_cast<void>(codec().decode(as_bytes(kLittle).first(38))), std::out_of_range);
}

TEST(LockCodec, InterpretsALeaseThatIsBeingBroken) {
    const Lock lock = interpreted(breaking_fields());
    EXPECT_EQ(lock.kind, LockKind::lease);
    EXPECT_TRUE(is_breaking(lock));
    EXPECT_EQ(lock.lease.type, LockType::unlck);
    EXPECT_EQ(lock.lease.previous_type, LockType::wrlck);
    EXPECT_TRUE(lock.lease.notified);
    EXPECT_EQ(lock.lease.remaining, Remaining(5250ms));
}

TEST(LockCodec, ALeaseThatIsHeldHasATypeAndNothingElse) {
    LockFields fields = breaking_fields();
    fields.fl_type = 1;
    const Lock lock = interpreted(fields);
    LeaseState expected;
    expected.type = LockType::wrlck;
    EXPECT_EQ(lock.lease, expected);
    EXPECT_FALSE(is_breaking(lock));
}

TEST(LockCodec, ALeaseWithoutDeadline) {
    LockFields fields = breaking_fields();
    fields.fl_rem_lease = 0xffffffff;
    EXPECT_EQ(interpreted(fields).lease.remaining, Remaining::no_deadline());
    fields.fl_rem_lease = 0xfffffffd;
    EXPECT_EQ(interpreted(fields).lease.remaining, Remaining(4294967293s + 250ms));
}

TEST(LockCodec, ALeaseOfWhichNobodyKnowsWhatIsLeft) {
    LockFields fields = breaking_fields();
    fields.fl_rem_lease = 0xfffffffe;
    EXPECT_EQ(interpreted(fields).lease.remaining, Remaining::not_known());
}

TEST(LockCodec, InProgressMeansNothingOnOtherLocks) {
    LockFields fields = breaking_fields();
    fields.fl_flags = kFlPosix;
    const Lock lock = interpreted(fields);
    EXPECT_EQ(lock.kind, LockKind::posix);
    EXPECT_FALSE(lock.lease.breaking);
    EXPECT_EQ(lock.lease.type, static_cast<LockType>(18));
}

TEST(LockCodec, TheFlagsTellTheKind) {
    LockFields fields = breaking_fields();
    const std::vector<std::pair<std::uint64_t, LockKind>> kinds{
        {0, LockKind::other},  {1, LockKind::posix},  {2, LockKind::flock},
        {3, LockKind::other},  {32, LockKind::lease}, {33, LockKind::other},
        {34, LockKind::other}, {64, LockKind::other}, {35, LockKind::other}};
    for (const auto& [flags, kind] : kinds) {
        fields.fl_flags = flags;
        EXPECT_EQ(interpreted(fields).kind, kind) << flags;
    }
}

// What with_state() makes of kLittle when `change` is made to its state.
LockFields changed(const std::function<void(LeaseState&)>& change) {
    const LockFields fields = breaking_fields();
    const LeaseState before = interpreted(fields).lease;
    LeaseState after = before;
    change(after);
    return codec().with_state(fields, before, after);
}

TEST(LockCodec, PutsANewTimeIn) {
    const LockFields fields = changed([](LeaseState& s) { s.remaining = Remaining(30s + 1ns); });
    EXPECT_EQ(fields.fl_rem_lease, 30U);
    EXPECT_EQ(fields.fl_rem_lease_nsec, 1U);
    EXPECT_EQ(fields.fl_type, 18U);
}

TEST(LockCodec, PutsNoDeadlineIn) {
    const LockFields fields =
        changed([](LeaseState& s) { s.remaining = Remaining::no_deadline(); });
    EXPECT_EQ(fields.fl_rem_lease, 0xffffffffU);
    EXPECT_EQ(fields.fl_rem_lease_nsec, 0U);
}

TEST(LockCodec, PutsTypesAndTheNotificationIn) {
    const LockFields fields = changed([](LeaseState& s) {
        s.type = LockType::rdlck;
        s.previous_type = LockType::rdlck;
        s.notified = false;
    });
    EXPECT_EQ(fields.fl_type, 16U) << "F_INPROGRESS stays";
    EXPECT_EQ(fields.fl_type_prev, 0U);
    EXPECT_EQ(fields.fl_break_notified, 0U);
    EXPECT_EQ(fields.fl_rem_lease, 5U);
    EXPECT_EQ(fields.fl_rem_lease_nsec, 250'000'000U);
}

// 'ckpt-lease capture' cannot always find out what a lease was before its break.
TEST(LockCodec, ATypeBeforeTheBreakThatIsNotKnownIs255) {
    LockFields fields = breaking_fields();
    for (const std::uint64_t unknown : {255U, 256U, 1U << 30}) {
        fields.fl_type_prev = unknown;
        EXPECT_EQ(interpreted(fields).lease.previous_type, std::nullopt);
    }
    fields.fl_type_prev = 254;
    EXPECT_EQ(interpreted(fields).lease.previous_type, static_cast<LockType>(254));
    EXPECT_EQ(changed([](LeaseState& s) { s.previous_type.reset(); }).fl_type_prev, 255U);
}

TEST(LockCodec, WhatDoesNotDifferStaysAsItIs) {
    LockFields odd = breaking_fields();
    odd.fl_break_notified = 200;
    odd.fl_rem_lease_nsec = 4'000'000'000;
    const LeaseState state = interpreted(odd).lease;
    const LockFields same = codec().with_state(odd, state, state);
    EXPECT_EQ(same.fl_break_notified, 200U);
    EXPECT_EQ(same.fl_rem_lease_nsec, 4'000'000'000U);
}

Texts edits_of(const std::string& record, ByteOrder order, const LockFields& wanted) {
    EditList edits;
    codec(order).append_edits(edits, 1000, as_bytes(record), wanted);
    Texts texts;
    for (std::size_t i = 0; i < edits.size(); ++i) {
        const Edit edit = edits.at(i);
        std::string text = std::to_string(edit.offset);
        for (const auto bytes : {edit.old_bytes, edit.new_bytes}) {
            text += ' ';
            for (const std::byte byte : bytes) {
                constexpr std::string_view kDigits = "0123456789abcdef";
                text += kDigits.at(std::to_integer<unsigned>(byte) >> 4U);
                text += kDigits.at(std::to_integer<unsigned>(byte) & 15U);
            }
        }
        texts.push_back(text);
    }
    return texts;
}

TEST(LockCodec, OnlyFieldsThatDifferBecomeEdits) {
    LockFields wanted = breaking_fields();
    EXPECT_EQ(edits_of(kLittle, ByteOrder::little, wanted), Texts{});
    EXPECT_EQ(edits_of(kBig, ByteOrder::big, wanted), Texts{});
    wanted.fl_rem_lease = 30;
    EXPECT_EQ(edits_of(kLittle, ByteOrder::little, wanted), Texts{"1024 05000000 1e000000"});
    EXPECT_EQ(edits_of(kBig, ByteOrder::big, wanted), Texts{"1024 00000005 0000001e"});
}

TEST(LockCodec, EditsStandInTheOrderOfTheFile) {
    LockFields wanted;
    wanted.fl_rem_lease = 0x01020304;
    wanted.fl_rem_lease_nsec = 1;
    wanted.fl_type = 16;
    wanted.fl_type_prev = 0;
    wanted.fl_break_notified = 0;
    EXPECT_EQ(edits_of(kLittle, ByteOrder::little, wanted),
              (Texts{"1024 05000000 04030201", "1028 80b2e60e 01000000", "1036 12 10", "1037 01 00",
                     "1038 01 00"}));
    EXPECT_EQ(edits_of(kBig, ByteOrder::big, wanted),
              (Texts{"1024 00000005 01020304", "1028 0ee6b280 00000001", "1036 12 10", "1037 01 00",
                     "1038 01 00"}));
}

TEST(LockCodec, ATimeThatTheLayoutHasNoValueForIsRefused) {
    Layout layout = default_layout();
    layout.no_deadline.reset();
    layout.not_known.reset();
    const LockCodec codec(layout, ByteOrder::little);
    LeaseState state;
    state.remaining = Remaining::no_deadline();
    EXPECT_EQ(error_of([&] {
                  static_cast<void>(codec.with_state({}, state, StateParts{.remaining = true}));
              }),
              "the layout lease-1 has no value for a remaining lease of 'no deadline'");
    state.remaining = Remaining::not_known();
    EXPECT_EQ(error_of([&] {
                  static_cast<void>(codec.with_state({}, state, StateParts{.remaining = true}));
              }),
              "the layout lease-1 has no value for a remaining lease of 'not known'");
}

TEST(LockCodec, RangeAndFlagsAreNeverEdited) {
    LockFields wanted = breaking_fields();
    wanted.fl_start = 4;
    wanted.fl_end = 5;
    wanted.fl_flags = 1;
    wanted.padding_is_zero = false;
    EXPECT_EQ(edits_of(kLittle, ByteOrder::little, wanted), Texts{});
}

TEST(LockCodec, ALayoutThatCountsHasNoMarker) {
    EXPECT_FALSE(codec().is_marker(as_bytes(kLittle)));
    EXPECT_FALSE(codec().is_marker(as_bytes(std::string(40, '\0'))));
}

Texts faults_with(const std::function<void(LockFields&)>& change) {
    LockFields fields = breaking_fields();
    change(fields);
    return codec().faults(fields);
}

TEST(LockFaults, SoundLocksHaveNone) {
    EXPECT_EQ(faults_with([](LockFields&) {}), Texts{});
    EXPECT_EQ(codec().faults(codec().decode(as_bytes(kPosix))), Texts{});
    EXPECT_EQ(faults_with([](LockFields& f) { f.fl_rem_lease = 0xffffffff; }), Texts{});
    EXPECT_EQ(faults_with([](LockFields& f) { f.fl_type = 16; }), Texts{}) << "a downgrade";
    EXPECT_EQ(faults_with([](LockFields& f) {
                  f.fl_rem_lease = 2147483647;
                  f.fl_rem_lease_nsec = 0;
              }),
              Texts{});
    EXPECT_EQ(faults_with([](LockFields& f) { f.fl_rem_lease_nsec = 999'999'999; }), Texts{});
    EXPECT_EQ(faults_with([](LockFields& f) { f = {0, 0, 0, 0, 2, 1}; }), Texts{}) << "flock";
}

TEST(LockFaults, WhatIsNotBeingBrokenMayHaveAnythingInItsOtherFields) {
    EXPECT_EQ(faults_with([](LockFields& f) {
                  f.fl_type = 1;
                  f.fl_type_prev = 99;
                  f.fl_break_notified = 99;
                  f.fl_rem_lease = 0xfffffffe;
                  f.fl_rem_lease_nsec = 0xffffffff;
                  f.fl_start = -1;
              }),
              Texts{});
}

TEST(LockFaults, Flags) {
    for (const std::uint64_t flags : {0U, 3U, 33U, 35U, 64U}) {
        const Texts faults = faults_with([&](LockFields& f) {
            f.fl_flags = flags;
            f.fl_type = 0;
        });
        EXPECT_EQ(faults,
                  Texts{"fl_flags is " + std::to_string(flags) +
                        ": just one of FL_POSIX (1), FL_FLOCK (2) and FL_LEASE (32) is allowed"});
    }
    EXPECT_EQ(faults_with([](LockFields& f) { f.fl_flags = 96; }),
              Texts{"fl_flags is 96: just one of FL_POSIX (1), FL_FLOCK (2) and FL_LEASE (32) is "
                    "allowed"});
}

TEST(LockFaults, TheTypeThatALeaseIsToBecome) {
    EXPECT_EQ(faults_with([](LockFields& f) { f.fl_type = 17; }),
              Texts{"the lease is being broken to F_WRLCK: it can only become F_UNLCK or F_RDLCK"});
    EXPECT_EQ(faults_with([](LockFields& f) { f.fl_type = 16 + 5; }),
              Texts{"the lease is being broken to unknown(5): it can only become F_UNLCK or "
                    "F_RDLCK"});
}

TEST(LockFaults, TheTypeThatALeaseHad) {
    for (const auto& [previous, name] : {std::pair(2, "F_UNLCK"), std::pair(9, "unknown(9)")}) {
        EXPECT_EQ(faults_with([&, p = previous](LockFields& f) {
                      f.fl_type_prev = static_cast<std::uint64_t>(p);
                  }),
                  Texts{"the lease is being broken, and fl_type_prev is "s + name +
                        ": a restart needs the type it had, F_RDLCK or F_WRLCK"});
    }
    EXPECT_EQ(faults_with([](LockFields& f) {
                  f.fl_type = 16;
                  f.fl_type_prev = 0;
              }),
              Texts{"the lease is being broken from F_RDLCK to F_RDLCK: only F_WRLCK can be "
                    "downgraded"});
}

TEST(LockFaults, TheNotification) {
    EXPECT_EQ(faults_with([](LockFields& f) { f.fl_break_notified = 2; }),
              Texts{"fl_break_notified is 2: 0 and 1 are allowed"});
}

TEST(LockFaults, TheTime) {
    EXPECT_EQ(faults_with([](LockFields& f) { f.fl_rem_lease_nsec = 1'000'000'000; }),
              Texts{"fl_rem_lease_nsec is 1000000000: 999999999 is the most"});
    EXPECT_EQ(faults_with([](LockFields& f) { f.fl_rem_lease = 2147483648; }),
              Texts{"fl_rem_lease is 2147483648: a restart takes at most 2147483647 s"});
    EXPECT_EQ(faults_with([](LockFields& f) { f.fl_rem_lease = 2147483647; }),
              Texts{"fl_rem_lease is 2147483647: a restart takes at most 2147483647 s"})
        << "and a quarter";
}

TEST(LockFaults, TheTypeOfALockThatIsHeld) {
    EXPECT_EQ(faults_with([](LockFields& f) { f.fl_type = 2; }),
              Texts{"fl_type is F_UNLCK: a lock that is held is F_RDLCK or F_WRLCK"});
    EXPECT_EQ(faults_with([](LockFields& f) { f.fl_flags = 2; }),
              Texts{"fl_type is unknown(18): a lock that is held is F_RDLCK or F_WRLCK"});
}

TEST(LockFaults, TheRangeOfAPosixLock) {
    const auto with_range = [](std::int64_t start, std::int64_t end) {
        return faults_with([&](LockFields& f) { f = {start, end, 0, 0, kFlPosix, 0}; });
    };
    EXPECT_EQ(with_range(7, 7), Texts{});
    EXPECT_EQ(with_range(0, INT64_MAX), Texts{});
    EXPECT_EQ(with_range(8, 7), Texts{"bytes 8 to 7 are no range: 0 <= fl_start <= fl_end"});
    EXPECT_EQ(with_range(-1, 7), Texts{"bytes -1 to 7 are no range: 0 <= fl_start <= fl_end"});
}

TEST(LockFaults, ThePadding) {
    EXPECT_EQ(faults_with([](LockFields& f) { f.padding_is_zero = false; }),
              Texts{"the padding is not 0"});
}

TEST(LockFaults, AllOfThemAreTold) {
    EXPECT_EQ(faults_with([](LockFields& f) {
                  f = {0, 0, 3000000000, 2000000000, 32 + 64, 17, 2, 3, false};
              }).size(),
              7U);
}

}  // namespace
}  // namespace ckpt_lease::linux_cr
