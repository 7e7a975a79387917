// SPDX-License-Identifier: GPL-2.0-or-later
#include "criu/checkpoint.hpp"

#include <functional>

#include "criu/file_locks.hpp"
#include "io/system.hpp"
#include "support.hpp"

namespace ckpt_lease::criu {
namespace {

using Images = std::map<std::string, std::string>;

Checkpoint read(const Images& images) {
    MemoryFiles files(images);
    return read_checkpoint(files);
}

void read_sound(const Images& images) {
    MemoryFiles files(images);
    static_cast<void>(read_sound_checkpoint(files));
}

// What is said of the small checkpoint when `change` was made to it.
std::string damage_with(const std::function<void(Images&)>& change) {
    Images images = small_checkpoint();
    change(images);
    return damage([&] { read_sound(images); });
}

std::string missing(const std::string& image) {
    return damage_with([&](Images& images) { images.erase(image); });
}

// "PID COMM" of all that hold a lock.
Texts holders_of(const Checkpoint& checkpoint, std::size_t index) {
    Texts texts;
    for (const Task& task : checkpoint.locks.tasks(checkpoint.locks.at(index))) {
        texts.push_back(std::to_string(task.pid) + " " + task.comm);
    }
    return texts;
}

TEST(Checkpoint, ALeaseThatIsBeingBroken) {
    const Checkpoint checkpoint = read(small_checkpoint());
    EXPECT_EQ(checkpoint.name, "c");
    EXPECT_EQ(checkpoint.tasks.root_pid, 7);
    EXPECT_EQ(checkpoint.tasks.count, 1U);
    EXPECT_TRUE(checkpoint.tasks.has_file_locks);
    EXPECT_FALSE(checkpoint.tasks.has_captured);
    ASSERT_EQ(checkpoint.locks.size(), 1U);
    const Lock lock = checkpoint.locks.at(0);
    EXPECT_EQ(lock.offset, 8U);
    EXPECT_EQ(lock.fd, 3);
    EXPECT_EQ(lock.kind, LockKind::lease);
    EXPECT_TRUE(is_breaking(lock));
    EXPECT_EQ(lock.lease.type, LockType::unlck);
    EXPECT_EQ(lock.lease.previous_type, std::nullopt);
    EXPECT_TRUE(lock.lease.notified);
    EXPECT_EQ(checkpoint.locks.path(lock), "/srv/a");
    EXPECT_EQ(holders_of(checkpoint, 0), Texts{"7 holder"});
}

// CRIU's images do not have the type before; but only a write lease can be downgraded.
TEST(Checkpoint, ALeaseThatBecomesAReadLeaseWasAWriteLease) {
    Images images = small_checkpoint();
    images["filelocks.img"] = kLocksHead + lock_entry(kFlLease, kLeaseBreaking + 0, 7, 3);
    const Lock lock = read(images).locks.at(0);
    EXPECT_TRUE(is_breaking(lock));
    EXPECT_EQ(lock.lease.type, LockType::rdlck);
    EXPECT_EQ(lock.lease.previous_type, LockType::wrlck);
}

// CRIU restores a write lease that is held; field 50001 has what it found.
TEST(Checkpoint, ABreakThatIsLeftToUsIsOne) {
    Images images = small_checkpoint();
    images["filelocks.img"] =
        kLocksHead + bytes_of("10 00 00 00 08 08 10 01 18 07 20 03 28 00 30 00 88 b5 18 06");
    const Lock lock = read(images).locks.at(0);
    EXPECT_TRUE(is_breaking(lock));
    EXPECT_EQ(lock.lease.type, LockType::unlck);
    EXPECT_EQ(lock.lease.previous_type, LockType::wrlck);
    EXPECT_FALSE(lock.lease.remaining.is_known());
    images["filelocks.img"] =
        kLocksHead + bytes_of("10 00 00 00 08 08 10 03 18 07 20 03 28 00 30 00 88 b5 18 06");
    EXPECT_EQ(damage([&] { read_sound(images); }),
              std::string("c/filelocks.img: offset 8: entry 0: 3 is no type of a lock") +
                  kIncompleteHint);
}

TEST(Checkpoint, KnowsWhomADescriptorSignals) {
    const Checkpoint checkpoint = read(small_checkpoint());
    ASSERT_EQ(checkpoint.details.size(), 1U);
    const LockDetails& details = checkpoint.details[0];
    EXPECT_EQ(details.owner, (LeaseOwner{LeaseOwner::Kind::process, 7, 1000, 1001, 37}));
    EXPECT_EQ(details.open_flags, 2U);
    EXPECT_EQ(details.entry.type, 6U);
    EXPECT_TRUE(details.is_writable());
}

// The same path can be another file in another mount namespace.
TEST(Checkpoint, OnlyTheHoldersOwnDescriptorTellsWhetherItsFileIsOpenForWriting) {
    const auto is_writable = [](const std::string& files) {
        Images images = small_checkpoint();
        images["files.img"] = kFilesHead + files;
        return read(images).details.at(0).is_writable();
    };
    EXPECT_FALSE(is_writable(file_entry(5, "/srv/a", 0)));
    EXPECT_TRUE(is_writable(file_entry(5, "/srv/a", 1)));
    EXPECT_TRUE(is_writable(file_entry(5, "/srv/a", 2)));
    EXPECT_FALSE(is_writable(file_entry(5, "/srv/a", 0) + file_entry(6, "/srv/a", 1)));
}

TEST(Checkpoint, LocksOfEachKind) {
    Images images = small_checkpoint();
    images["filelocks.img"] = kLocksHead + lock_entry(8, 0, 7, 3) + lock_entry(1, 1, 7, 3, 100, 8) +
                              lock_entry(2, 0, 7, 3) + lock_entry(4, 1, 7, 3, 5, 0);
    const Checkpoint checkpoint = read(images);
    ASSERT_EQ(checkpoint.locks.size(), 4U);
    const Lock held = checkpoint.locks.at(0);
    EXPECT_EQ(held.kind, LockKind::lease);
    EXPECT_EQ(held.lease, LeaseState{});
    const Lock posix = checkpoint.locks.at(1);
    EXPECT_EQ(posix.kind, LockKind::posix);
    EXPECT_EQ(posix.lease.type, LockType::wrlck);
    EXPECT_EQ(posix.range.start, 100);
    EXPECT_EQ(posix.range.end, 107);
    EXPECT_EQ(checkpoint.locks.at(2).kind, LockKind::flock);
    const Lock ofd = checkpoint.locks.at(3);
    EXPECT_EQ(ofd.kind, LockKind::other);
    EXPECT_EQ(ofd.range.start, 5);
    EXPECT_EQ(ofd.range.end, kToEndOfFile);
}

TEST(CheckpointSnapshot, SaysWhatCriuSays) {
    Images images = small_checkpoint();
    images["filelocks.img"] = kLocksHead + lock_entry(1, 1, 7, 3, 100, 8) + lock_entry(8, 0, 7, 3);
    Checkpoint checkpoint = read(images);
    const LeaseOwner owner = checkpoint.details.at(1).owner.value();
    const Snapshot snapshot = as_snapshot(std::move(checkpoint));
    EXPECT_EQ(snapshot.origin.name, "c");
    EXPECT_EQ(snapshot.origin.format, Format::criu);
    ASSERT_TRUE(snapshot.origin.criu);
    EXPECT_EQ(snapshot.origin.criu->count, 1U);
    EXPECT_EQ(snapshot.origin.criu->root_pid, 7);
    EXPECT_TRUE(snapshot.origin.criu->has_file_locks);
    EXPECT_FALSE(snapshot.origin.criu->has_captured);
    EXPECT_EQ(snapshot.locks.size(), 2U);
    EXPECT_EQ(snapshot.owners, (LeaseOwners{{1, owner}})) << "of leases only";
    // What CRIU's images have no word for is absent.
    EXPECT_FALSE(snapshot.origin.encoding || snapshot.origin.layout || snapshot.origin.complete ||
                 snapshot.origin.kernel || snapshot.origin.taken || snapshot.damage);
}

TEST(Checkpoint, TasksThatShareTheirFiles) {
    Images images = small_checkpoint();
    images["pstree.img"] = kPstreeHead + process(7, 0) + process(8, 7) + process(9, 7);
    images["core-8.img"] = core("shares");
    images["ids-8.img"] = ids(2);
    images["core-9.img"] = core("apart");
    images["ids-9.img"] = ids(3);
    images["fdinfo-3.img"] = kFdinfoHead + fd_entry(5, 10);
    images["filelocks.img"] += lock_entry(8, 6, 9, 10);
    const Checkpoint checkpoint = read(images);
    EXPECT_EQ(checkpoint.tasks.count, 3U);
    EXPECT_EQ(holders_of(checkpoint, 0), (Texts{"7 holder", "8 shares"}));
    EXPECT_EQ(holders_of(checkpoint, 1), Texts{"9 apart"});
    EXPECT_EQ(checkpoint.locks.at(0).file, checkpoint.locks.at(1).file) << "one struct file";
}

TEST(Checkpoint, OlderVersionsHaveTheIdsInCoreImages) {
    Images images = small_checkpoint();
    images.erase("ids-7.img");
    const Message task_core = Message().number(1, 1).text(6, "holder");
    images["core-7.img"] =
        kCoreHead +
        entry(Message().number(1, 1).message(3, task_core).message(4, Message().number(2, 2)));
    EXPECT_EQ(holders_of(read(images), 0), Texts{"7 holder"});
}

TEST(Checkpoint, OlderVersionsHaveAnImageOfRegularFilesOnly) {
    Images images = small_checkpoint();
    images.erase("files.img");
    images["reg-files.img"] =
        kRegFilesHead + entry(Message().number(1, 5).number(2, 0).text(6, "/old"));
    const Checkpoint checkpoint = read(images);
    EXPECT_EQ(checkpoint.locks.path(checkpoint.locks.at(0)), "/old");
}

TEST(Checkpoint, WithoutLocks) {
    Images images = small_checkpoint();
    images.erase("filelocks.img");
    images.erase("files.img");
    images.erase("fdinfo-2.img");
    images["ckpt-lease.img"] = "";
    const Checkpoint checkpoint = read(images);
    EXPECT_FALSE(checkpoint.tasks.has_file_locks);
    EXPECT_TRUE(checkpoint.tasks.has_captured);
    EXPECT_EQ(checkpoint.locks.size(), 0U);
}

TEST(Checkpoint, ADeadTaskHasNoFiles) {
    Images images = small_checkpoint();
    images["pstree.img"] += process(8, 7);
    images["core-8.img"] = core("dead");
    EXPECT_EQ(read(images).tasks.count, 2U);
    images["filelocks.img"] += lock_entry(8, 0, 8, 3);
    EXPECT_EQ(damage([&] { read_sound(images); }),
              std::string("c/filelocks.img: offset 24: entry 1: process 8 has no descriptors") +
                  kIncompleteHint);
}

TEST(Checkpoint, ALockOnAFileWithoutAName) {
    Images images = small_checkpoint();
    images["fdinfo-2.img"] = kFdinfoHead + fd_entry(5, 3, 3);
    const Checkpoint checkpoint = read(images);
    EXPECT_EQ(checkpoint.locks.path(checkpoint.locks.at(0)), "");
}

TEST(Checkpoint, AnImageThatIsMissing) {
    for (const std::string image :
         {"inventory.img", "pstree.img", "core-7.img", "fdinfo-2.img", "files.img"}) {
        EXPECT_EQ(missing(image), "c/" + image + ": there is no such image" + kIncompleteHint);
    }
}

TEST(Checkpoint, AnImageWithoutEntries) {
    for (const auto& [image, head] : Images{{"inventory.img", kInventoryHead},
                                            {"pstree.img", kPstreeHead},
                                            {"core-7.img", kCoreHead},
                                            {"ids-7.img", kIdsHead}}) {
        EXPECT_EQ(damage_with([&, i = image, h = head](Images& images) { images[i] = h; }),
                  "c/" + image + ": the image has no entry" + kIncompleteHint);
    }
}

TEST(Checkpoint, AVersionThatIsNotKnown) {
    EXPECT_EQ(
        damage_with([](Images& images) {
            images["inventory.img"] = kInventoryHead + entry(Message().number(1, 3));
        }),
        "c/inventory.img: images of version 3: 1 and 2 are known (a newer ckpt-lease may know "
        "them)");
}

TEST(Checkpoint, APidThatIsNone) {
    for (const auto& [pid, name] :
         {std::pair(std::uint64_t{0}, "0"), std::pair(std::uint64_t{1} << 31U, "2147483648")}) {
        EXPECT_EQ(
            damage_with([p = pid](Images& images) { images["pstree.img"] += process(p, 7); }),
            std::string("c/pstree.img: offset 18: entry 1: ") + name + " is no pid" + kCopyAgain);
    }
    EXPECT_EQ(
        damage_with([](Images& images) { images["pstree.img"] += process(7, 7); }),
        std::string("c/pstree.img: offset 18: entry 1: a second process with pid 7") + kCopyAgain);
}

TEST(Checkpoint, ADescriptorThatStandsTwice) {
    EXPECT_EQ(
        damage_with([](Images& images) { images["fdinfo-2.img"] += fd_entry(6, 3); }),
        std::string("c/fdinfo-2.img: offset 20: entry 1: descriptor 3 stands twice") + kCopyAgain);
}

// What is said of a checkpoint whose lock is `lock`.
std::string damage_of_lock(const std::string& lock) {
    std::string said =
        damage_with([&](Images& images) { images["filelocks.img"] = kLocksHead + lock; });
    const std::string begin = "c/filelocks.img: offset 8: entry 0: ";
    EXPECT_EQ(said.substr(0, begin.size()), begin);
    return said.substr(std::min(begin.size(), said.size()));
}

TEST(Checkpoint, ALockOfNobody) {
    EXPECT_EQ(damage_of_lock(lock_entry(8, 6, 8, 3)),
              std::string("there is no process 8") + kIncompleteHint);
    EXPECT_EQ(damage_of_lock(lock_entry(8, 6, -1, 3)),
              std::string("there is no process -1") + kIncompleteHint);
    EXPECT_EQ(damage_of_lock(lock_entry(8, 6, 7, 4)),
              std::string("process 7 has no descriptor 4") + kIncompleteHint);
}

TEST(Checkpoint, ALockOnAFileThatIsNotOpen) {
    EXPECT_EQ(
        damage_with(
            [](Images& images) { images["files.img"] = kFilesHead + file_entry(6, "/srv/b"); }),
        std::string("c/filelocks.img: offset 8: entry 0: file 5 is not among the open files") +
            kIncompleteHint);
}

TEST(Checkpoint, ATypeThatIsNone) {
    EXPECT_EQ(damage_of_lock(lock_entry(8, 3, 7, 3)),
              std::string("3 is no type of a lock") + kIncompleteHint);
    EXPECT_EQ(damage_of_lock(lock_entry(8, 8, 7, 3)),
              std::string("8 is no type of a lock") + kIncompleteHint);
    EXPECT_EQ(damage_of_lock(lock_entry(1, 256, 7, 3)),
              std::string("256 is no type of a lock") + kIncompleteHint);
}

TEST(Checkpoint, ARangeThatIsNone) {
    EXPECT_EQ(damage_of_lock(lock_entry(1, 1, 7, 3, -1, 4)),
              std::string("4 bytes from -1 on are no range") + kIncompleteHint);
    EXPECT_EQ(damage_of_lock(lock_entry(1, 1, 7, 3, 4, -1)),
              std::string("-1 bytes from 4 on are no range") + kIncompleteHint);
    EXPECT_EQ(damage_of_lock(lock_entry(1, 1, 7, 3, 1, INT64_MAX)),
              std::string("9223372036854775807 bytes from 1 on are no range") + kIncompleteHint);
}

// What tests/images/criu-4.2/README.md says of it.
TEST(Checkpoint, OfCriu) {
    const auto files = checkpoint_at(std::string(TEST_IMAGES) + "/criu-4.2");
    const Checkpoint checkpoint = read_checkpoint(*files);
    EXPECT_EQ(checkpoint.tasks.root_pid, 12529);
    EXPECT_EQ(checkpoint.tasks.count, 3U);
    ASSERT_EQ(checkpoint.locks.size(), 4U);
    Texts texts;
    checkpoint.locks.for_each([&](const Lock& lock) {
        const auto index = static_cast<std::size_t>(lock.index);
        const LockDetails& details = checkpoint.details[index];
        texts.push_back(std::to_string(lock.fd) + " " + std::string(to_string(lock.kind)) +
                        (is_breaking(lock) ? " to " : " ") + to_string(lock.lease.type) + " " +
                        std::string(checkpoint.locks.path(lock)) + " " +
                        std::to_string(details.owner.value().id) + " " +
                        std::to_string(details.owner.value().signal) +
                        (details.is_writable() ? " written" : ""));
        EXPECT_EQ(holders_of(checkpoint, index), Texts{"12529 job"});
    });
    EXPECT_EQ(texts, (Texts{"3 lease to F_UNLCK /srv/job/write-break 12529 37 written",
                            "4 lease to F_RDLCK /srv/job/downgrade 12529 37",
                            "5 lease F_RDLCK /srv/job/held 12529 37",
                            "6 posix F_WRLCK /srv/job/locked 0 0 written"}));
}

}  // namespace
}  // namespace ckpt_lease::criu
