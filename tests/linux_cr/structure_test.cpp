// SPDX-License-Identifier: GPL-2.0-or-later
// Whose a lock is: what the order of the records says about files, tables and tasks.
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
using test_support::posix_lock;
using test_support::small_image;
using Texts = std::vector<std::string>;

// Everything below is a sound image: read_image() finds no damage, verify() nothing at all.
Image read_sound(const ImageBuilder& builder) {
    const std::string bytes = builder.bytes();
    EXPECT_EQ(problems_of(bytes), Texts{});
    Image image = read_bytes(bytes);
    EXPECT_FALSE(image.damage.has_value());
    EXPECT_TRUE(image.facts.complete);
    return image;
}

ImageBuilder begin(const std::vector<std::int32_t>& pids) {
    ImageBuilder image;
    std::vector<std::vector<std::int32_t>> numbers;
    std::vector<std::int32_t> vpids;
    for (const std::int32_t pid : pids) {
        numbers.push_back({pid});
        vpids.push_back(static_cast<std::int32_t>(numbers.size()));
    }
    image.header().pids(numbers).tree(vpids);
    return image;
}

TEST(Structure, ASmallImage) {
    for (const ByteOrder order : kBothOrders) {
        const ImageBuilder builder = small_image(order);
        const Image image = read_sound(builder);
        ASSERT_EQ(image.locks.size(), 3U);
        EXPECT_EQ(paths_of(image), (Texts{"/srv/a", "/srv/b", "/srv/b"}));
        EXPECT_EQ(image.facts.order, order);
        EXPECT_EQ(image.facts.records, builder.offsets().size());

        const Lock first = image.locks.at(0);
        EXPECT_EQ(first.index, 0U);
        EXPECT_EQ(first.offset, builder.offset_of(310, 0));
        EXPECT_EQ(first.fd, 3);
        EXPECT_EQ(first.kind, LockKind::lease);
        EXPECT_TRUE(first.lease.breaking);
        EXPECT_EQ(first.lease.type, LockType::unlck);
        EXPECT_EQ(first.lease.previous_type, LockType::wrlck);
        EXPECT_TRUE(first.lease.notified);
        EXPECT_EQ(first.lease.remaining, Remaining(Nanoseconds(5'250'000'000)));
        EXPECT_EQ(holders_of(image, 0), Texts{"7 holder"});

        const Lock third = image.locks.at(2);
        EXPECT_EQ(third.fd, 4);
        EXPECT_EQ(third.kind, LockKind::posix);
        EXPECT_EQ(third.range.start, 10);
        EXPECT_EQ(third.range.end, 99);
        EXPECT_EQ(third.lease.type, LockType::wrlck);
    }
}

TEST(Structure, ThreadsThatShareATableAllHoldItsLeases) {
    const Image image = read_sound(begin({10, 11, 12})
                                       .task("main")
                                       .table(1, 1)
                                       .open_file(2, "/f")
                                       .file_desc(2, 3)
                                       .locks({breaking(5)})
                                       .task_objs(1)
                                       .task("worker")
                                       .task_objs(1)
                                       .task("other")
                                       .table(9, 0)
                                       .task_objs(9)
                                       .tail());
    ASSERT_EQ(image.locks.size(), 1U);
    EXPECT_EQ(holders_of(image, 0), (Texts{"10 main", "11 worker"}));
}

TEST(Structure, ADupedDescriptorSharesTheFile) {
    const Image image = read_sound(begin({10})
                                       .task("t")
                                       .table(1, 2)
                                       .open_file(2, "/f")
                                       .file_desc(2, 3)
                                       .locks({breaking(5)})
                                       .file_desc(2, 8)
                                       .locks({breaking(5)})
                                       .task_objs(1)
                                       .tail());
    ASSERT_EQ(image.locks.size(), 2U);
    EXPECT_EQ(image.locks.at(0).file, image.locks.at(1).file);
    EXPECT_EQ(image.locks.at(1).fd, 8);
    EXPECT_EQ(paths_of(image), (Texts{"/f", "/f"}));
}

TEST(Structure, AnInheritedDescriptorSharesTheFileAndNotTheTable) {
    const Image image = read_sound(begin({10, 11})
                                       .task("parent")
                                       .table(1, 1)
                                       .open_file(2, "/f")
                                       .file_desc(2, 3)
                                       .locks({held(kWriteLock)})
                                       .task_objs(1)
                                       .task("child")
                                       .table(5, 1)
                                       .file_desc(2, 3)
                                       .locks({held(kWriteLock)})
                                       .task_objs(5)
                                       .tail());
    ASSERT_EQ(image.locks.size(), 2U);
    EXPECT_EQ(image.locks.at(0).file, image.locks.at(1).file);
    EXPECT_NE(image.locks.at(0).table, image.locks.at(1).table);
    EXPECT_EQ(holders_of(image, 0), Texts{"10 parent"});
    EXPECT_EQ(holders_of(image, 1), Texts{"11 child"});
}

TEST(Structure, CredentialsMayStandBetweenAnObjrefAndItsFile) {
    const Image image = read_sound(begin({10})
                                       .task("t")
                                       .table(1, 1)
                                       .objref(4, 2)
                                       .objref(14, 3)  // CRED
                                       .objref(13, 4)  // USER_NS
                                       .record(114, "........")
                                       .objref(16, 5)  // GROUPINFO
                                       .record(116, "........")
                                       .record(115, std::string(88, 'c'))
                                       .file()
                                       .file_name("/with credentials")
                                       .file_desc(2, 3)
                                       .locks({breaking(5)})
                                       .task_objs(1)
                                       .tail());
    EXPECT_EQ(paths_of(image), Texts{"/with credentials"});
}

TEST(Structure, AFileInsideAFileComesFirst) {
    // FILE belongs to the innermost OBJREF of a file that still waits for one.
    const Image image = read_sound(begin({10})
                                       .task("t")
                                       .table(1, 2)
                                       .objref(4, 2)
                                       .open_file(3, "/inner")
                                       .file()
                                       .file_name("/outer")
                                       .file_desc(2, 3)
                                       .locks({breaking(1)})
                                       .file_desc(3, 4)
                                       .locks({breaking(2)})
                                       .task_objs(1)
                                       .tail());
    EXPECT_EQ(paths_of(image), (Texts{"/outer", "/inner"}));
}

TEST(Structure, AFileMayBeKnownBeforeTheTable) {
    // Mapped files are written with the memory of a task, the table of the next task refers to
    // them.
    const Image image = read_sound(begin({10, 11})
                                       .task("maps")
                                       .table(1, 0)
                                       .record(401, std::string(112, 'm'))
                                       .open_file(6, "/lib/mapped")
                                       .record(402, std::string(72, 'v'))
                                       .task_objs(1)
                                       .task("opens")
                                       .table(7, 1)
                                       .file_desc(6, 0)
                                       .locks({held(kReadLock)})
                                       .task_objs(7)
                                       .tail());
    EXPECT_EQ(paths_of(image), Texts{"/lib/mapped"});
    EXPECT_EQ(holders_of(image, 0), Texts{"11 opens"});
}

TEST(Structure, ObjrefsNeedNotGrow) {
    const Image image = read_sound(begin({10})
                                       .task("t")
                                       .table(900, 2)
                                       .open_file(700, "/first")
                                       .file_desc(700, 0)
                                       .locks({held(kReadLock)})
                                       .open_file(2, "/second")
                                       .file_desc(2, 1)
                                       .locks({held(kReadLock)})
                                       .task_objs(900)
                                       .tail());
    EXPECT_EQ(paths_of(image), (Texts{"/first", "/second"}));
}

TEST(Structure, TheDirectoriesOfATaskNameNoFile) {
    // A pipe has no name, and those of FS behind it are not its.
    const Image image = read_sound(begin({10})
                                       .task("t")
                                       .table(1, 1)
                                       .objref(4, 2)
                                       .file(2)
                                       .record(305, std::string(40, 'p'))
                                       .file_desc(2, 3)
                                       .locks({posix_lock(0, 1)})
                                       .objref(4, 3)
                                       .file(3)
                                       .fs(4, "/root", "/home")
                                       .file_name("/nobody's")
                                       .task_objs(1)
                                       .tail());
    EXPECT_EQ(paths_of(image), Texts{""});
    EXPECT_EQ(image.locks.ownership().path(static_cast<FileId>(1)), "");
}

TEST(Structure, AFileWithoutANameHasAnEmptyPath) {
    const Image image = read_sound(begin({10})
                                       .task("t")
                                       .table(1, 2)
                                       .objref(4, 2)
                                       .file(4)
                                       .open_file(3, "/named")
                                       .file_desc(2, 3)
                                       .locks({held(kReadLock)})
                                       .file_desc(3, 4)
                                       .locks({held(kReadLock)})
                                       .task_objs(1)
                                       .tail());
    EXPECT_EQ(paths_of(image), (Texts{"", "/named"}));
}

TEST(Structure, ADeadTaskHasNoObjects) {
    const Image image = read_sound(begin({10, 11, 12})
                                       .task("parent")
                                       .table(1, 1)
                                       .open_file(2, "/f")
                                       .file_desc(2, 3)
                                       .locks({breaking(5)})
                                       .task_objs(1)
                                       .task("dead")
                                       .task("alive")
                                       .task_objs(1)
                                       .tail());
    EXPECT_EQ(holders_of(image, 0), (Texts{"10 parent", "12 alive"}));
}

TEST(Structure, PayloadsThatLookLikeLocksAreNoLocks) {
    ImageBuilder bait;
    bait.locks({breaking(1), breaking(2)}).file_desc(2, 99).tail();
    const Image image = read_sound(begin({10})
                                       .task("t")
                                       .table(1, 1)
                                       .open_file(2, "/f")
                                       .record(4, bait.bytes())
                                       .record(703, "odd" + bait.bytes())
                                       .file_desc(2, 3)
                                       .locks({breaking(5)})
                                       .task_objs(1)
                                       .tail());
    ASSERT_EQ(image.locks.size(), 1U);
    EXPECT_EQ(image.locks.at(0).fd, 3);
}

TEST(Structure, UnknownRecordsMayStandInsideAListOfLocks) {
    const Image image = read_sound(begin({10})
                                       .task("t")
                                       .table(1, 1)
                                       .open_file(2, "/f")
                                       .file_desc(2, 3)
                                       .file_locks(2)
                                       .record(7777, "???")
                                       .file_lock(posix_lock(0, 5))
                                       .record(0xffffffff)
                                       .file_lock(posix_lock(6, 7))
                                       .task_objs(1)
                                       .tail());
    ASSERT_EQ(image.locks.size(), 2U);
    EXPECT_EQ(image.locks.at(1).range.start, 6);
}

TEST(Structure, AListOfLocksMayBeEmpty) {
    const Image image = read_sound(begin({10})
                                       .task("t")
                                       .table(1, 1)
                                       .open_file(2, "/f")
                                       .file_desc(2, 3)
                                       .locks({})
                                       .task_objs(1)
                                       .tail());
    EXPECT_EQ(image.locks.size(), 0U);
}

TEST(Structure, BeforeV23PidsStandInTree) {
    ImageBuilder image;
    HeaderValues old;
    old.rev = 5;
    image.header(old)
        .tree({4242, 4243})
        .task("a")
        .table(1, 1)
        .open_file(2, "/f")
        .file_desc(2, 3)
        .locks({breaking(5)})
        .task_objs(1)
        .task("b")
        .task_objs(1)
        .tail();
    const Image found = read_sound(image);
    EXPECT_EQ(holders_of(found, 0), (Texts{"4242 a", "4243 b"}));
    EXPECT_EQ(found.facts.revision, 5);
}

TEST(Structure, PidsAreThoseOfTheContainer) {
    // Pids of nested namespaces have several numbers; TREE refers to the entries by place.
    ImageBuilder image;
    image.header()
        .pids({{1, 500}, {20}, {3, 501, 601}}, 100)
        .tree({102, 100})
        .task("inner")
        .table(1, 1)
        .open_file(2, "/f")
        .file_desc(2, 3)
        .locks({breaking(5)})
        .task_objs(1)
        .task("init")
        .task_objs(1)
        .tail();
    const Image found = read_sound(image);
    EXPECT_EQ(holders_of(found, 0), (Texts{"3 inner", "1 init"}));
}

TEST(Structure, OlderHeadersHaveFewerConstants) {
    for (const std::size_t constants : {std::size_t{0}, std::size_t{4}, std::size_t{8}}) {
        for (const ByteOrder order : kBothOrders) {
            HeaderValues values;
            values.arch_id = 3;
            values.minor = 7;
            values.constants = constants;
            values.time = 1234567890;
            values.uflags = 0x5555;
            ImageBuilder image(order);
            image.header(values).tree({1}).task("t").table(1, 0).task_objs(1).tail();
            const ImageFacts facts = read_sound(image).facts;
            EXPECT_EQ(facts.time, 1234567890U);
            EXPECT_EQ(facts.arch, "s390x");
            EXPECT_EQ(facts.kernel_version, "2.7.35");
            EXPECT_EQ(facts.uts_release, "2.6.35-ckpt");
        }
    }
}

TEST(Structure, ArchitecturesThatNobodyKnowsAreNumbers) {
    HeaderValues values;
    values.arch_id = 77;
    ImageBuilder image(ByteOrder::big);
    image.header(values).tree({1}).task("t").table(1, 0).task_objs(1).tail();
    EXPECT_EQ(read_sound(image).facts.arch, "unknown(77)");
}

}  // namespace
}  // namespace ckpt_lease::linux_cr
