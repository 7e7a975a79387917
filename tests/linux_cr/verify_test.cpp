// SPDX-License-Identifier: GPL-2.0-or-later
// verify() finds everything that is wrong, and goes on behind it.
#include <gtest/gtest.h>

#include "linux_cr/support.hpp"

namespace ckpt_lease::linux_cr {
namespace {

using test_support::breaking;
using test_support::HeaderValues;
using test_support::held;
using test_support::ImageBuilder;
using test_support::kReadLock;
using test_support::kWriteLock;
using test_support::LockValues;
using test_support::posix_lock;
using test_support::small_image;
using Texts = std::vector<std::string>;

constexpr std::string_view kCanMend = "[edit_lease]";
constexpr std::string_view kLeasesOnly = "[take_again]";

ImageBuilder two_descriptors(const LockValues& first, const LockValues& second) {
    ImageBuilder image;
    image.header()
        .tree({1})
        .task("t")
        .table(1, 2)
        .open_file(2, "/f")
        .file_desc(2, 3)
        .locks({first})
        .file_desc(2, 4)
        .locks({second})
        .task_objs(1)
        .tail();
    return image;
}

TEST(Verify, ASoundImageHasNoProblems) {
    for (const ByteOrder order : kBothOrders) {
        EXPECT_EQ(problems_of(small_image(order).bytes()), Texts{});
    }
    EXPECT_EQ(problems_of(two_descriptors(breaking(5, 1), breaking(5, 1)).bytes()), Texts{});
}

TEST(Verify, FindsAllProblemsInTheOrderOfTheFile) {
    ImageBuilder image = small_image();
    image
        .patch(309, 0, 8, 4, 2)            // one lock more than follows
        .patch(310, 0, 36, 1, 17)          // to become F_WRLCK
        .patch(302, 1, 12, 4, 0xffffffff)  // no problem: any descriptor will do
        .patch(310, 1, 32, 4, 3)           // two kinds at once
        .patch(310, 2, 8, 8, 100)          // behind its end, 99
        .patch(105, 0, 8, 4, 44);          // no such table
    EXPECT_EQ(problems_of(image.bytes()),
              (Texts{at(image.offset_of(310, 0), "lock 0",
                        "the lease is being broken to F_WRLCK: it can only become F_UNLCK or "
                        "F_RDLCK",
                        kCanMend),
                     at(image.offset_of(309, 0), "FILE_LOCKS",
                        "nr_locks is 2, and 1 FILE_LOCK records follow"),
                     at(image.offset_of(310, 1), "lock 1",
                        "fl_flags is 3: just one of FL_POSIX (1), FL_FLOCK (2) and FL_LEASE (32) "
                        "is allowed",
                        kLeasesOnly),
                     at(image.offset_of(310, 2), "lock 2",
                        "bytes 100 to 99 are no range: 0 <= fl_start <= fl_end", kLeasesOnly),
                     at(image.offset_of(105), "TASK_OBJS",
                        "files_objref is 44, and no file table of that number comes before")}));
}

TEST(Verify, SeveralFaultsOfOneLockAreToldOneByOne) {
    ImageBuilder image = small_image();
    image.patch(310, 0, 38, 1, 7).patch(310, 0, 28, 4, 1'000'000'000).patch(310, 0, 37, 1, 2);
    const std::uint64_t offset = image.offset_of(310, 0);
    EXPECT_EQ(problems_of(image.bytes()),
              (Texts{at(offset, "lock 0",
                        "the lease is being broken, and fl_type_prev is F_UNLCK: a restart needs "
                        "the type it had, F_RDLCK or F_WRLCK",
                        kCanMend),
                     at(offset, "lock 0", "fl_break_notified is 7: 0 and 1 are allowed", kCanMend),
                     at(offset, "lock 0", "fl_rem_lease_nsec is 1000000000: 999999999 is the most",
                        kCanMend)}));
}

TEST(Verify, PaddingCannotBeMended) {
    ImageBuilder image = small_image();
    image.patch(310, 1, 39, 1, 1);
    EXPECT_EQ(problems_of(image.bytes()),
              Texts{at(image.offset_of(310, 1), "lock 1", "the padding is not 0",
                       "[take_again_for: padding]")});
}

TEST(Verify, FlagsOfALeaseCannotBeMended) {
    // edit changes times, types and the notification, and nothing else.
    ImageBuilder image = small_image();
    image.patch(310, 1, 32, 4, 32 + 64);
    const Texts problems = problems_of(image.bytes());
    ASSERT_EQ(problems.size(), 1U);
    EXPECT_NE(problems[0].find("fl_flags is 96"), std::string::npos);
    EXPECT_EQ(problems[0].find(kCanMend), std::string::npos) << problems[0];
}

TEST(Verify, FaultsAreMeaningAndDamageIsStructure) {
    ImageBuilder image = small_image();
    image.patch(310, 0, 38, 1, 2).patch(301, 0, 8, 4, 3);
    std::vector<Problem> problems;
    const std::string bytes = image.bytes();
    io::MemorySource source(std::string(kName), as_bytes(bytes));
    verify(source, default_layout(), [&](const Problem& problem) { problems.push_back(problem); });
    ASSERT_EQ(problems.size(), 2U);
    EXPECT_EQ(problems[0].severity, Problem::Severity::meaning);
    EXPECT_EQ(problems[0].record, "lock 0");
    EXPECT_EQ(problems[1].severity, Problem::Severity::structure);
    EXPECT_EQ(problems[1].record, "FILE_TABLE");
    EXPECT_EQ(problems[1].offset, image.offset_of(301));
    // read_image() is about structure only.
    EXPECT_EQ(read_bytes(small_image().patch(310, 0, 38, 1, 2).bytes()).damage, std::nullopt);
}

TEST(Verify, RecordsOfOneLeaseMustAgree) {
    const auto disagreement = [](const LockValues& first, const LockValues& second) {
        const ImageBuilder image = two_descriptors(first, second);
        EXPECT_EQ(problems_of(image.bytes()),
                  Texts{at(image.offset_of(310, 1), "lock 1",
                           "locks 0 and 1 are one lease, held through two descriptors, and do not "
                           "have the same values",
                           "[make_records_agree]")});
    };
    disagreement(breaking(5), breaking(6));
    disagreement(breaking(5, 1), breaking(5, 2));
    disagreement(breaking(0xffffffff), breaking(5));
    disagreement(breaking(5), held(kWriteLock));
    disagreement(held(kReadLock), held(kWriteLock));
    LockValues unnotified = breaking(5);
    unnotified.notified = 0;
    disagreement(breaking(5), unnotified);
    LockValues downgrade = breaking(5);
    downgrade.type = 16;
    disagreement(breaking(5), downgrade);
    LockValues was_read = breaking(5);
    was_read.previous = kReadLock;
    disagreement(breaking(5), was_read);
}

TEST(Verify, WhatMeansNothingNeedNotAgree) {
    // Times and such of a lease that nobody breaks, and whatever is no lease at all.
    LockValues other = held(kReadLock);
    other.seconds = 44;
    other.previous = 9;
    EXPECT_EQ(problems_of(two_descriptors(held(kReadLock), other).bytes()), Texts{});
    EXPECT_EQ(problems_of(two_descriptors(posix_lock(0, 1), posix_lock(5, 6)).bytes()), Texts{});
    EXPECT_EQ(problems_of(two_descriptors(posix_lock(0, 1), held(kReadLock)).bytes()), Texts{});
}

TEST(Verify, EachRecordThatDisagreesWithTheFirstIsNamed) {
    ImageBuilder image;
    image.header()
        .tree({1})
        .task("t")
        .table(1, 3)
        .open_file(2, "/f")
        .file_desc(2, 3)
        .locks({breaking(5)})
        .file_desc(2, 4)
        .locks({breaking(6)})
        .file_desc(2, 5)
        .locks({breaking(7)})
        .task_objs(1)
        .tail();
    const Texts problems = problems_of(image.bytes());
    ASSERT_EQ(problems.size(), 2U);
    EXPECT_NE(problems[0].find("locks 0 and 1 are one lease"), std::string::npos);
    EXPECT_NE(problems[1].find("locks 0 and 2 are one lease"), std::string::npos);
}

TEST(Verify, AnIndexMeansTheSameRecordWhateverIsWrongBefore) {
    ImageBuilder image = small_image();
    image.resize(310, 0, 48).patch(310, 1, 36, 1, 2);
    const Texts problems = problems_of(image.bytes());
    ASSERT_EQ(problems.size(), 2U);
    EXPECT_EQ(problems[1],
              at(image.offset_of(310, 1), "lock 1",
                 "fl_type is F_UNLCK: a lock that is held is F_RDLCK or F_WRLCK", kCanMend));
}

TEST(Verify, AHeaderWithoutTimeIsOdd) {
    HeaderValues values;
    values.time = 0;
    ImageBuilder image;
    image.header(values).tree({1}).task("t").table(1, 0).task_objs(1).tail();
    const std::string bytes = image.bytes();
    EXPECT_EQ(problems_of(bytes),
              Texts{at(0, "HEADER", "it does not say when the checkpoint was taken",
                       "[no_elapsed_time]")});
    EXPECT_FALSE(read_bytes(bytes).damage.has_value());
}

TEST(Verify, AHeaderThatIsTooShortDoesNotChangeTheByteOrderOfLocks) {
    ImageBuilder image = small_image(ByteOrder::big);
    image.resize(1, 0, 40);
    EXPECT_EQ(problems_of(image.bytes()),
              Texts{at(0, "HEADER", "its length is 40, and it takes at least 48")});
}

// Its fields as they stand in the image: HEADER ends in { time; uflags; }, wherever that is.
std::string image_with_header_of(std::uint32_t length) {
    ImageBuilder rest;
    rest.uts("2.6.35-ckpt").uts("#1 SMP").uts("x86_64");
    rest.tree({1}).task("t").table(1, 0).task_objs(1).tail();
    test_support::Payload header(ByteOrder::little);
    header.u32(1).u32(length);                   // type, len
    header.u64(0x00feed0cc0a2d200);              // magic
    header.u16(2).u16(2).u16(6).u16(35).u16(6);  // arch_id, major, minor, patch, rev
    header.zeros(length - 26 - 16);              // the constants, and what nobody knows
    header.u64(1285123224).u64(0);               // time, uflags
    return header.bytes() + rest.bytes();
}

TEST(Verify, AHeaderOf64KiBIsTheLongestThatIsRead) {
    const std::string bytes = image_with_header_of(65536);
    EXPECT_EQ(problems_of(bytes), Texts{});
    EXPECT_EQ(read_bytes(bytes).facts.time, 1285123224U);
}

TEST(Verify, ALongerHeaderIsRefusedAndNoTimeIsTakenFromTheMiddleOfIt) {
    for (const std::uint32_t length : {65537U, 70000U, 1'000'000U}) {
        const std::string bytes = image_with_header_of(length);
        const std::string problem =
            at(0, "HEADER", "its length is " + std::to_string(length) + ", and 65536 are the most");
        EXPECT_EQ(problems_of(bytes), Texts{problem});
        EXPECT_EQ(damage_of(bytes), problem);
        for (const Image& image : {read_bytes(bytes), read_piped(bytes)}) {
            EXPECT_FALSE(image.facts.has_header);
            EXPECT_EQ(image.facts.time, 0U);
        }
    }
}

TEST(Verify, AnImageThatEndsInItsCheckpointIdIsCutOff) {
    ImageBuilder image = small_image();
    image.remove(9001).record(20311, std::string_view("\1\2\3\4\5\6\7\10", 8));
    std::string bytes = image.bytes();
    bytes.resize(bytes.size() - 3);
    const std::string problem =
        at(image.offset_of(20311), "CHECKPOINT_ID",
           "the record is 16 bytes long, and the image ends after 13 of them",
           "copy the image again, or take the checkpoint again; nothing can be restarted from this "
           "one");
    EXPECT_EQ(problems_of(bytes), Texts{problem});
    EXPECT_EQ(damage_of(bytes), problem);
}

TEST(Verify, ASinkThatThrowsStopsIt) {
    ImageBuilder image = small_image();
    image.patch(310, 0, 38, 1, 2).patch(310, 1, 36, 1, 2);
    const std::string bytes = image.bytes();
    io::MemorySource source(std::string(kName), as_bytes(bytes));
    int told = 0;
    EXPECT_THROW(verify(source, default_layout(),
                        [&](const Problem&) {
                            ++told;
                            throw std::runtime_error("enough");
                        }),
                 std::runtime_error);
    EXPECT_EQ(told, 1);
}

TEST(Verify, FactsAreThoseOfReadImage) {
    const std::string bytes = small_image(ByteOrder::big).bytes();
    io::MemorySource source(std::string(kName), as_bytes(bytes));
    const ImageFacts facts = verify(source, default_layout(), [](const Problem&) { FAIL(); });
    EXPECT_TRUE(facts.has_header);
    EXPECT_TRUE(facts.complete);
    EXPECT_EQ(facts.order, ByteOrder::big);
    EXPECT_EQ(facts.arch, "x86_64") << "arch_id is little endian on every machine";
    EXPECT_EQ(facts.records, read_bytes(bytes).facts.records);
    EXPECT_EQ(facts.time, 1285123224U);
}

}  // namespace
}  // namespace ckpt_lease::linux_cr
