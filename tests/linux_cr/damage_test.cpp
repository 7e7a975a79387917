// SPDX-License-Identifier: GPL-2.0-or-later
// One thing wrong with an image that is sound otherwise, and what is said about it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>

#include "linux_cr/support.hpp"

namespace ckpt_lease::linux_cr {
namespace {

using test_support::breaking;
using test_support::ImageBuilder;
using test_support::small_image;

// A change of small_image() and the problem it makes: at the `nth` record of `type`.
struct Damage {
    const char* name;
    std::function<void(ImageBuilder&)> make;
    std::uint32_t type;
    std::size_t nth;
    const char* record;
    const char* message;
    const char* hint = "the image is damaged; copy it again";
};

void PrintTo(const Damage& damage, std::ostream* out) {
    *out << damage.name;
}

ImageBuilder part(const ImageBuilder& like) {
    return ImageBuilder(like.order());
}

constexpr const char* kNoTail =
    "the checkpoint or its copy was cut off; copy it again, or take it again";
constexpr const char* kNoLayout = "[describe_layout]";

const Damage kDamages[] = {
    {"HeaderMagic", [](auto& i) { i.patch(1, 0, 8, 8, 0x1234); }, 1, 0, "HEADER",
     "its magic is 0x0000000000001234, not 0x00feed0cc0a2d200",
     "this is no linux-cr image, or a damaged one"},
    {"HeaderTooShort", [](auto& i) { i.resize(1, 0, 47); }, 1, 0, "HEADER",
     "its length is 47, and it takes at least 48"},
    {"SecondHeader", [](auto& i) { i.insert_before(103, 0, part(i).header()); }, 1, 1, "HEADER",
     "this is the second HEADER of the image", "two images in one file have to be taken apart"},
    {"NoUtsRelease", [](auto& i) { i.remove(4, 0).remove(4, 0).remove(4, 0); }, 101, 0, "PIDS",
     "a BUFFER should stand here, with the names of the kernel"},
    {"NoUtsMachine", [](auto& i) { i.remove(4, 2); }, 101, 0, "PIDS",
     "a BUFFER should stand here, with the names of the kernel"},
    {"PidsTooShort", [](auto& i) { i.resize(101, 0, 19); }, 101, 0, "PIDS",
     "its length is 19, and it takes at least 20"},
    {"PidsWithoutBuffer", [](auto& i) { i.remove(4, 3); }, 102, 0, "TREE",
     "a BUFFER should stand here, with the entries of PIDS"},
    {"NrPidsTooLarge", [](auto& i) { i.patch(101, 0, 8, 4, 2); }, 4, 3, "BUFFER",
     "PIDS says 2 entries, and its BUFFER holds 1"},
    {"NrPidsTooSmall", [](auto& i) { i.patch(101, 0, 8, 4, 0); }, 4, 3, "BUFFER",
     "PIDS says 0 entries, and its BUFFER holds 1"},
    {"NrPidsHuge", [](auto& i) { i.patch(101, 0, 8, 4, 0xffffffff); }, 101, 0, "PIDS",
     "nr_pids is 4294967295, and no system has more than 4194304"},
    {"DepthOfPidHuge", [](auto& i) { i.patch(4, 3, 8, 4, 0xffffffff); }, 4, 3, "BUFFER",
     "PIDS says 1 entries, and its BUFFER holds 1 and a part of one"},
    {"PidCutInHalf", [](auto& i) { i.resize(4, 3, 12); }, 4, 3, "BUFFER",
     "PIDS says 1 entries, and its BUFFER holds 0 and a part of one"},
    {"TreeTooShort", [](auto& i) { i.resize(102, 0, 11); }, 102, 0, "TREE",
     "its length is 11, and it takes at least 12"},
    {"TreeWithoutBuffer", [](auto& i) { i.remove(4, 4); }, 103, 0, "TASK",
     "a BUFFER should stand here, with the entries of TREE"},
    {"NrTasksTooLarge", [](auto& i) { i.patch(102, 0, 8, 4, 2); }, 4, 4, "BUFFER",
     "TREE says 2 tasks, which take 48 bytes, and its BUFFER holds 24"},
    {"NrTasksTooSmall", [](auto& i) { i.patch(102, 0, 8, 4, 0); }, 4, 4, "BUFFER",
     "TREE says 0 tasks, which take 0 bytes, and its BUFFER holds 24"},
    {"NrTasksHuge", [](auto& i) { i.patch(102, 0, 8, 4, 0xffffffff); }, 102, 0, "TREE",
     "nr_tasks is 4294967295, and no system has more than 4194304"},
    {"VpidBeyondPids", [](auto& i) { i.patch(4, 4, 8, 4, 2); }, 4, 4, "BUFFER",
     "vpid 2 of task 0 refers to none of the 1 entries of PIDS"},
    {"VpidZero", [](auto& i) { i.patch(4, 4, 8, 4, 0); }, 4, 4, "BUFFER",
     "vpid 0 of task 0 refers to none of the 1 entries of PIDS"},
    {"VpidNone", [](auto& i) { i.patch(4, 4, 8, 4, 0xfffff000); }, 4, 4, "BUFFER",
     "vpid -4096 of task 0 refers to none of the 1 entries of PIDS"},
    {"PidsOffsetTooLarge", [](auto& i) { i.patch(101, 0, 16, 4, 2); }, 4, 4, "BUFFER",
     "vpid 1 of task 0 refers to none of the 1 entries of PIDS"},
    {"OneTaskMore", [](auto& i) { i.insert_before(9001, 0, part(i).task("extra")); }, 103, 1,
     "TASK", "this is task 2, and TREE lists 1"},
    {"OneTaskLess",
     [](auto& i) {
         i.remove(4, 4).insert_before(102, 0, part(i).tree({1, 1})).remove(102, 1);
     },
     102, 0, "TREE", "nr_tasks is 2, and 1 TASK records follow"},
    {"NoTree", [](auto& i) { i.remove(102).remove(4, 4).remove(103).remove(5).remove(105); }, 9001,
     0, "TAIL", "there is no TREE before it: the image lists no tasks"},
    {"TaskWithoutString", [](auto& i) { i.remove(5); }, 6, 0, "OBJREF",
     "a STRING should stand here, with the command name of TASK"},
    {"ObjrefTooShort", [](auto& i) { i.resize(6, 1, 15); }, 6, 1, "OBJREF",
     "its length is 15, and it takes at least 16"},
    {"ObjrefZero", [](auto& i) { i.patch(6, 1, 12, 4, 0); }, 6, 1, "OBJREF",
     "objref is 0, and objects count from 1"},
    {"ObjrefNegative", [](auto& i) { i.patch(6, 1, 12, 4, 0xffffffff); }, 6, 1, "OBJREF",
     "objref is -1, and objects count from 1"},
    {"ObjrefOfATableZero", [](auto& i) { i.patch(6, 0, 12, 4, 0); }, 6, 0, "OBJREF",
     "objref is 0, and objects count from 1"},
    {"ObjrefTwice", [](auto& i) { i.patch(6, 2, 12, 4, 2); }, 6, 2, "OBJREF",
     "object 2 is announced a second time"},
    {"FileTableTooShort", [](auto& i) { i.resize(301, 0, 11); }, 301, 0, "FILE_TABLE",
     "its length is 11, and it takes at least 12"},
    {"FileTableUnannounced", [](auto& i) { i.remove(6, 0); }, 301, 0, "FILE_TABLE",
     "no OBJREF announces this file table"},
    {"NfdsTooLarge", [](auto& i) { i.patch(301, 0, 8, 4, 3); }, 301, 0, "FILE_TABLE",
     "nfds is 3, and 2 FILE_DESC records follow"},
    {"NfdsTooSmall", [](auto& i) { i.patch(301, 0, 8, 4, 1); }, 301, 0, "FILE_TABLE",
     "nfds is 1, and 2 FILE_DESC records follow"},
    {"NfdsNegative", [](auto& i) { i.patch(301, 0, 8, 4, 0xffffffff); }, 301, 0, "FILE_TABLE",
     "nfds is -1, and 2 FILE_DESC records follow"},
    {"FileTooShort", [](auto& i) { i.resize(304, 0, 31); }, 304, 0, "FILE",
     "its length is 31, and it takes at least 32"},
    {"FileUnannounced", [](auto& i) { i.remove(6, 1); }, 304, 0, "FILE",
     "no OBJREF announces this file"},
    {"AnnouncedFileMissing", [](auto& i) { i.insert_before(105, 0, part(i).objref(4, 77)); }, 6, 3,
     "OBJREF", "the file that it announces does not follow"},
    {"NameWithoutNul", [](auto& i) { i.patch(303, 0, 14, 1, 'x'); }, 303, 0, "FILE_NAME",
     "the name does not end in a NUL"},
    {"NameEmpty", [](auto& i) { i.resize(303, 0, 8); }, 303, 0, "FILE_NAME",
     "its length is 8, and it takes at least 9"},
    {"NameTooLong", [](auto& i) { i.resize(303, 0, 16393); }, 303, 0, "FILE_NAME",
     "a name of 16385 bytes: the longest path has 4096"},
    {"FileDescTooShort", [](auto& i) { i.resize(302, 0, 19); }, 302, 0, "FILE_DESC",
     "its length is 19, and it takes at least 20"},
    {"FdObjrefToNothing", [](auto& i) { i.patch(302, 1, 8, 4, 9); }, 302, 1, "FILE_DESC",
     "fd_objref is 9, and no file of that number comes before"},
    {"FdObjrefToATable", [](auto& i) { i.patch(302, 1, 8, 4, 1); }, 302, 1, "FILE_DESC",
     "fd_objref is 1, and no file of that number comes before"},
    {"FileDescOutsideATable", [](auto& i) { i.remove(6, 0).remove(301); }, 302, 0, "FILE_DESC",
     "it stands in no file table"},
    {"NrLocksTooLarge", [](auto& i) { i.patch(309, 0, 8, 4, 2); }, 309, 0, "FILE_LOCKS",
     "nr_locks is 2, and 1 FILE_LOCK records follow"},
    {"NrLocksHuge", [](auto& i) { i.patch(309, 1, 8, 4, 0xffffffff); }, 309, 1, "FILE_LOCKS",
     "nr_locks is 4294967295, and 2 FILE_LOCK records follow"},
    {"FileLocksLength", [](auto& i) { i.resize(309, 0, 24); }, 309, 0, "FILE_LOCKS",
     "its length is 24, and FILE_LOCKS of layout lease-1 has 16"},
    {"LockWithoutFileLocks", [](auto& i) { i.remove(309, 0); }, 310, 0, "FILE_LOCK",
     "no FILE_LOCKS announces this lock"},
    {"LockWithoutDescriptor",
     [](auto& i) { i.insert_before(301, 0, part(i).locks({breaking(1)})); }, 310, 0, "FILE_LOCK",
     "no FILE_DESC comes before it: nobody holds this lock"},
    {"LockTooShort", [](auto& i) { i.resize(310, 1, 32); }, 310, 1, "FILE_LOCK",
     "its length is 32, and FILE_LOCK of layout lease-1 has 40", kNoLayout},
    {"LockTooLong", [](auto& i) { i.resize(310, 1, 48); }, 310, 1, "FILE_LOCK",
     "its length is 48, and FILE_LOCK of layout lease-1 has 40", kNoLayout},
    {"TaskObjsTooShort", [](auto& i) { i.resize(105, 0, 19); }, 105, 0, "TASK_OBJS",
     "its length is 19, and it takes at least 20"},
    {"FilesObjrefToNothing", [](auto& i) { i.patch(105, 0, 8, 4, 8); }, 105, 0, "TASK_OBJS",
     "files_objref is 8, and no file table of that number comes before"},
    {"FilesObjrefToAFile", [](auto& i) { i.patch(105, 0, 8, 4, 2); }, 105, 0, "TASK_OBJS",
     "files_objref is 2, and no file table of that number comes before"},
    {"TaskObjsBeforeTask",
     [](auto& i) { i.insert_before(103, 0, part(i).table(50, 0).task_objs(50)); }, 105, 0,
     "TASK_OBJS", "no TASK comes before it"},
    {"TailTooShort", [](auto& i) { i.resize(9001, 0, 15); }, 9001, 0, "TAIL",
     "its length is 15, and it takes at least 16"},
    {"TailMagic", [](auto& i) { i.patch(9001, 0, 8, 8, 0xabc); }, 9001, 0, "TAIL",
     "its magic is 0x0000000000000abc, not 0x002d2a0cc0deef00"},
    {"NoTail", [](auto& i) { i.remove(9001); }, 105, 0, "TASK_OBJS",
     "the image ends after this record, without TAIL", kNoTail},
    {"Error", [](auto& i) { i.insert_before(105, 0, part(i).error("[err -12]\tno\x1b memory")); },
     5, 1, "STRING", "the checkpoint failed: [err -12]\\tno\\x1b memory",
     "the image ends here and cannot be restarted; take the checkpoint again"},
    {"ErrorWithoutString", [](auto& i) { i.insert_before(105, 0, part(i).record(9999)); }, 105, 0,
     "TASK_OBJS", "a STRING should stand here, with the message of ERROR"},
};

class SingleDamage : public ::testing::TestWithParam<Damage> {};

TEST_P(SingleDamage, IsNamedByReadImage) {
    const Damage& damage = GetParam();
    for (const ByteOrder order : kBothOrders) {
        ImageBuilder image = small_image(order);
        ASSERT_EQ(damage_of(image.bytes()), "");
        damage.make(image);
        const std::string expected = at(image.offset_of(damage.type, damage.nth), damage.record,
                                        damage.message, damage.hint);
        EXPECT_EQ(damage_of(image.bytes()), expected);
        const auto problems = problems_of(image.bytes());
        ASSERT_FALSE(problems.empty());
        EXPECT_EQ(problems.front(), expected) << "verify finds the same first";
    }
}

INSTANTIATE_TEST_SUITE_P(Damages, SingleDamage, ::testing::ValuesIn(kDamages),
                         [](const auto& param_info) { return std::string(param_info.param.name); });

TEST(Damages, OneLockMoreThanAnnounced) {
    ImageBuilder image = small_image();
    image.patch(309, 1, 8, 4, 1);
    EXPECT_EQ(damage_of(image.bytes()),
              at(image.offset_of(310, 2), "FILE_LOCK",
                 fmt::format("FILE_LOCKS at offset {} announces 1 locks, and this is one more",
                             image.offset_of(309, 1))));
}

TEST(Damages, WhatStandsBeforeTheDamageIsKept) {
    ImageBuilder image = small_image();
    image.patch(302, 1, 8, 4, 9);  // the second descriptor
    const Image found = read_bytes(image.bytes());
    EXPECT_TRUE(found.damage.has_value());
    EXPECT_EQ(paths_of(found), std::vector<std::string>{"/srv/a"});
    EXPECT_EQ(found.locks.at(0).offset, image.offset_of(310, 0));
    EXPECT_TRUE(holders_of(found, 0).empty()) << "TASK_OBJS was not reached";
}

TEST(Damages, BytesBehindTailAreOddAndNoDamage) {
    const std::string sound = small_image().bytes();
    const std::string expected =
        at(small_image().offset_of(9001), "TAIL", "7 bytes follow the end of the image",
           "they are kept as they are, and a restart does not read them");
    const Image image = read_bytes(sound + "garbage");
    EXPECT_FALSE(image.damage.has_value());
    EXPECT_TRUE(image.facts.complete);
    EXPECT_EQ(image.locks.size(), 3U);
    EXPECT_EQ(problems_of(sound + "garbage"), std::vector<std::string>{expected});
    // A second image behind the first is no image either: it is never looked at.
    EXPECT_FALSE(read_bytes(sound + sound).damage.has_value());
    EXPECT_EQ(read_bytes(sound + sound).locks.size(), 3U);
}

TEST(Damages, FilesInsideFilesWithoutEnd) {
    ImageBuilder nested;
    for (int i = 0; i < 300; ++i) {
        nested.objref(4, 1000 + i);
    }
    ImageBuilder image = small_image();
    image.insert_before(105, 0, nested);
    EXPECT_EQ(damage_of(image.bytes()), at(image.offset_of(6, 3 + 256), "OBJREF",
                                           "256 files are announced, and none of them follows"));
}

TEST(Damages, AFailedCheckpointIsNamedEvenWhereAListOfLocksBreaksOff) {
    // The kernel writes ERROR wherever it stands: that locks are missing is no news then.
    ImageBuilder image = small_image();
    ImageBuilder failed(image.order());
    image.patch(309, 1, 8, 4, 3).insert_before(105, 0, failed.error("[err -11] lock changed"));
    EXPECT_EQ(damage_of(image.bytes()),
              at(image.offset_of(5, 1), "STRING", "the checkpoint failed: [err -11] lock changed",
                 "the image ends here and cannot be restarted; take the checkpoint again"));
}

TEST(Damages, AFailedCheckpointIsNamedEvenWhereABufferIsMissing) {
    ImageBuilder image;
    image.header().record(102, image.payload().u32(1).u32(0)).error("[err -12] no memory");
    EXPECT_EQ(damage_of(image.bytes()),
              at(image.offset_of(5), "STRING", "the checkpoint failed: [err -12] no memory",
                 "the image ends here and cannot be restarted; take the checkpoint again"));
}

// Lengths of 4 GiB - 1 on each record in turn: found at once, whatever the record is.
TEST(Damages, TheLongestLengthAnywhere) {
    const ImageBuilder sound = small_image();
    const std::string bytes = sound.bytes();
    for (const std::uint64_t offset : sound.offsets()) {
        std::string changed = bytes;
        changed.replace(static_cast<std::size_t>(offset) + 4, 4, "\xff\xff\xff\xff");
        const Image image = read_bytes(changed);
        ASSERT_TRUE(image.damage.has_value()) << "record at " << offset;
        EXPECT_EQ(image.damage->offset, offset);
    }
}

}  // namespace
}  // namespace ckpt_lease::linux_cr
