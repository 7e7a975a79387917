// SPDX-License-Identifier: GPL-2.0-or-later
// What is said of each kind of record.
#include "linux_cr/describe.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "linux_cr/support.hpp"

namespace ckpt_lease::linux_cr {
namespace {

using namespace std::string_literals;
using test_support::breaking;
using test_support::HeaderValues;
using test_support::held;
using test_support::ImageBuilder;
using test_support::kWriteLock;
using test_support::LockValues;
using test_support::posix_lock;
using test_support::small_image;
using Texts = std::vector<std::string>;

// The facts of the `nth` record of `type`.
RecordFacts describe(const ImageBuilder& image, std::uint32_t type, std::size_t nth = 0,
                     const Layout& layout = default_layout()) {
    const std::string bytes = image.bytes();
    io::MemorySource source(std::string(kName), as_bytes(bytes));
    Walker walker(source, [](const Problem& problem) { FAIL() << to_string(problem); });
    while (walker.next()) {
        if (walker.record().type == type && nth-- == 0) {
            return describe_record(walker, layout);
        }
    }
    ADD_FAILURE() << "no record of type " << type;
    return {};
}

// "FILE_LOCKS: nr_locks=1": name, fields, and meanings in brackets.
std::string line(const RecordFacts& facts) {
    std::string text = facts.name + ":";
    for (const Fact& fact : facts.facts) {
        text += fmt::format(
            " {}={}", fact.name,
            fact.is_signed ? std::to_string(fact.signed_value()) : std::to_string(fact.value));
        text += fact.meaning.empty() ? "" : "[" + fact.meaning + "]";
    }
    return facts.is_text ? text + " '" + facts.text + "'" : text;
}

TEST(Describe, EachRecordThatMatters) {
    for (const ByteOrder order : kBothOrders) {
        const ImageBuilder image = small_image(order);
        EXPECT_EQ(line(describe(image, 1)),
                  "HEADER: magic=71755283111793152[0xfeed0cc0a2d200] arch_id=2[x86_64] major=2 "
                  "minor=6 patch=35 rev=6");
        EXPECT_EQ(line(describe(image, 4)), "BUFFER:");
        EXPECT_EQ(line(describe(image, 5)), "STRING: 'holder'");
        EXPECT_EQ(line(describe(image, 6)), "OBJREF: objtype=3[FILE_TABLE] objref=1");
        EXPECT_EQ(line(describe(image, 6, 1)), "OBJREF: objtype=4[FILE] objref=2");
        EXPECT_EQ(line(describe(image, 101)), "PIDS: nr_pids=1 nr_vpids=1 offset=1");
        EXPECT_EQ(line(describe(image, 102)), "TREE: nr_tasks=1");
        EXPECT_EQ(line(describe(image, 103)), "TASK:");
        EXPECT_EQ(line(describe(image, 105)),
                  "TASK_OBJS: files_objref=1 mm_objref=901 fs_objref=902");
        EXPECT_EQ(line(describe(image, 301)), "FILE_TABLE: nfds=2");
        EXPECT_EQ(line(describe(image, 302)),
                  "FILE_DESC: fd_objref=2 fd_descriptor=3 "
                  "fd_close_on_exec=1");
        EXPECT_EQ(line(describe(image, 303)), "FILE_NAME: '/srv/a'");
        EXPECT_EQ(line(describe(image, 304)),
                  "FILE: f_type=1[generic] f_mode=30[0x1e] f_flags=32770[0x8002] f_credref=5 "
                  "f_pos=4096");
        EXPECT_EQ(line(describe(image, 309)), "FILE_LOCKS: nr_locks=1");
        EXPECT_EQ(line(describe(image, 310)),
                  "FILE_LOCK: fl_start=0 fl_end=9223372036854775807[to the end] fl_rem_lease=5 "
                  "fl_rem_lease_nsec=250000000 fl_flags=32[FL_LEASE] "
                  "fl_type=18[F_UNLCK|F_INPROGRESS] fl_type_prev=1[F_WRLCK] fl_break_notified=1");
        EXPECT_EQ(line(describe(image, 9001)), "TAIL: magic=12712608215789312[0x2d2a0cc0deef00]");
    }
}

TEST(Describe, Locks) {
    ImageBuilder image;
    LockValues flock = held(kWriteLock);
    flock.flags = 2;
    flock.end = 1;
    LockValues odd = posix_lock(-5, 7);
    odd.flags = 35;
    odd.type = 9;
    image.record(1).file_lock(breaking(0xffffffff)).file_lock(flock).file_lock(odd);
    EXPECT_EQ(line(describe(image, 310, 0)),
              "FILE_LOCK: fl_start=0 fl_end=9223372036854775807[to the end] "
              "fl_rem_lease=4294967295[no deadline] fl_rem_lease_nsec=0 fl_flags=32[FL_LEASE] "
              "fl_type=18[F_UNLCK|F_INPROGRESS] fl_type_prev=1[F_WRLCK] fl_break_notified=1");
    EXPECT_EQ(
        line(describe(image, 310, 1)),
        "FILE_LOCK: fl_start=0 fl_end=1 fl_rem_lease=0 fl_rem_lease_nsec=0 "
        "fl_flags=2[FL_FLOCK] fl_type=1[F_WRLCK] fl_type_prev=0[F_RDLCK] fl_break_notified=0");
    EXPECT_EQ(line(describe(image, 310, 2)),
              "FILE_LOCK: fl_start=-5 fl_end=7 fl_rem_lease=0 fl_rem_lease_nsec=0 fl_flags=35 "
              "fl_type=9[unknown(9)] fl_type_prev=0[F_RDLCK] fl_break_notified=0");
}

TEST(Describe, FileTypes) {
    const Texts names{"", "generic", "pipe", "fifo", "socket", "tty", "epoll", "eventfd", ""};
    for (std::uint32_t type = 0; type < names.size(); ++type) {
        ImageBuilder image;
        EXPECT_EQ(describe(image.record(1).file(type), 304).facts.at(0).meaning, names[type]);
    }
}

TEST(Describe, ObjectTypes) {
    const std::vector<std::pair<std::uint32_t, std::string>> names{{1, "PID"},
                                                                   {2, "INODE"},
                                                                   {3, "FILE_TABLE"},
                                                                   {4, "FILE"},
                                                                   {5, "MM"},
                                                                   {6, "FS"},
                                                                   {7, "SIGHAND"},
                                                                   {8, "SIGNAL"},
                                                                   {9, "NS"},
                                                                   {10, "UTS_NS"},
                                                                   {11, "IPC_NS"},
                                                                   {12, "MNT_NS"},
                                                                   {13, "USER_NS"},
                                                                   {14, "CRED"},
                                                                   {15, "USER"},
                                                                   {16, "GROUPINFO"},
                                                                   {17, "SOCK"},
                                                                   {99, "type 99"},
                                                                   {0xffffffff, "type 4294967295"}};
    for (const auto& [type, name] : names) {
        ImageBuilder image;
        EXPECT_EQ(describe(image.record(1).objref(type, -7), 6).facts.at(0).meaning, name);
        EXPECT_EQ(describe(image, 6).facts.at(1).signed_value(), -7);
    }
}

TEST(Describe, TheNamesOfAllKnownTypes) {
    const std::vector<std::pair<std::uint32_t, std::string>> names{
        {2, "HEADER_ARCH"},    {3, "CONTAINER"},       {7, "LSM_INFO"},   {8, "SECURITY"},
        {104, "TASK_NS"},      {106, "RESTART_BLOCK"}, {107, "THREAD"},   {108, "CPU"},
        {109, "NS"},           {110, "UTS_NS"},        {111, "IPC_NS"},   {112, "MNT_NS"},
        {113, "CAPABILITIES"}, {114, "USER_NS"},       {115, "CRED"},     {116, "USER"},
        {117, "GROUPINFO"},    {118, "TASK_CREDS"},    {305, "PIPE_BUF"}, {306, "TTY"},
        {307, "TTY_LDISC"},    {308, "EPOLL_ITEMS"},   {401, "MM"},       {402, "VMA"},
        {404, "HPAGE"},        {405, "MM_CONTEXT"},    {451, "FS"},       {9999, "ERROR"}};
    for (const auto& [type, name] : names) {
        ImageBuilder image;
        const RecordFacts facts = describe(image.record(1).record(type, "12345678"), type);
        EXPECT_EQ(facts.name, name);
        EXPECT_TRUE(facts.facts.empty());
        EXPECT_FALSE(facts.is_text);
    }
}

TEST(Describe, TypesThatNoListKnowsAreNumbers) {
    ImageBuilder image;
    EXPECT_EQ(line(describe(image.record(1).record(7777, "???"), 7777)), "type 7777:");
}

TEST(Describe, PagesAreCounted) {
    ImageBuilder image;
    image.record(1).record(403, image.payload().u64(513));
    EXPECT_EQ(line(describe(image, 403)), "PGARR: nr_pages=513");
}

TEST(Describe, FieldsBeyondTheEndAreLeftOut) {
    ImageBuilder image = small_image();
    image.resize(302, 0, 16).resize(301, 0, 8).resize(1, 0, 19);
    EXPECT_EQ(line(describe(image, 302)), "FILE_DESC: fd_objref=2 fd_descriptor=3");
    EXPECT_EQ(line(describe(image, 301)), "FILE_TABLE:");
    EXPECT_EQ(line(describe(image, 1)),
              "HEADER: magic=71755283111793152[0xfeed0cc0a2d200] arch_id=2[x86_64]");
}

TEST(Describe, TextsEndAtTheirNul) {
    ImageBuilder image;
    image.record(1)
        .record(303, "/a\0junk"s)
        .record(303, "/unterminated")
        .record(303)
        .error("[err -16] busy")
        .record(5, "\0"s);
    EXPECT_EQ(line(describe(image, 303, 0)), "FILE_NAME: '/a'");
    EXPECT_EQ(line(describe(image, 303, 1)), "FILE_NAME: '/unterminated'");
    EXPECT_EQ(line(describe(image, 303, 2)), "FILE_NAME: ''");
    EXPECT_EQ(line(describe(image, 5, 0)), "STRING: '[err -16] busy'") << "behind the NUL";
    EXPECT_EQ(line(describe(image, 5, 1)), "STRING: ''");
}

TEST(Describe, LongTextsAreCut) {
    ImageBuilder image;
    image.record(1).record(5, std::string(100'000, 'x'));
    EXPECT_EQ(describe(image, 5).text, std::string(4096, 'x'));
}

TEST(Describe, ARecordThatIsCutOffBreaksTheWalk) {
    const std::string bytes = small_image().bytes().substr(0, 40);
    Texts problems;
    io::MemorySource source(std::string(kName), as_bytes(bytes));
    Walker walker(source,
                  [&](const Problem& problem) { problems.push_back(test_support::told(problem)); });
    ASSERT_TRUE(walker.next());
    EXPECT_EQ(describe_record(walker, default_layout()).facts.size(), 6U);
    EXPECT_FALSE(walker.next());
    EXPECT_EQ(problems.size(), 1U);
}

TEST(Describe, AMarkerIsTheEndOfAListAndNoLock) {
    Layout layout = default_layout();
    layout.list_end = MarkedList{{{layout.fl_flags, 0}, {layout.fl_type, 2}}};
    LockValues marker = held(2);
    marker.flags = 0;
    ImageBuilder image;
    image.record(1).file_lock(marker).file_lock(held(kWriteLock));
    EXPECT_EQ(describe(image, 310, 0, layout).name, "FILE_LOCK end");
    EXPECT_EQ(describe(image, 310, 1, layout).name, "FILE_LOCK");
    EXPECT_EQ(describe(image, 310, 0).name, "FILE_LOCK") << "lease-1 has no markers";
}

TEST(Describe, ALayoutMayNumberLocksOtherwise) {
    Layout layout = default_layout();
    layout.type = 555;
    std::get<CountedList>(layout.list_end).type = 556;
    ImageBuilder image;
    image.record(1)
        .record(556, image.payload().u32(3).u32(0))
        .record(555, "12345678")
        .file_locks(9);
    EXPECT_EQ(line(describe(image, 556, 0, layout)), "FILE_LOCKS: nr_locks=3");
    EXPECT_EQ(describe(image, 555, 0, layout).name, "FILE_LOCK");
    EXPECT_EQ(line(describe(image, 309, 0, layout)), "FILE_LOCKS:")
        << "known by name, not by field";
}

}  // namespace
}  // namespace ckpt_lease::linux_cr
