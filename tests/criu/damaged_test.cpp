// SPDX-License-Identifier: GPL-2.0-or-later
// What is shown of a checkpoint that is damaged, and what verify_checkpoint() says of it.
#include <functional>

#include "support.hpp"

namespace ckpt_lease::criu {
namespace {

using Images = std::map<std::string, std::string>;
using Change = std::function<void(Images&)>;

Checkpoint read_with(const Change& change) {
    Images images = small_checkpoint();
    change(images);
    MemoryFiles files(images);
    return read_checkpoint(files);
}

// All that is said of the small checkpoint when `change` was made to it.
Texts problems_with(const Change& change) {
    Images images = small_checkpoint();
    change(images);
    MemoryFiles files(images);
    Texts texts;
    static_cast<void>(verify_checkpoint(files, [&](const Problem& problem) {
        using Severity = Problem::Severity;
        texts.push_back((problem.severity == Severity::structure ? ""
                         : problem.severity == Severity::meaning ? "doubt: "
                                                                 : "warning: ") +
                        to_string(problem));
    }));
    return texts;
}

// "PID COMM, descriptor FD, PATH" of each lock.
Texts locks_of(const Checkpoint& checkpoint) {
    Texts texts;
    checkpoint.locks.for_each([&](const Lock& lock) {
        std::string text;
        for (const Task& task : checkpoint.locks.tasks(lock)) {
            text += std::to_string(task.pid) + " " + task.comm + ", ";
        }
        texts.push_back(text + "descriptor " + std::to_string(lock.fd) + ", " +
                        std::string(checkpoint.locks.path(lock)));
    });
    return texts;
}

std::string incomplete(const std::string& text) {
    return text + kIncompleteHint;
}

std::string copy_again(const std::string& text) {
    return text + kCopyAgain;
}

TEST(DamagedCheckpoint, ALockWithoutItsDescriptorHidesNoOther) {
    const Checkpoint checkpoint = read_with([](Images& images) {
        images["filelocks.img"] =
            kLocksHead + lock_entry(8, 0, 7, 4) + lock_entry(8, 6, 7, 3) + lock_entry(8, 6, 9, 3);
    });
    EXPECT_EQ(locks_of(checkpoint), (Texts{"7 holder, descriptor 4, ",
                                           "7 holder, descriptor 3, /srv/a", "descriptor 3, "}));
    ASSERT_TRUE(checkpoint.damage);
    EXPECT_EQ(to_string(*checkpoint.damage),
              incomplete("c/filelocks.img: offset 8: entry 0: process 7 has no descriptor 4"));
    EXPECT_EQ(checkpoint.left_out, 0U);
    EXPECT_EQ(checkpoint.locks.at(1).lease.type, LockType::unlck);
    EXPECT_EQ(checkpoint.details.at(1).openers, 1U);
}

TEST(DamagedCheckpoint, WhatIsKnownWithoutAnImageIsShown) {
    const auto without = [](const std::string& image) {
        const Checkpoint checkpoint = read_with([&](Images& images) { images.erase(image); });
        EXPECT_TRUE(checkpoint.damage) << image;
        return locks_of(checkpoint);
    };
    EXPECT_EQ(without("pstree.img"), Texts{"descriptor 3, "});
    EXPECT_EQ(without("core-7.img"), Texts{"7 , descriptor 3, /srv/a"});
    EXPECT_EQ(without("fdinfo-2.img"), Texts{"7 holder, descriptor 3, "});
    EXPECT_EQ(without("files.img"), Texts{"7 holder, descriptor 3, "});
}

TEST(DamagedCheckpoint, WhoIsSignalledIsNotMadeUp) {
    const auto owners_if = [](const Change& change) {
        return as_snapshot(read_with(change)).owners;
    };
    EXPECT_EQ(owners_if([](Images&) {}).at(0).id, 7);
    for (const std::string image : {"pstree.img", "fdinfo-2.img", "files.img"}) {
        EXPECT_TRUE(owners_if([&](Images& images) { images.erase(image); }).empty()) << image;
    }
    EXPECT_TRUE(owners_if([](Images& images) {
                    const Message file = Message().number(1, 5).number(2, 2).text(6, "/srv/a");
                    images["files.img"] =
                        kFilesHead + entry(Message().number(1, 1).number(2, 5).message(3, file));
                }).empty());
}

// What follows from a missing image is not said once more of each lock.
TEST(DamagedCheckpoint, EachThingThatIsWrongIsSaidOnce) {
    for (const std::string image : {"pstree.img", "core-7.img", "fdinfo-2.img", "files.img"}) {
        EXPECT_EQ(problems_with([&](Images& images) { images.erase(image); }),
                  Texts{incomplete("c/" + image + ": there is no such image")});
    }
    EXPECT_EQ(problems_with([](Images& images) {
                  images.erase("core-7.img");
                  images.erase("ids-7.img");
              }),
              Texts{incomplete("c/core-7.img: there is no such image")});
}

// A process that holds no lock, with a table of its own.
void add_bystander(Images& images) {
    images["pstree.img"] += process(8, 7);
    images["core-8.img"] = core("bystander");
    images["ids-8.img"] = ids(4);
    images["fdinfo-4.img"] = kFdinfoHead + fd_entry(5, 3);
}

TEST(DamagedCheckpoint, VerifyLooksAtTheImagesOfEveryProcess) {
    const auto problems_if = [](const Change& change) {
        return problems_with([&](Images& images) {
            add_bystander(images);
            change(images);
        });
    };
    EXPECT_EQ(problems_if([](Images&) {}), Texts{});
    EXPECT_EQ(problems_if([](Images& images) { images["fdinfo-4.img"].clear(); }),
              Texts{copy_again("c/fdinfo-4.img: offset 0: magic: the image ends after 0 bytes")});
    EXPECT_EQ(problems_if([](Images& images) { images["fdinfo-4.img"] += fd_entry(6, 3); }),
              Texts{copy_again("c/fdinfo-4.img: offset 20: entry 1: descriptor 3 stands twice")});
    EXPECT_EQ(problems_if([](Images& images) { images.erase("ids-8.img"); }),
              Texts{incomplete("c/ids-8.img: there is no such image")});
    EXPECT_EQ(problems_if([](Images& images) { images.erase("fdinfo-4.img"); }),
              Texts{"warning: c/fdinfo-4.img: there is no such image (CRIU writes none where a "
                    "process has no descriptors; if it had some, copy the checkpoint again)"});
    EXPECT_EQ(problems_if([](Images& images) {
                  images.erase("filelocks.img");
                  images.erase("files.img");
              }),
              Texts{incomplete("c/files.img: there is no such image")});
}

TEST(DamagedCheckpoint, ALivingTaskHasIds) {
    const auto without_ids = [](const Message& state) {
        return problems_with([&](Images& images) {
            add_bystander(images);
            images.erase("ids-8.img");
            images["core-8.img"] = kCoreHead + entry(Message().number(1, 1).message(3, state));
        });
    };
    for (const std::uint64_t living : {1U, 3U}) {
        EXPECT_EQ(without_ids(Message().number(1, living)).size(), 1U) << living;
    }
    for (const std::uint64_t dead : {2U, 6U}) {
        EXPECT_EQ(without_ids(Message().number(1, dead)), Texts{}) << dead;
    }
    // That the holder of a lock has none is not said once more of the lock.
    EXPECT_EQ(problems_with([](Images& images) { images.erase("ids-7.img"); }),
              Texts{incomplete("c/ids-7.img: there is no such image")});
    // The older ones have them in their core images.
    EXPECT_EQ(problems_with([](Images& images) {
                  images.erase("ids-7.img");
                  images["core-7.img"] =
                      kCoreHead + entry(Message()
                                            .number(1, 1)
                                            .message(3, Message().number(1, 1).text(6, "holder"))
                                            .message(4, Message().number(1, 9).number(2, 2)));
              }),
              Texts{});
}

TEST(DamagedCheckpoint, CutImages) {
    for (const std::string image :
         {"pstree.img", "core-7.img", "ids-7.img", "fdinfo-2.img", "files.img", "filelocks.img"}) {
        const Texts problems = problems_with([&](Images& images) { images[image].pop_back(); });
        ASSERT_EQ(problems.size(), 1U) << image;
        EXPECT_EQ(problems[0].rfind("c/" + image + ": offset 8: entry 0: it has ", 0), 0U)
            << problems[0];
    }
    const Checkpoint checkpoint = read_with(
        [](Images& images) { images["filelocks.img"] += lock_entry(8, 0, 7, 3).substr(0, 9); });
    EXPECT_EQ(locks_of(checkpoint), Texts{"7 holder, descriptor 3, /srv/a"});
    EXPECT_TRUE(checkpoint.damage);
    EXPECT_EQ(checkpoint.left_out, 1U);
}

TEST(DamagedCheckpoint, WhatIsNoLockIsLeftOut) {
    const Checkpoint checkpoint = read_with([](Images& images) {
        images["filelocks.img"] = kLocksHead + entry(Message().number(1, 8)) +
                                  lock_entry(1, 300, 7, 3) + lock_entry(1, 1, 7, 3, -1, 4) +
                                  lock_entry(8, 3, 7, 3) + lock_entry(8, 0, 7, 3, -1, 0);
    });
    EXPECT_EQ(checkpoint.left_out, 3U);
    ASSERT_EQ(checkpoint.locks.size(), 2U);
    EXPECT_EQ(to_string(checkpoint.locks.at(0).lease.type), "unknown(3)");
    EXPECT_EQ(checkpoint.details.at(0).entry.index, 3U);
}

TEST(DamagedCheckpoint, VerifySaysAllOfIt) {
    EXPECT_EQ(problems_with([](Images&) {}), Texts{});
    EXPECT_EQ(
        problems_with([](Images& images) {
            images["pstree.img"] += process(0, 7);
            images["filelocks.img"] = kLocksHead + entry(Message().number(1, 8)) +
                                      lock_entry(8, 6, 7, 4) + lock_entry(1, 300, 7, 3) +
                                      lock_entry(1, 1, 7, 3, -1, 4);
        }),
        (Texts{copy_again("c/pstree.img: offset 18: entry 1: 0 is no pid"),
               copy_again("c/filelocks.img: offset 8: entry 0: a lock without one of flag, type, "
                          "pid, fd, start and len"),
               incomplete("c/filelocks.img: offset 14: entry 1: process 7 has no descriptor 4"),
               incomplete("c/filelocks.img: offset 30: entry 2: 300 is no type of a lock"),
               incomplete("c/filelocks.img: offset 47: entry 3: 4 bytes from -1 on are no "
                          "range")}));
}

TEST(DamagedCheckpoint, VerifySaysWhatCriuCannotRestore) {
    EXPECT_EQ(problems_with([](Images& images) {
                  images["filelocks.img"] = kLocksHead + lock_entry(3, 0, 7, 3) +
                                            lock_entry(8, 2, 7, 3) + lock_entry(1, 7, 7, 3) +
                                            lock_entry(2, 96, 7, 3) + lock_entry(4, 1, 7, 3);
              }),
              (Texts{"doubt: c/filelocks.img: offset 8: entry 0: 3 is no kind of a lock (CRIU's "
                     "restore fails with it)",
                     "doubt: c/filelocks.img: offset 24: entry 1: a lease that is held and is "
                     "F_UNLCK (it is no lease)",
                     "doubt: c/filelocks.img: offset 40: entry 2: 7 is no type of such a lock "
                     "(CRIU's restore fails with it)"}));
    // It can be shown as it is, and is no damage.
    EXPECT_FALSE(read_with([](Images& images) {
                     images["filelocks.img"] = kLocksHead + lock_entry(8, 2, 7, 3);
                 }).damage);
}

TEST(DamagedCheckpoint, VerifySaysThatABreakIsLost) {
    const auto left_to_us = [](Images& images) {
        images["filelocks.img"] = edit_file_locks("c", images["filelocks.img"], [](const auto&) {
            return FileLockEdit{FileLockEdit::Action::hold, 1};
        });
    };
    EXPECT_EQ(problems_with(left_to_us),
              Texts{"doubt: c/filelocks.img: offset 8: entry 0: the state of this lease was left "
                    "to ckpt-lease.img, which is not there (copy it from where the tasks were "
                    "dumped to; without it the break is lost)"});
    EXPECT_EQ(problems_with([&](Images& images) {
                  left_to_us(images);
                  images["ckpt-lease.img"] = "";
              }),
              Texts{});
}

TEST(DamagedCheckpoint, WithoutAKnownVersionNothingIsRead) {
    const Change newer = [](Images& images) {
        images["inventory.img"] = kInventoryHead + entry(Message().number(1, 3));
    };
    const std::string message =
        "c/inventory.img: images of version 3: 1 and 2 are known (a newer ckpt-lease may know "
        "them)";
    EXPECT_EQ(problems_with(newer), Texts{message});
    EXPECT_EQ(damage([&] { read_with(newer); }), message);
}

TEST(DamagedCheckpoint, AFilelocksImageThatIsAnotherFileIsNotRead) {
    const Change other = [](Images& images) { images["filelocks.img"] = images["pstree.img"]; };
    EXPECT_EQ(problems_with(other).size(), 1U);
    EXPECT_EQ(damage([&] { read_with(other); }), problems_with(other).front());
}

TEST(DamagedCheckpoint, APreDumpIsNone) {
    const std::string message =
        "c: this is a pre-dump of CRIU: there are pages of memory, and no locks (give the dump "
        "that followed)";
    for (const Message& inventory :
         {Message().number(1, 0).number(8, 99), Message().number(1, 2).number(9, 1)}) {
        const Change pre_dump = [&](Images& images) {
            images = {{"inventory.img", kInventoryHead + entry(inventory)},
                      {"pagemap-7.img", kCommon}};
        };
        EXPECT_EQ(damage([&] { read_with(pre_dump); }), message);
        EXPECT_EQ(problems_with(pre_dump), Texts{message});
    }
}

}  // namespace
}  // namespace ckpt_lease::criu
