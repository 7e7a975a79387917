// SPDX-License-Identifier: GPL-2.0-or-later
// Images that are made, and read again.
#include "linux_cr/new_image.hpp"

#include <gtest/gtest.h>

#include "support.hpp"

namespace ckpt_lease::linux_cr {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kTaken = 1795418174;

LeaseState breaking(Remaining remaining) {
    return {true, LockType::unlck, LockType::wrlck, true, remaining};
}

// Two processes with descriptors of their own, one open file in both of their tables, and a thread
// that shares the first one's.
class NewImageTest : public testing::Test {
 protected:
    NewImageTest() {
        image_.facts.time = kTaken;
        image_.facts.uts_release = "6.1.0-test";
        image_.facts.uts_version = "#1 SMP";
        image_.facts.uts_machine = "x86_64";
        Ownership& ownership = image_.locks.ownership();
        first_ = ownership.add_table();
        second_ = ownership.add_table();
        image_.tasks = {{{7, 4207}, -1, 0, "holder", first_},
                        {{8, 4208}, 0, 0, "holder", first_},
                        {{9, 4209}, 0, 2, "child", second_}};
        shared_ = ownership.add_file();
        ownership.set_path(shared_, "/srv/a");
        own_ = ownership.add_file();
        ownership.set_path(own_, "/srv/b");
    }

    void add(TableId table, std::int32_t fd, FileId file, const LeaseState& state) {
        Lock lock;
        lock.index = image_.locks.size();
        lock.fd = fd;
        lock.file = file;
        lock.table = table;
        lock.kind = LockKind::lease;
        lock.lease = state;
        lock.range.end = kToEndOfFile;
        image_.locks.add(lock);
    }

    [[nodiscard]] Image made() const { return read_bytes(make_image(image_, default_layout())); }

    NewImage image_;
    TableId first_{};
    TableId second_{};
    FileId shared_{};
    FileId own_{};
};

TEST_F(NewImageTest, IsWhole) {
    const std::string bytes = make_image(image_, default_layout());
    EXPECT_EQ(problems_of(bytes), std::vector<std::string>());
    const Image image = read_bytes(bytes);
    EXPECT_FALSE(image.damage);
    EXPECT_TRUE(image.facts.complete);
    EXPECT_EQ(image.facts.time, kTaken);
    EXPECT_EQ(image.facts.uts_release, "6.1.0-test");
    EXPECT_EQ(image.facts.uts_version, "#1 SMP");
    EXPECT_EQ(image.facts.arch, "x86_64");
    EXPECT_EQ(image.locks.size(), 0U);
}

TEST_F(NewImageTest, LeasesAreReadAsTheyWereAdded) {
    const LeaseState held{false, LockType::rdlck};
    add(first_, 3, shared_, breaking(Remaining(4004ms)));
    add(first_, 5, own_, held);
    add(second_, 3, shared_, breaking(Remaining(4004ms)));
    const Image image = made();
    ASSERT_EQ(image.locks.size(), 3U);
    EXPECT_EQ(paths_of(image), (std::vector<std::string>{"/srv/a", "/srv/b", "/srv/a"}));
    EXPECT_EQ(image.locks.at(0).fd, 3);
    EXPECT_EQ(image.locks.at(0).lease, breaking(Remaining(4004ms)));
    EXPECT_EQ(image.locks.at(1).fd, 5);
    EXPECT_EQ(image.locks.at(1).lease, held);
    EXPECT_EQ(image.locks.at(0).file, image.locks.at(2).file) << "one open file, in two tables";
    EXPECT_EQ(holders_of(image, 0), (std::vector<std::string>{"7 holder", "8 holder"}));
    EXPECT_EQ(holders_of(image, 2), (std::vector<std::string>{"9 child"}));
}

TEST_F(NewImageTest, TimesThatAreNone) {
    add(first_, 3, own_, breaking(Remaining::no_deadline()));
    add(first_, 4, shared_, breaking(Remaining::not_known()));
    const Image image = made();
    EXPECT_EQ(image.locks.at(0).lease.remaining, Remaining::no_deadline());
    EXPECT_EQ(image.locks.at(1).lease.remaining, Remaining::not_known());
}

TEST_F(NewImageTest, OwnersStandBehindTheirLeases) {
    add(first_, 3, own_, breaking(Remaining(1s)));
    add(first_, 4, shared_, breaking(Remaining(2s)));
    const LeaseOwner owner{LeaseOwner::Kind::thread, 8, 1000, 0, 34};
    image_.owners = {LeaseOwner(), owner};
    const Image image = made();
    ASSERT_EQ(image.owners.size(), 2U);
    EXPECT_EQ(image.owners.at(0), LeaseOwner());
    EXPECT_EQ(image.owners.at(1), owner);
}

TEST_F(NewImageTest, TheCheckpointIsNamed) {
    add(first_, 3, own_, breaking(Remaining(1s)));
    EXPECT_EQ(made().facts.checkpoint_id, 0U);
    image_.facts.checkpoint_id = 0x0123456789abcdef;
    EXPECT_EQ(made().facts.checkpoint_id, 0x0123456789abcdefU);
}

TEST_F(NewImageTest, LongNamesAreCutOff) {
    image_.tasks[0].comm = "a-name-of-more-than-15-bytes";
    image_.facts.uts_release = std::string(100, 'r');
    add(first_, 3, own_, breaking(Remaining(1s)));
    const Image image = made();
    EXPECT_EQ(holders_of(image, 0).front(), "7 a-name-of-more-");
    EXPECT_EQ(image.facts.uts_release, std::string(64, 'r'));
}

}  // namespace
}  // namespace ckpt_lease::linux_cr
