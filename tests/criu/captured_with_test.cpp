// SPDX-License-Identifier: GPL-2.0-or-later
// Whether captured leases are those of a checkpoint.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "criu/captured_leases.hpp"
#include "support.hpp"

namespace ckpt_lease::criu {
namespace {

using Images = std::map<std::string, std::string>;

constexpr std::uint64_t kUptime = 12'340'000;
constexpr const char* kOther =
    "these leases were captured with another dump than the one that is here";

// As ckpt-lease made it of all images before there was anything else.
std::uint64_t old_id_of(const Images& images) {
    const std::string& inventory = images.at("inventory.img");
    return XXH3_64bits(inventory.data(), inventory.size());
}

std::uint64_t id_of(const Images& images) {
    MemoryFiles files(images);
    return checkpoint_id(files);
}

struct Held {
    std::int32_t pid = 7;
    std::int32_t fd = 3;
    std::string path = "/srv/a";
};

// Each through an open file of its own, or all through one.
LockList leases_of(const std::vector<Held>& leases, bool is_one_file = false) {
    LockList locks;
    std::map<std::int32_t, TableId> tables;  // by pid
    for (const Held& lease : leases) {
        Lock lock;
        lock.index = locks.size();
        lock.offset = 100 * (lock.index + 1);
        lock.fd = lease.fd;
        lock.file = is_one_file && lock.index > 0 ? FileId{} : locks.ownership().add_file();
        locks.ownership().set_path(lock.file, lease.path);
        const auto [table, is_new] = tables.try_emplace(lease.pid);
        if (is_new) {
            table->second = locks.ownership().add_table();
            locks.ownership().add_task(table->second, {lease.pid, "holder"});
        }
        lock.table = table->second;
        lock.kind = LockKind::lease;
        locks.add(lock);
    }
    return locks;
}

// What is said of the captured lease of the small checkpoint; empty: that it is of `images`.
std::string mismatch(const Images& images, std::uint64_t id,
                     const LockList& leases = leases_of({Held()})) {
    MemoryFiles files(images);
    try {
        check_captured_with(files, id, leases);
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), Error::Kind::refused);
        EXPECT_EQ(error.problem().file, "c/ckpt-lease.img");
        const bool is_certain = error.problem().hint ==
                                "if this one was dumped without CRIU's action script, remove it";
        EXPECT_TRUE(is_certain ||
                    error.problem().hint ==
                        "if CRIU's images were changed with crit, put back those that were dumped; "
                        "this image cannot be used with another dump");
        return (is_certain ? "certain: " : "") + error.problem().message;
    }
    return "";
}

Images checkpoint_with(const std::string& inventory, const std::string& timens = "") {
    Images images = small_checkpoint();
    images["inventory.img"] = inventory;
    if (!timens.empty()) {
        images["timens-0.img"] = timens;
    }
    return images;
}

// In containers pids and descriptors are the same in each dump.
TEST(CapturedWith, AnInventoryThatIsDamagedIsNotPassedOver) {
    const std::uint64_t id = id_of(checkpoint_with(inventory(0, "run-1")));
    const std::uint64_t clocks = id_of(checkpoint_with(inventory(0, ""), timens(5, 9)));
    for (const auto& [images, of] :
         {std::pair(checkpoint_with(inventory(0, "run-1").substr(0, 9)), id),
          std::pair(checkpoint_with(inventory(0, ""), timens(5, 9).substr(0, 9)), clocks)}) {
        MemoryFiles files(images);
        EXPECT_THROW(
            {
                try {
                    check_captured_with(files, of, leases_of({Held()}));
                } catch (const Error& error) {
                    EXPECT_EQ(error.kind(), Error::Kind::damaged);
                    EXPECT_NE(error.problem().file, "c/ckpt-lease.img");
                    throw;
                }
            },
            Error);
    }
}

TEST(CheckpointId, TellsDumpsApartByWhatCriuWritesAnew) {
    EXPECT_NE(id_of(checkpoint_with(inventory(kUptime, ""))),
              id_of(checkpoint_with(inventory(kUptime + 10'000, ""))));
    EXPECT_NE(id_of(checkpoint_with(inventory(0, "run-1"))),
              id_of(checkpoint_with(inventory(0, "run-2"))));
    EXPECT_NE(id_of(checkpoint_with(inventory(0, ""), timens(5, 9))),
              id_of(checkpoint_with(inventory(0, ""), timens(5, 10))));
}

TEST(CheckpointId, IsThatOfTheSameDumpAfterCrit) {
    EXPECT_EQ(id_of(checkpoint_with(inventory(kUptime, "", 1))),
              id_of(checkpoint_with(inventory(kUptime, "", 2))));
    EXPECT_EQ(id_of(checkpoint_with(inventory(kUptime, "run-1", 1))),
              id_of(checkpoint_with(inventory(kUptime, "run-1", 2))));
    // An older crit(1) leaves the id of the run out.
    EXPECT_EQ(id_of(checkpoint_with(inventory(0, "run-1"), timens(5, 9))),
              id_of(checkpoint_with(inventory(0, "", 2), timens(5, 9))));
}

TEST(CheckpointId, WhereTheDumpHasNoneOfThemItIsThatOfTheFirstImages) {
    const Images images = checkpoint_with(inventory(0, ""));
    EXPECT_EQ(id_of(images), old_id_of(images));
    EXPECT_EQ(id_of(checkpoint_with(inventory(0, ""), "damaged")), old_id_of(images));
}

TEST(CapturedWith, TheSameDumpWhateverCritHasChanged) {
    const Images dumped = checkpoint_with(inventory(kUptime, "run-1"), timens(5, 9));
    Images changed = checkpoint_with(inventory(kUptime, "run-1", 2), timens(5, 9));
    changed["files.img"] = kFilesHead + file_entry(5, "/elsewhere/a", 2, 7);
    EXPECT_EQ(mismatch(changed, id_of(dumped)), "");
}

TEST(CapturedWith, AnotherDumpIsTold) {
    const Images dumped = checkpoint_with(inventory(kUptime, ""));
    EXPECT_EQ(mismatch(checkpoint_with(inventory(kUptime + 10'000, "")), id_of(dumped)),
              std::string("certain: ") + kOther);
    // The bytes of inventory.img are the same, as without --track-mem they often are.
    EXPECT_EQ(mismatch(checkpoint_with(inventory(0, ""), timens(6, 10)),
                       id_of(checkpoint_with(inventory(0, ""), timens(5, 9)))),
              std::string("certain: ") + kOther);
}

TEST(CapturedWith, ImagesThatSayNoDumpAreTakenForOnesOfIt) {
    EXPECT_EQ(mismatch(small_checkpoint(), 0), "");
}

TEST(CapturedWith, OlderImagesAreTakenWhereTheBytesAreTheSame) {
    const Images dumped = checkpoint_with(inventory(kUptime, "run-1"), timens(5, 9));
    EXPECT_EQ(mismatch(dumped, old_id_of(dumped)), "");
}

// Their hash is of all bytes: it does not tell another dump from one that crit(1) has changed.
TEST(CapturedWith, OlderImagesOfOtherBytesMayBeOfThisDump) {
    const Images dumped = checkpoint_with(inventory(kUptime, ""));
    EXPECT_EQ(mismatch(checkpoint_with(inventory(kUptime, "", 2)), old_id_of(dumped)),
              std::string(kOther) + ", or inventory.img was changed since");
}

// Without a time in it, inventory.img tells no dump from another: what the leases are decides.
TEST(CapturedWith, WhereNothingTellsTheDumpTheLeasesDo) {
    const Images dumped = checkpoint_with(inventory(0, ""));
    const Images changed = checkpoint_with(inventory(0, "", 2));
    EXPECT_EQ(mismatch(changed, id_of(dumped)), "");
    EXPECT_EQ(mismatch(changed, id_of(dumped), leases_of({{}, {7, 4, "/srv/b"}})),
              "these leases do not fit the checkpoint: process 7 holds a lease on descriptor 4, "
              "and filelocks.img has none there");
    EXPECT_EQ(mismatch(changed, id_of(dumped), leases_of({{8, 3, "/srv/a"}})),
              "these leases do not fit the checkpoint: process 8 holds a lease on descriptor 3, "
              "and filelocks.img has none there");
    Images without = changed;
    without.erase("filelocks.img");
    EXPECT_NE(mismatch(without, id_of(dumped)), "");
    EXPECT_EQ(mismatch(without, id_of(dumped), LockList()), "");
}

// CRIU has a lease that several descriptors share once.
TEST(CapturedWith, OneOfItsDescriptorsIsEnoughForALease) {
    const Images dumped = checkpoint_with(inventory(0, ""));
    EXPECT_EQ(mismatch(checkpoint_with(inventory(0, "", 2)), id_of(dumped),
                       leases_of({{7, 9, "/srv/a"}, {7, 3, "/srv/a"}}, true)),
              "");
}

// Tasks that share a table of many leases: what is kept must not be one times the other.
TEST(CapturedWith, WhatManyTasksShareIsKeptOnce) {
    constexpr int kMany = 20000;
    LockList locks;
    const TableId table = locks.ownership().add_table();
    for (int i = 0; i < kMany; ++i) {
        locks.ownership().add_task(table, {i + 1, "holder"});
        Lock lock;
        lock.index = locks.size();
        lock.fd = i;
        lock.file = locks.ownership().add_file();
        lock.table = table;
        lock.kind = LockKind::lease;
        locks.add(lock);
    }
    const Images images = checkpoint_with(inventory(0, "", 2));
    EXPECT_EQ(mismatch(images, id_of(checkpoint_with(inventory(0, ""))), locks),
              "these leases do not fit the checkpoint: process 1 holds a lease on descriptor 0, "
              "and filelocks.img has none there");
    const CapturedLeases captured({1, kMany}, locks, std::vector<LeasedFile>(kMany));
    // It is found: of one that is not, the entry would be removed.
    const FileLockEntry last{
        .flag = kFlLease, .type = kLeaseBreaking, .pid = kMany, .fd = kMany - 1};
    EXPECT_EQ(captured.decide(last, {}).action, FileLockEdit::Action::set_type);
}

Texts differences(const Images& images, const LockList& leases) {
    MemoryFiles files(images);
    Texts texts;
    compare_captured(
        files, read_checkpoint(files), "c/ckpt-lease.img", leases, [&](const Problem& problem) {
            texts.push_back((problem.severity == Problem::Severity::warning ? "warning: " : "") +
                            to_string(problem));
        });
    return texts;
}

TEST(CompareCaptured, WhatFitsIsNotSpokenOf) {
    EXPECT_EQ(differences(small_checkpoint(), leases_of({Held()})), Texts{});
    EXPECT_EQ(differences(small_checkpoint(), leases_of({{7, 3, "/srv/a (deleted)"}})), Texts{});
}

TEST(CompareCaptured, AnotherPathIsAWarning) {
    EXPECT_EQ(differences(small_checkpoint(), leases_of({{7, 3, "/srv/b"}})),
              Texts{"warning: c/ckpt-lease.img: offset 100: lock 0: it was captured on /srv/b, and "
                    "the checkpoint has /srv/a there (it is set after a restore only if files may "
                    "be elsewhere then)"});
}

TEST(CompareCaptured, ALeaseWithoutItsEntry) {
    EXPECT_EQ(differences(small_checkpoint(), leases_of({{}, {8, 3, "/srv/b"}})),
              Texts{"c/ckpt-lease.img: offset 200: lock 1: process 8 holds a lease on descriptor "
                    "3, and filelocks.img has none there (where processes were given other pids, "
                    "or descriptors other numbers, it is not set after a restore)"});
}

TEST(CompareCaptured, AnEntryThatWasLeftToAnotherImage) {
    Images images = small_checkpoint();
    images["filelocks.img"] = edit_file_locks("c", images["filelocks.img"], [](const auto&) {
        return FileLockEdit{FileLockEdit::Action::hold, 1};
    });
    EXPECT_EQ(differences(images, leases_of({Held()})), Texts{});
    EXPECT_EQ(differences(images, LockList()),
              Texts{"c/filelocks.img: offset 8: entry 0: the state of this lease was left to "
                    "ckpt-lease.img, which does not have it (copy the images of one dump "
                    "together; without its state the lease is lost)"});
}

}  // namespace
}  // namespace ckpt_lease::criu
