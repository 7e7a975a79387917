// SPDX-License-Identifier: GPL-2.0-or-later
#include "criu/file_locks.hpp"

#include "support.hpp"

namespace ckpt_lease::criu {
namespace {

using Action = FileLockEdit::Action;

// As CRIU 4.2 writes it: a write lease of process 7 on descriptor 3, being broken to F_UNLCK.
const std::string kLease = bytes_of("0c 00 00 00 08 08 10 06 18 07 20 03 28 00 30 00");
const std::string kDowngrade = bytes_of("0c 00 00 00 08 08 10 04 18 07 20 04 28 00 30 00");
const std::string kPosix = bytes_of("0c 00 00 00 08 01 10 01 18 07 20 05 28 64 30 08");

std::vector<FileLockEntry> locks_of(const std::string& bytes) {
    std::vector<FileLockEntry> locks;
    for_each_file_lock("filelocks.img", bytes,
                       [&](const FileLockEntry& lock) { locks.push_back(lock); });
    return locks;
}

std::string edited(const std::string& bytes, const FileLockEditor& edit) {
    return edit_file_locks("filelocks.img", bytes, edit);
}

FileLockEdit keep(const FileLockEntry& /*lock*/) {
    return {};
}

FileLockEntry breaking_to(LockType type) {
    FileLockEntry lock;
    lock.flag = kFlLease;
    lock.type = static_cast<std::uint32_t>(type) | kLeaseBreaking;
    return lock;
}

TEST(FileLocks, AreWhatTheEntriesSay) {
    EXPECT_EQ(locks_of(kLocksHead + kLease + kPosix),
              (std::vector<FileLockEntry>{{0, 8, 8, 6, 7, 3, 0, 0}, {1, 24, 1, 1, 7, 5, 100, 8}}));
    EXPECT_EQ(locks_of(kLocksHead), std::vector<FileLockEntry>{});
}

TEST(FileLocks, ALeaseThatIsBeingBroken) {
    const FileLockEntry lock = locks_of(kLocksHead + kLease).front();
    EXPECT_TRUE(lock.is_lease());
    EXPECT_TRUE(lock.is_breaking());
    EXPECT_EQ(lock.lease_type(), 2U);
}

TEST(FileLocks, TheTypeOfAnotherLockIsNoLeaseBreak) {
    FileLockEntry lock = breaking_to(LockType::unlck);
    for (const std::uint32_t flag : {kFlPosix, kFlFlock, kFlOfd, 32U}) {
        lock.flag = flag;
        EXPECT_FALSE(lock.is_lease()) << flag;
        EXPECT_FALSE(lock.is_breaking()) << flag;
    }
}

TEST(FileLocks, AnEntryMustBeWhole) {
    for (const unsigned missing : {1U, 2U, 3U, 4U, 5U, 6U}) {
        Message lock;
        for (unsigned field = 1; field <= 6; ++field) {
            if (field != missing) {
                lock.number(field, 1);
            }
        }
        EXPECT_EQ(damage([&] { locks_of(kLocksHead + kLease + entry(lock)); }),
                  std::string("filelocks.img: offset 24: entry 1: a lock without one of flag, "
                              "type, pid, fd, start and len") +
                      kCopyAgain)
            << missing;
    }
}

TEST(EditFileLocks, WhatIsKeptStaysByteForByte) {
    const std::string odd =
        bytes_of("11 00 00 00 30 00 28 00 20 83 00 18 07 10 06 08 08 a8 01 05 40");
    // Fields in another order, a number that takes more bytes than it must, and half a field.
    EXPECT_EQ(damage([&] { static_cast<void>(edited(kLocksHead + odd, keep)); }),
              std::string("filelocks.img: offset 8: entry 0: the protobuf message cannot be read") +
                  kCopyAgain);
    const std::string even =
        bytes_of("12 00 00 00 30 00 28 00 20 83 00 18 07 10 06 08 08 a8 01 05 40 01");
    EXPECT_EQ(edited(kLocksHead + even + kPosix, keep), kLocksHead + even + kPosix);
    EXPECT_EQ(edited(kLocksHead, keep), kLocksHead);
}

TEST(EditFileLocks, ChangesAType) {
    const auto to_read_lease = [](const FileLockEntry& lock) {
        return lock.fd == 4 ? FileLockEdit{Action::set_type, 0} : FileLockEdit{};
    };
    EXPECT_EQ(
        edited(kLocksHead + kLease + kDowngrade + kPosix, to_read_lease),
        kLocksHead + kLease + bytes_of("0c 00 00 00 08 08 10 00 18 07 20 04 28 00 30 00") + kPosix);
}

TEST(EditFileLocks, AChangedEntryKeepsFieldsThatAreNotKnown) {
    const std::string rest = bytes_of("a8 01 05 b2 01 02 68 69");  // 21: 5, 22: "hi"
    const std::string before = bytes_of("14 00 00 00 08 08 10 06 18 07 20 03 28 00 30 00") + rest;
    const std::string after = bytes_of("14 00 00 00 08 08 10 01 18 07 20 03 28 00 30 00") + rest;
    EXPECT_EQ(edited(kLocksHead + before,
                     [](const FileLockEntry&) {
                         return FileLockEdit{Action::set_type, 1};
                     }),
              kLocksHead + after);
}

// The type that CRIU wrote stands in field 50001 of ours: 88 b5 18.
const std::string kHeldLease =
    bytes_of("10 00 00 00 08 08 10 01 18 07 20 03 28 00 30 00 88 b5 18 06");

FileLockEdit hold_as_write_lease(const FileLockEntry& /*lock*/) {
    return {Action::hold, 1};
}

TEST(EditFileLocks, ABreakThatIsLeftToUsStaysInTheEntry) {
    EXPECT_EQ(edited(kLocksHead + kLease, hold_as_write_lease), kLocksHead + kHeldLease);
    const FileLockEntry lock = locks_of(kLocksHead + kHeldLease).front();
    EXPECT_TRUE(lock.is_breaking());
    EXPECT_EQ(lock.type, 6U) << "as CRIU found it";
    EXPECT_EQ(lock.held_as, 1U);
    EXPECT_EQ(locks_of(kLocksHead + kLease).front().held_as, std::nullopt);
}

TEST(EditFileLocks, ABreakIsLeftToUsOnce) {
    EXPECT_EQ(edited(kLocksHead + kHeldLease, hold_as_write_lease), kLocksHead + kHeldLease);
}

TEST(EditFileLocks, ATypeThatIsSetIsNotLeftToUs) {
    EXPECT_EQ(edited(kLocksHead + kHeldLease, as_criu_found), kLocksHead + kLease);
    EXPECT_EQ(edited(kLocksHead + kLease, as_criu_found), kLocksHead + kLease);
    EXPECT_EQ(edited(kLocksHead + kHeldLease,
                     [](const FileLockEntry&) {
                         return FileLockEdit{Action::set_type, 1};
                     }),
              kLocksHead + bytes_of("0c 00 00 00 08 08 10 01 18 07 20 03 28 00 30 00"));
}

// The pid that CRIU wrote stands in field 50002 of ours: 90 b5 18. No task has the pid 0.
const std::string kParkedLease =
    bytes_of("10 00 00 00 08 08 10 06 18 00 20 03 28 00 30 00 90 b5 18 07");

FileLockEdit park(const FileLockEntry& /*lock*/) {
    return {.action = Action::park};
}

TEST(EditFileLocks, AParkedEntryHasTheTaskThatItWasOf) {
    EXPECT_EQ(edited(kLocksHead + kLease, park), kLocksHead + kParkedLease);
    EXPECT_EQ(edited(kLocksHead + kParkedLease, park), kLocksHead + kParkedLease);
    const FileLockEntry lock = locks_of(kLocksHead + kParkedLease).front();
    EXPECT_TRUE(lock.is_parked);
    EXPECT_EQ(lock.pid, 7);
    EXPECT_EQ(edited(kLocksHead + kParkedLease, as_criu_found), kLocksHead + kLease);
    EXPECT_EQ(edited(kLocksHead + kParkedLease, hold_as_write_lease), kLocksHead + kHeldLease);
    EXPECT_EQ(edited(kLocksHead + kHeldLease, park), kLocksHead + kParkedLease);
}

// What our field says of anything else is nobody's word.
TEST(FileLocks, OnlyALeaseThatIsBeingBrokenIsLeftToUs) {
    const std::string posix =
        bytes_of("10 00 00 00 08 01 10 01 18 07 20 05 28 64 30 08 88 b5 18 06");
    EXPECT_EQ(locks_of(kLocksHead + posix).front(),
              (FileLockEntry{0, 8, 1, 1, 7, 5, 100, 8, std::nullopt}));
    const std::string held =
        bytes_of("10 00 00 00 08 08 10 01 18 07 20 03 28 00 30 00 88 b5 18 00");
    EXPECT_EQ(locks_of(kLocksHead + held).front(),
              (FileLockEntry{0, 8, 8, 1, 7, 3, 0, 0, std::nullopt}));
    const std::string of_a_task =
        bytes_of("10 00 00 00 08 08 10 06 18 05 20 03 28 00 30 00 90 b5 18 07");
    EXPECT_FALSE(locks_of(kLocksHead + of_a_task).front().is_parked);
    EXPECT_EQ(locks_of(kLocksHead + of_a_task).front().pid, 5);
}

TEST(EditFileLocks, RemovesAnEntry) {
    const auto without_leases = [](const FileLockEntry& lock) {
        return lock.is_lease() ? FileLockEdit{Action::remove, 0} : FileLockEdit{};
    };
    EXPECT_EQ(edited(kLocksHead + kLease + kPosix + kDowngrade, without_leases),
              kLocksHead + kPosix);
    EXPECT_EQ(edited(kLocksHead + kLease, without_leases), kLocksHead);
}

TEST(EditFileLocks, KeepsByteOrderAndFirstVersion) {
    const std::string big_head = bytes_of("54 56 43 19 54 32 36 16");
    const std::string message = bytes_of("08 08 10 06 18 07 20 03 28 00 30 00");
    const std::string changed = bytes_of("08 08 10 00 18 07 20 03 28 00 30 00");
    const auto change = [](const FileLockEntry& lock) {
        return lock.index == 0 ? FileLockEdit{Action::set_type, 0} : FileLockEdit{};
    };
    const std::string size = bytes_of("00 00 00 0c");
    EXPECT_EQ(edited(big_head + size + message + size + message, change),
              big_head + size + changed + size + message);
    const std::string old_head = bytes_of("16 36 32 54");
    EXPECT_EQ(edited(old_head + entry(message), change), old_head + entry(changed));
}

TEST(EditFileLocks, WhatIsDamagedIsNotWritten) {
    EXPECT_EQ(
        damage([&] { static_cast<void>(edited(kLocksHead + kLease + kPosix.substr(0, 9), keep)); }),
        std::string("filelocks.img: offset 24: entry 1: it has 12 bytes, and the image ends "
                    "after 5 of them") +
            kCopyAgain);
}

TEST(BreakHasHappened, AWriterTakesTheLease) {
    EXPECT_EQ(break_has_happened(breaking_to(LockType::unlck), false),
              (FileLockEdit{Action::remove, 0}));
    EXPECT_EQ(break_has_happened(breaking_to(LockType::unlck), true),
              (FileLockEdit{Action::remove, 0}));
}

TEST(BreakHasHappened, AReaderLeavesAReadLease) {
    const FileLockEntry lock = breaking_to(LockType::rdlck);
    EXPECT_EQ(break_has_happened(lock, false), (FileLockEdit{Action::set_type, 0}));
    EXPECT_FALSE(loses_read_lease(lock, false));
}

TEST(BreakHasHappened, ThereIsNoReadLeaseOnAFileThatIsOpenForWriting) {
    const FileLockEntry lock = breaking_to(LockType::rdlck);
    EXPECT_EQ(break_has_happened(lock, true), (FileLockEdit{Action::remove, 0}));
    EXPECT_TRUE(loses_read_lease(lock, true));
    EXPECT_FALSE(loses_read_lease(breaking_to(LockType::unlck), true));
}

TEST(BreakHasHappened, WhatIsNotBeingBrokenIsKept) {
    FileLockEntry lock = breaking_to(LockType::rdlck);
    lock.type = 1;
    EXPECT_EQ(break_has_happened(lock, false), FileLockEdit{});
    lock.type = 4;
    lock.flag = kFlPosix;
    EXPECT_EQ(break_has_happened(lock, false), FileLockEdit{});
    EXPECT_FALSE(loses_read_lease(lock, true));
}

TEST(Unbroken, ALeaseHasTheTypeThatItHad) {
    for (const LockType target : {LockType::rdlck, LockType::unlck}) {
        EXPECT_EQ(unbroken(breaking_to(target), LockType::wrlck), (FileLockEdit{Action::hold, 1}));
    }
    EXPECT_EQ(unbroken(breaking_to(LockType::unlck), LockType::rdlck),
              (FileLockEdit{Action::hold, 0}));
}

TEST(Unbroken, WhatIsNotBeingBrokenIsKept) {
    FileLockEntry lock = breaking_to(LockType::rdlck);
    lock.type = 0;
    EXPECT_EQ(unbroken(lock, LockType::wrlck), FileLockEdit{});
}

TEST(Unbroken, ALeaseIsForReadingOrWriting) {
    for (const auto& [type, name] : {std::pair(LockType::unlck, "F_UNLCK"),
                                     std::pair(static_cast<LockType>(255), "unknown(255)")}) {
        try {
            static_cast<void>(unbroken(breaking_to(LockType::unlck), type));
            ADD_FAILURE() << "nothing was thrown";
        } catch (const Error& error) {
            EXPECT_EQ(error.kind(), Error::Kind::refused);
            EXPECT_STREQ(error.what(), (std::string("a lease cannot be ") + name +
                                        " (F_RDLCK and F_WRLCK are what a lease can be)")
                                           .c_str());
        }
    }
}

}  // namespace
}  // namespace ckpt_lease::criu
