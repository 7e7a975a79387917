// SPDX-License-Identifier: GPL-2.0-or-later
// Edits carried out in place, and in a copy.
#include "ckpt-lease/rewrite/writers.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <thread>
#include <vector>

#include "writers_support.hpp"

namespace ckpt_lease {
namespace {

using Names = std::set<std::string>;

io::System& kernel() {
    return io::posix_system();
}

TEST(WriteInPlace, ReplacesTheBytes) {
    ImageFolder x;
    x.write_in_place_with(kernel());
    EXPECT_TRUE(read_whole(x.path()) == x.after());
    EXPECT_EQ(x.folder().names(), Names{"x.img"});
}

TEST(WriteInPlace, KeepsModeAttributesAndAccessTime) {
    for (const mode_t mode : {mode_t{0400}, mode_t{0640}, mode_t{04755}}) {
        ImageFolder x;
        ASSERT_EQ(chmod(x.path().c_str(), mode), 0);
        const struct timespec times[] = {{1000000000, 5}, {1100000000, 6}};
        ASSERT_EQ(utimensat(AT_FDCWD, x.path().c_str(), times, 0), 0);
        FakeSystem system;
        const io::File image = x.open(system);
        const struct stat before = image.status();
        write_in_place(image, x.edits(), {});
        const struct stat after = status_of(x.path());
        EXPECT_EQ(after.st_mode, before.st_mode);
        EXPECT_EQ(after.st_uid, before.st_uid);
        EXPECT_EQ(after.st_gid, before.st_gid);
        EXPECT_EQ(after.st_atim.tv_sec, image.status().st_atim.tv_sec);
        EXPECT_EQ(after.st_atim.tv_nsec, image.status().st_atim.tv_nsec);
        EXPECT_GT(after.st_mtim.tv_sec, before.st_mtim.tv_sec) << "it was modified now";
        EXPECT_NE(after.st_ino, before.st_ino) << "a new file took its place";
        EXPECT_EQ(attribute_of(x.path()), kAttributeValue);
        EXPECT_EQ(system.count("futimens"), 1);
    }
}

TEST(WriteInPlace, KeepsTheOwner) {
    if (geteuid() == 0) {
        ImageFolder x;
        ASSERT_EQ(chown(x.path().c_str(), 12345, 54321), 0);
        x.write_in_place_with(kernel());
        EXPECT_EQ(status_of(x.path()).st_uid, 12345U);
        EXPECT_EQ(status_of(x.path()).st_gid, 54321U);
    } else {
        // Only root can give files away: that it is asked for must be enough.
        ImageFolder x;
        x.write_in_place_with(kernel());
        EXPECT_EQ(status_of(x.path()).st_uid, geteuid());
    }
}

TEST(WriteInPlace, ASymbolicLinkStaysALink) {
    ImageFolder x;
    ASSERT_EQ(symlink("x.img", (x.folder() / "link").c_str()), 0);
    const io::File image(kernel(), x.folder() / "link", O_RDONLY);
    write_in_place(image, x.edits(), {});
    EXPECT_TRUE(S_ISLNK(status_of(x.folder() / "link").st_mode));
    EXPECT_TRUE(read_whole(x.path()) == x.after());
    EXPECT_EQ(x.folder().names(), (Names{"link", "x.img"}));
}

TEST(WriteInPlace, DoesNothingAtAllWithoutEdits) {
    ImageFolder x;
    x.edits().clear();
    const struct stat before = status_of(x.path());
    FakeSystem system;
    const io::File image = x.open(system);
    write_in_place(image, x.edits(), {});
    EXPECT_EQ(status_of(x.path()).st_ino, before.st_ino);
    EXPECT_EQ(status_of(x.path()).st_ctim.tv_nsec, before.st_ctim.tv_nsec);
    EXPECT_EQ(system.count("fstat"), 0);
}

TEST(WriteInPlace, RefusesAFileWithSeveralNames) {
    ImageFolder x;
    ASSERT_EQ(link(x.path().c_str(), (x.folder() / "second").c_str()), 0);
    EXPECT_EQ(message_of(Error::Kind::io, [&] { x.write_in_place_with(kernel()); }),
              x.path() +
                  ": the file has several names (hard links), and only one would change (write "
                  "elsewhere with -o OUT)");
    EXPECT_TRUE(read_whole(x.path()) == x.before());
    EXPECT_EQ(x.folder().names(), (Names{"second", "x.img"}));
}

TEST(WriteInPlace, RefusesWhatIsNotRegular) {
    ImageFolder x;
    const io::File null(kernel(), "/dev/null", O_RDONLY);
    EXPECT_EQ(message_of(Error::Kind::io, [&] { write_in_place(null, x.edits(), {}); }),
              "/dev/null: only regular files can be rewritten in place (write elsewhere with -o "
              "OUT)");
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

TEST(WriteInPlace, RefusesIfSomebodyElseWritesMeanwhile) {
    ImageFolder x;
    FakeSystem system;
    system.before_calls([&](const std::string& name) {
        if (name == "fchmod") {
            std::ofstream(x.path(), std::ios::app) << "more";
        }
    });
    EXPECT_EQ(message_of(Error::Kind::io, [&] { x.write_in_place_with(system); }),
              x.path() +
                  ": somebody else changed the image while it was copied (nothing was changed; "
                  "try again when nobody writes to it)");
    EXPECT_EQ(read_whole(x.path()), x.before() + "more");
    EXPECT_EQ(x.folder().names(), Names{"x.img"});
}

TEST(WriteInPlace, RefusesIfAnotherFileTookThePlaceMeanwhile) {
    ImageFolder x;
    FakeSystem system;
    system.before_calls([&](const std::string& name) {
        if (name == "fchmod") {
            write_whole(x.folder() / "new", "another");
            std::filesystem::rename(x.folder() / "new", x.path());
        }
    });
    EXPECT_EQ(message_of(Error::Kind::io, [&] { x.write_in_place_with(system); }),
              x.path() +
                  ": somebody else changed the image while it was copied (nothing was changed; "
                  "try again when nobody writes to it)");
    EXPECT_EQ(read_whole(x.path()), "another");
}

TEST(WriteInPlace, ReportsProgressUpToTheSize) {
    ImageFolder x;
    const io::File image = x.open(kernel());
    std::vector<std::uint64_t> told;
    write_in_place(image, x.edits(), [&](std::uint64_t bytes) { told.push_back(bytes); });
    ASSERT_FALSE(told.empty());
    EXPECT_EQ(told.back(), x.before().size());
}

TEST(WriteInPlace, ProgressMayStopItAndNothingIsLeft) {
    ImageFolder x;
    const io::File image = x.open(kernel());
    EXPECT_EQ(message_of(Error::Kind::interrupted,
                         [&] {
                             write_in_place(image, x.edits(), [](std::uint64_t) {
                                 throw Error(Error::Kind::interrupted, {.message = "stop"});
                             });
                         }),
              "stop");
    EXPECT_TRUE(read_whole(x.path()) == x.before());
    EXPECT_EQ(x.folder().names(), Names{"x.img"});
}

TEST(WriteInPlace, ANameOfAnyLengthHasRoomForATemporaryOne) {
    ImageFolder x;
    const std::string path = x.folder() / std::string(255, 'n');
    std::filesystem::rename(x.path(), path);
    const io::File image(kernel(), path, O_RDONLY);
    write_in_place(image, x.edits(), {});
    EXPECT_EQ(read_whole(path), x.after());
}

TEST(WriteInPlace, IsFlushedBeforeAndAfterItHasItsName) {
    ImageFolder x;
    FakeSystem system;
    std::vector<std::string> calls;
    system.before_calls([&](const std::string& name) {
        if (name == "fsync" || name == "rename") {
            calls.push_back(name);
        }
    });
    x.write_in_place_with(system);
    EXPECT_EQ(calls, (std::vector<std::string>{"fsync", "rename", "fsync"}));
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

TEST(WriteCopy, OntoTheImageItselfIsARewriteInPlace) {
    for (const auto* const name : {"x.img", "./x.img", "link"}) {
        ImageFolder x;
        ASSERT_EQ(symlink("x.img", (x.folder() / "link").c_str()), 0);
        x.write_copy_with(kernel(), x.folder() / name);
        EXPECT_TRUE(read_whole(x.path()) == x.after());
        EXPECT_EQ(attribute_of(x.path()), kAttributeValue);
        EXPECT_EQ(x.folder().names(), (Names{"link", "x.img"}));
    }
}

TEST(WriteCopy, OntoAnotherNameOfTheImageIsRefused) {
    ImageFolder x;
    ASSERT_EQ(link(x.path().c_str(), x.out().c_str()), 0);
    EXPECT_EQ(message_of(Error::Kind::io, [&] { x.write_copy_with(kernel(), x.out()); }),
              x.path() +
                  ": the file has several names (hard links), and only one would change (write "
                  "elsewhere with -o OUT)");
    EXPECT_TRUE(read_whole(x.path()) == x.before());
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
    EXPECT_EQ(message_of(Error::Kind::io, [&] { x.write_copy_with(kernel(), "/dev/full"); }),
              "/dev/full: cannot write: No space left on device (free some space, or write "
              "elsewhere with -o)");
}

TEST(WriteCopy, ErrorsNameTheOutput) {
    ImageFolder x;
    const std::string nowhere = x.folder() / "none/out";
    EXPECT_EQ(message_of(Error::Kind::io, [&] { x.write_copy_with(kernel(), nowhere); }),
              nowhere + ": cannot create a file beside it: No such file or directory");
    EXPECT_EQ(message_of(Error::Kind::io, [&] { x.write_copy_with(kernel(), x.folder() / "."); }),
              x.folder() / "." + ": cannot open: Is a directory");
}

TEST(FindPlace, LeadsThroughLinksToRegularFiles) {
    ImageFolder x;
    ASSERT_EQ(symlink("x.img", (x.folder() / "link").c_str()), 0);
    const auto place = find_place(kernel(), x.folder() / "link");
    ASSERT_TRUE(place.has_value());
    EXPECT_EQ(place->path, std::filesystem::canonical(x.path()).string());
    ASSERT_TRUE(place->mode.has_value());
    EXPECT_EQ(*place->mode & 07777U, 0640U);
}

TEST(FindPlace, IsThePathItselfWhereNothingIs) {
    const TempFolder folder;
    const auto place = find_place(kernel(), folder / "new");
    ASSERT_TRUE(place.has_value());
    EXPECT_EQ(place->path, folder / "new");
    EXPECT_EQ(place->mode, std::nullopt);
}

TEST(FindPlace, IsNoneWhereADeviceOrAFolderIs) {
    const TempFolder folder;
    EXPECT_FALSE(find_place(kernel(), "/dev/null").has_value());
    EXPECT_FALSE(find_place(kernel(), folder / ".").has_value());
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

TEST(FindPlace, WhatCannotBeLookedAtIsNotTakenForNothing) {
    FakeSystem system;
    system.fail_all("open", EIO);
    EXPECT_EQ(
        message_of(Error::Kind::io, [&] { static_cast<void>(find_place(system, "/dev/null")); }),
        "/dev/null: cannot find: Input/output error");
}

}  // namespace
}  // namespace ckpt_lease
