// SPDX-License-Identifier: GPL-2.0-or-later
// Edits carried out in place, and in a copy.
#include "rewrite/writers.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <thread>
#include <vector>

#include "writers_support.hpp"

namespace ckpt_lease {
namespace {

using Names = std::set<std::string>;

TEST(WriteInPlace, ReplacesTheBytes) {
    ImageFolder x;
    x.write_in_place_with(kernel());
    EXPECT_TRUE(read_whole(x.path()) == x.after());
    EXPECT_EQ(x.folder().names(), Names{"x.img"});
}

TEST(WriteInPlace, LeavesTheFileTheSameFile) {
    ImageFolder x;
    const struct timespec times[] = {{1000000000, 5}, {1100000000, 6}};
    ASSERT_EQ(utimensat(AT_FDCWD, x.path().c_str(), times, 0), 0);
    const struct stat before = status_of(x.path());
    x.write_in_place_with(kernel());
    const struct stat after = status_of(x.path());
    EXPECT_EQ(after.st_ino, before.st_ino);
    EXPECT_EQ(after.st_mode, before.st_mode);
    EXPECT_EQ(after.st_uid, before.st_uid);
    EXPECT_EQ(after.st_gid, before.st_gid);
    EXPECT_GT(after.st_mtim.tv_sec, before.st_mtim.tv_sec) << "it was modified now";
    EXPECT_EQ(attribute_of(x.path()), kAttributeValue);
}

TEST(WriteInPlace, ASymbolicLinkStaysALink) {
    ImageFolder x;
    ASSERT_EQ(symlink("x.img", (x.folder() / "link").c_str()), 0);
    ImageFile image(kernel(), x.folder() / "link", kForWriting);
    write_in_place(image, x.edits(), {}, {});
    EXPECT_TRUE(S_ISLNK(status_of(x.folder() / "link").st_mode));
    EXPECT_TRUE(read_whole(x.path()) == x.after());
    EXPECT_EQ(x.folder().names(), (Names{"link", "x.img"}));
}

TEST(WriteInPlace, TheJournalOfALinkedImageIsBesideTheImage) {
    ImageFolder x;
    const TempFolder elsewhere;
    const std::string link = elsewhere / "link";
    ASSERT_EQ(symlink(x.path().c_str(), link.c_str()), 0);
    FakeSystem system;
    system.fail_call("unlink", 1, EIO);  // of the journal
    system.fail_all("fdatasync", EIO);
    ImageFile image(system, link, kForWriting);
    EXPECT_THROW(write_in_place(image, x.edits(), {}, {}), Error);
    EXPECT_EQ(x.folder().names(), (Names{"x.img", "x.img.ckpt-lease-journal"}));
    EXPECT_EQ(elsewhere.names(), Names{"link"});
}

TEST(WriteInPlace, DoesNothingAtAllWithoutEdits) {
    ImageFolder x;
    x.edits().clear();
    FakeSystem system;
    ImageFile image(system, x.path(), kForWriting);
    const struct stat before = status_of(x.path());
    const int calls = system.count("fstat");
    write_in_place(image, x.edits(), {}, {});
    EXPECT_EQ(status_of(x.path()).st_ctim.tv_nsec, before.st_ctim.tv_nsec);
    EXPECT_EQ(system.count("fstat"), calls);
}

TEST(WriteInPlace, RefusesAFileWithSeveralNames) {
    ImageFolder x;
    ASSERT_EQ(link(x.path().c_str(), (x.folder() / "second").c_str()), 0);
    EXPECT_EQ(message_of(Error::Kind::io, [&] { x.write_in_place_with(kernel()); }),
              x.path() +
                  ": the file has several names (hard links): others, perhaps a backup, would "
                  "change too, and not see the journal of an interrupted change [write_elsewhere]");
    EXPECT_TRUE(read_whole(x.path()) == x.before());
    EXPECT_EQ(x.folder().names(), (Names{"second", "x.img"}));
}

TEST(WriteInPlace, RefusesWhatIsNotRegular) {
    ImageFolder x;
    ImageFile null(kernel(), "/dev/null", kForWriting);
    EXPECT_EQ(message_of(Error::Kind::io, [&] { write_in_place(null, x.edits(), {}, {}); }),
              "/dev/null: only regular files can be rewritten in place [write_elsewhere]");
}

TEST(WriteInPlace, RefusesBytesThatHaveChanged) {
    ImageFolder x;
    std::string other = x.before();
    other[25] = static_cast<char>(~other[25]);
    write_whole(x.path(), other);
    EXPECT_EQ(message_of(Error::Kind::damaged, [&] { x.write_in_place_with(kernel()); }),
              x.path() +
                  ": offset 25: the bytes here have changed since they were read (somebody else "
                  "writes to this file; nothing was changed in it)");
    EXPECT_EQ(read_whole(x.path()), other);
    EXPECT_EQ(x.folder().names(), Names{"x.img"});
}

TEST(WriteInPlace, ProgressMayStopItAndNothingIsLeft) {
    ImageFolder x;
    ImageFile image(kernel(), x.path(), kForWriting);
    EXPECT_EQ(message_of(Error::Kind::interrupted,
                         [&] {
                             write_in_place(image, x.edits(), {}, [](std::uint64_t) {
                                 throw Error(Error::Kind::interrupted, {.message = "stop"});
                             });
                         }),
              "stop");
    EXPECT_TRUE(read_whole(x.path()) == x.before());
    EXPECT_EQ(x.folder().names(), Names{"x.img"});
}

TEST(WriteInPlace, ANameOfAnyLengthHasRoomForAJournal) {
    ImageFolder x;
    const std::string path = x.folder() / std::string(255, 'n');
    std::filesystem::rename(x.path(), path);
    ImageFile image(kernel(), path, kForWriting);
    write_in_place(image, x.edits(), {}, {});
    EXPECT_EQ(read_whole(path), x.after());
    EXPECT_EQ(x.folder().names(), Names{std::string(255, 'n')});
}

// What must be on disk before what: the order is the whole point.
TEST(WriteInPlace, FlushesTheJournalThenTheImageThenItsEnd) {
    ImageFolder x;
    FakeSystem system;
    std::vector<std::string> calls;
    system.before_calls([&](const std::string& name) {
        const std::set<std::string> told{"write",     "pwrite", "fsync",
                                         "fdatasync", "rename", "unlink"};
        if (told.count(name) != 0) {
            calls.push_back(name);
        }
    });
    x.write_in_place_with(system);
    EXPECT_EQ(calls, (std::vector<std::string>{"write", "write", "fsync", "rename", "fsync",  //
                                               "pwrite", "pwrite", "fdatasync",               //
                                               "unlink", "fsync"}));
}

TEST(WriteInPlace, AnUndoFileKeepsTheOldBytes) {
    ImageFolder x;
    const std::string undo_file = x.folder() / "undo";
    {
        ImageFile image(kernel(), x.path(), kForWriting);
        write_in_place(image, x.edits(), undo_file, {});
    }
    EXPECT_EQ(x.folder().names(), (Names{"undo", "x.img"}));
    EXPECT_EQ(status_of(undo_file).st_mode & 07777U, 0640U) << "as the image";
    const Journal journal = read_journal(io::File(kernel(), undo_file, O_RDONLY));
    EXPECT_EQ(journal.image, std::filesystem::canonical(x.path()).string());
    ImageFile image(kernel(), x.path(), kForWriting);
    EXPECT_EQ(undo(image, journal, undo_file, false, {}), Undone::now);
    EXPECT_TRUE(read_whole(x.path()) == x.before());
    EXPECT_EQ(undo(image, journal, undo_file, false, {}), Undone::already);
}

TEST(WriteInPlace, AnUndoFileReplacesNothing) {
    ImageFolder x;
    const std::string undo_file = x.folder() / "undo";
    write_whole(undo_file, "mine");
    ImageFile image(kernel(), x.path(), kForWriting);
    EXPECT_EQ(
        message_of(Error::Kind::io, [&] { write_in_place(image, x.edits(), undo_file, {}); }),
        undo_file +
            ": this file is there already, and an undo file does not replace it (give the undo "
            "file another name)");
    EXPECT_EQ(read_whole(undo_file), "mine");
    EXPECT_TRUE(read_whole(x.path()) == x.before());
}

TEST(WriteInPlace, AnUndoFileCannotBeTheJournal) {
    ImageFolder x;
    const std::string journal = "x.img.ckpt-lease-journal";
    std::filesystem::create_directory_symlink(".", x.folder() / "here");
    ImageFile image(kernel(), x.path(), kForWriting);
    for (const std::string& undo_file : {x.folder() / journal, x.folder() / ("here/" + journal)}) {
        EXPECT_EQ(
            message_of(Error::Kind::io, [&] { write_in_place(image, x.edits(), undo_file, {}); }),
            undo_file +
                ": this is where the journal of the change stands while it is made (give the undo "
                "file another name)");
    }
    EXPECT_EQ(x.folder().names(), (Names{"here", "x.img"}));
    EXPECT_TRUE(read_whole(x.path()) == x.before());
}

TEST(WriteInPlace, AnUndoFileOfAFailedChangeGoesAway) {
    ImageFolder x;
    FakeSystem system;
    system.fail_call("fdatasync", 1, EIO);
    ImageFile image(system, x.path(), kForWriting);
    EXPECT_EQ(message_of(Error::Kind::io,
                         [&] { write_in_place(image, x.edits(), x.folder() / "undo", {}); }),
              x.path() + ": cannot flush to disk: Input/output error (the image is as it was)");
    EXPECT_EQ(x.folder().names(), Names{"x.img"});
    EXPECT_TRUE(read_whole(x.path()) == x.before());
}

TEST(WriteInPlace, WhatCannotBeTakenBackKeepsItsJournal) {
    ImageFolder x;
    FakeSystem system;
    system.fail_all("fdatasync", EIO);
    EXPECT_EQ(message_of(Error::Kind::io, [&] { x.write_in_place_with(system); }),
              x.path() +
                  ": cannot flush to disk: Input/output error (the change could not be taken "
                  "back either: " +
                  x.path() + ": cannot flush to disk: Input/output error) [recover_first]");
    EXPECT_EQ(x.folder().names(), (Names{"x.img", "x.img.ckpt-lease-journal"}));
    const ImageFile again(kernel(), x.path(), kForWriting);
    EXPECT_TRUE(again.was_interrupted());
    EXPECT_TRUE(read_whole(x.path()) == x.before());
    EXPECT_EQ(x.folder().names(), Names{"x.img"});
}

TEST(WriteCopy, MakesANewFileWithTheModeOfTheImage) {
    ImageFolder x;
    x.write_copy_with(kernel(), x.out());
    EXPECT_TRUE(read_whole(x.out()) == x.after());
    EXPECT_TRUE(read_whole(x.path()) == x.before());
    EXPECT_EQ(status_of(x.out()).st_mode & 07777U, 0640U);
    EXPECT_EQ(x.folder().names(), (Names{"out.img", "x.img"}));
}

TEST(WriteCopy, IsACopyEvenWithoutEdits) {
    ImageFolder x;
    x.edits().clear();
    x.write_copy_with(kernel(), x.out());
    EXPECT_TRUE(read_whole(x.out()) == x.before());
}

TEST(WriteCopy, ReplacesAFileAndLeavesItsMode) {
    ImageFolder x;
    write_whole(x.out(), std::string(100000, 'o'));
    ASSERT_EQ(chmod(x.out().c_str(), 0604), 0);
    x.write_copy_with(kernel(), x.out());
    EXPECT_TRUE(read_whole(x.out()) == x.after());
    EXPECT_EQ(status_of(x.out()).st_mode & 07777U, 0604U);
    EXPECT_EQ(x.folder().names(), (Names{"out.img", "x.img"}));
}

TEST(WriteCopy, FollowsALinkToTheFileThatIsReplaced) {
    ImageFolder x;
    write_whole(x.out(), "old");
    ASSERT_EQ(symlink("out.img", (x.folder() / "link").c_str()), 0);
    x.write_copy_with(kernel(), x.folder() / "link");
    EXPECT_TRUE(S_ISLNK(status_of(x.folder() / "link").st_mode));
    EXPECT_TRUE(read_whole(x.out()) == x.after());
}

TEST(WriteCopy, RefusesAPlaceWithAJournal) {
    ImageFolder x;
    for (const bool is_there : {false, true}) {
        if (is_there) {
            write_whole(x.out(), "old");
        }
        write_whole(x.out() + ".ckpt-lease-journal", "j");
        const std::string journal =
            std::filesystem::canonical(x.folder() / ".").string() + "/out.img.ckpt-lease-journal";
        const std::string text =
            message_of(Error::Kind::io, [&] { x.write_copy_with(kernel(), x.out()); });
        EXPECT_EQ(text, x.out() + ": there is a journal of an interrupted change to this file: " +
                            (is_there ? journal : x.out() + ".ckpt-lease-journal") +
                            " [recover_or_remove_journal]");
    }
    EXPECT_EQ(read_whole(x.out()), "old");
}

// It can be read and copied, but not rewritten: nothing could stand beside it.
TEST(WriteInPlace, RefusesAFileWithoutAName) {
    ImageFolder x;
    const io::File file(kernel(), x.path(), O_RDWR);
    std::filesystem::remove(x.path());
    const std::string door = "/proc/self/fd/" + std::to_string(file.fd());
    ImageFile image(kernel(), door, kForWriting);
    EXPECT_EQ(message_of(Error::Kind::io, [&] { write_in_place(image, x.edits(), {}, {}); }),
              door +
                  ": the file has no name any more, and no journal could stand beside it "
                  "[write_elsewhere]");
    EXPECT_EQ(message_of(Error::Kind::io, [&] { replace_file(image, as_bytes("new")); }),
              door + ": the file has no name any more [write_elsewhere]");
    EXPECT_NO_THROW(write_copy(image, x.edits(), x.out(), {}));
    EXPECT_TRUE(read_whole(x.out()) == x.after());
}

TEST(WriteCopy, WritesIntoAPipe) {
    ImageFolder x(patterned(700000));
    ASSERT_EQ(mkfifo(x.out().c_str(), 0600), 0);
    std::string found;
    std::jthread reader([&] { found = read_whole(x.out()); });
    x.write_copy_with(kernel(), x.out());
    reader.join();
    EXPECT_TRUE(found == x.after());
    EXPECT_TRUE(S_ISFIFO(status_of(x.out()).st_mode));
    EXPECT_EQ(x.folder().names(), (Names{"out.img", "x.img"}));
}

TEST(WriteCopy, WritesIntoADevice) {
    ImageFolder x;
    x.write_copy_with(kernel(), "/dev/null");
    EXPECT_TRUE(S_ISCHR(status_of("/dev/null").st_mode));
    EXPECT_EQ(
        message_of(Error::Kind::io, [&] { x.write_copy_with(kernel(), "/dev/full"); }),
        "/dev/full: cannot write: No space left on device (free some space) [write_elsewhere]");
}

TEST(WriteCopy, ErrorsNameTheOutput) {
    ImageFolder x;
    const std::string nowhere = x.folder() / "none/out";
    EXPECT_EQ(message_of(Error::Kind::io, [&] { x.write_copy_with(kernel(), nowhere); }),
              nowhere + ": cannot create a file beside it: No such file or directory");
    EXPECT_EQ(message_of(Error::Kind::io, [&] { x.write_copy_with(kernel(), x.folder() / "."); }),
              x.folder() / "." + ": cannot open: Is a directory");
}

TEST(FindOutput, LeadsThroughLinksToRegularFiles) {
    ImageFolder x;
    ASSERT_EQ(symlink("x.img", (x.folder() / "link").c_str()), 0);
    const Output output = find_output(kernel(), x.folder() / "link");
    ASSERT_TRUE(output.takes_file);
    EXPECT_EQ(output.path, std::filesystem::canonical(x.path()).string());
    ASSERT_TRUE(output.replaced.has_value());
    EXPECT_EQ(output.replaced->status().st_mode & 07777U, 0640U);
}

TEST(FindOutput, IsThePathItselfWhereNothingIs) {
    const TempFolder folder;
    const Output output = find_output(kernel(), folder / "new");
    ASSERT_TRUE(output.takes_file);
    EXPECT_EQ(output.path, folder / "new");
    EXPECT_FALSE(output.replaced.has_value());
}

TEST(FindOutput, IsNoneWhereADeviceOrAFolderIs) {
    const TempFolder folder;
    EXPECT_FALSE(find_output(kernel(), "/dev/null").takes_file);
    EXPECT_FALSE(find_output(kernel(), folder / ".").takes_file);
}

TEST(WriteCopy, ALinkThatLeadsToNothingIsNotReplaced) {
    ImageFolder x;
    ASSERT_EQ(symlink("target", x.out().c_str()), 0);
    EXPECT_EQ(message_of(Error::Kind::io, [&] { x.write_copy_with(kernel(), x.out()); }),
              x.out() +
                  ": this is a symbolic link that leads nowhere (remove it, or name the file that "
                  "it should lead to)");
    EXPECT_TRUE(S_ISLNK(status_of(x.out()).st_mode));
}

TEST(FindOutput, WhatCannotBeLookedAtIsNotTakenForNothing) {
    FakeSystem system;
    system.fail_all("open", EIO);
    EXPECT_EQ(
        message_of(Error::Kind::io, [&] { static_cast<void>(find_output(system, "/dev/null")); }),
        "/dev/null: cannot find: Input/output error");
}

}  // namespace
}  // namespace ckpt_lease
