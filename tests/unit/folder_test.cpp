// SPDX-License-Identifier: GPL-2.0-or-later
// Where a path leads, and which links are followed on the way.
#include "io/folder.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "fake_system.hpp"
#include "io/trust.hpp"
#include "support.hpp"

namespace ckpt_lease::io {
namespace {

namespace fs = std::filesystem;

constexpr uid_t kSomebody = 12345;

// A folder with a file "x" and a folder "sub" with a file "y".
class Walk : public testing::Test {
 protected:
    Walk() {
        write_whole(folder_ / "x", "x");
        fs::create_directory(folder_ / "sub");
        write_whole(folder_ / "sub/y", "y");
    }
    void link(const std::string& target, const std::string& name) {
        ASSERT_EQ(symlink(target.c_str(), (folder_ / name).c_str()), 0);
    }
    [[nodiscard]] Place find(const std::string& path) {
        return find_place(system_, folder_ / path, "open");
    }
    [[nodiscard]] int result_of(const std::string& path) {
        Place place;
        return find_place(system_, folder_ / path, place);
    }
    [[nodiscard]] static std::string text_of(const Place& place) {
        std::string text(10, '\0');
        text.resize(place.open(O_RDONLY).read_at(std::as_writable_bytes(std::span(text)), 0));
        return text;
    }
    // All links seem to be of somebody else than the user who runs the test.
    void give_links_away() {
        system_.disguise([](struct stat& status) {
            if (S_ISLNK(status.st_mode)) {
                status.st_uid = kSomebody;
            }
        });
    }

    TempFolder folder_;
    FakeSystem system_;
};

TEST_F(Walk, LeadsToAFileInItsFolder) {
    for (const char* const path : {"sub/y", "sub//y", "./sub/./y", "sub/../sub/y"}) {
        const Place place = find(path);
        EXPECT_EQ(place.name, "y") << path;
        EXPECT_EQ(place.shown, folder_ / path);
        EXPECT_EQ(text_of(place), "y");
        EXPECT_EQ(place.real_path(), fs::canonical(folder_ / "sub/y").string());
    }
}

TEST_F(Walk, LeadsToWhereNothingIs) {
    const Place place = find("sub/none");
    EXPECT_EQ(place.name, "none");
    EXPECT_FALSE(place.status.has_value());
    EXPECT_EQ(message_of(Error::Kind::io, [&] { static_cast<void>(place.open(O_RDONLY)); }),
              folder_ / "sub/none" + ": cannot open: No such file or directory");
    EXPECT_EQ(result_of("none/y"), -ENOENT);
    EXPECT_EQ(result_of("x/y"), -ENOTDIR);
    Place empty;
    EXPECT_EQ(find_place(system_, "", empty), -ENOENT);
}

TEST_F(Walk, LeadsToAFolder) {
    EXPECT_EQ(find("sub").name, "sub");
    for (const char* const path : {"sub/", "sub/.", "sub/../sub/"}) {
        const Place place = find(path);
        EXPECT_EQ(place.name, ".") << path;
        EXPECT_TRUE(S_ISDIR(place.status->st_mode)) << path;
    }
    EXPECT_EQ(find("sub").open_folder()->status_of("y")->st_size, 1);
    EXPECT_EQ(find_place(system_, "/", "open").name, ".");
}

TEST_F(Walk, FollowsLinks) {
    link("sub/y", "relative");
    link(fs::canonical(folder_ / "sub/y"), "absolute");
    link("absolute", "chain");
    link("sub", "folder");
    link("../sub/../folder/y", "sub/around");
    for (const char* const path : {"relative", "absolute", "chain", "folder/y", "sub/around"}) {
        const Place place = find(path);
        EXPECT_EQ(place.name, "y") << path;
        EXPECT_EQ(place.shown, folder_ / path) << "messages name what the user gave";
        EXPECT_EQ(text_of(place), "y");
    }
}

TEST_F(Walk, ALinkToItselfLeadsNowhere) {
    link("loop", "loop");
    EXPECT_EQ(result_of("loop"), -ELOOP);
}

TEST_F(Walk, ALinkToWhereNothingIsIsNoPlace) {
    link("none", "dangling");
    EXPECT_EQ(message_of(Error::Kind::io, [&] { static_cast<void>(find("dangling")); }),
              folder_ / "dangling" +
                  ": this is a symbolic link that leads nowhere (remove it, or name the file that "
                  "it should lead to)");
    EXPECT_NO_THROW(static_cast<void>(find("none"))) << "here a file can be made";
}

TEST_F(Walk, LinksOfOthersAreFollowedToWhatIsTheirs) {
    link("sub/y", "link");
    link("sub", "folder");
    system_.disguise([](struct stat& status) {
        if (!S_ISDIR(status.st_mode) || status.st_size > 0) {
            status.st_uid = kSomebody;
        }
    });
    EXPECT_EQ(find("link").name, "y");
    EXPECT_EQ(find("folder/y").name, "y");
}

// Whoever only reads gets what is there, as from the kernel.
TEST_F(Walk, LinksOfOthersToWhatIsNotTheirsAreForReadersOnly) {
    link("sub/y", "link");
    link("link", "chain");
    link("sub", "folder");
    give_links_away();
    const auto refusal_of = [&](const std::string& path) {
        return folder_ / path + ": a symbolic link of user 12345 leads to what belongs to user " +
               std::to_string(geteuid()) +
               " here: it is not followed (name the file itself, if it is meant)";
    };
    for (const char* const path : {"link", "chain", "folder/y"}) {
        const Place place = find(path);
        EXPECT_EQ(text_of(place), "y") << path;
        for (const int flags : {O_RDWR, O_WRONLY}) {
            EXPECT_EQ(message_of(Error::Kind::io, [&] { static_cast<void>(place.open(flags)); }),
                      refusal_of(path));
        }
        EXPECT_EQ(message_of(Error::Kind::io, [&] { place.check_links(); }), refusal_of(path));
    }
    EXPECT_EQ(message_of(Error::Kind::io, [&] { find("folder/none").check_links(); }),
              refusal_of("folder/none"))
        << "no file is made there";
    // Whatever comes of the folder knows how it was found.
    const auto folder = find("folder").open_folder();
    Place below;
    ASSERT_EQ(find_place(*folder, "y", below), 0);
    EXPECT_EQ(message_of(Error::Kind::io, [&] { below.check_links(); }), refusal_of("folder/y"));
    EXPECT_EQ(message_of(Error::Kind::io, [&] { place_in(folder, "y").check_links(); }),
              refusal_of("folder/y"));
    EXPECT_NO_THROW(find("sub/y").check_links()) << "without a link";
}

TEST_F(Walk, DevicesAndPipesBehindLinksOfOthersAreNotEvenRead) {
    link("/dev/null", "null");
    give_links_away();
    EXPECT_NE(message_of(Error::Kind::io, [&] { static_cast<void>(find("null").open(O_RDONLY)); })
                  .find("a symbolic link of user 12345"),
              std::string::npos);
}

TEST_F(Walk, WhatIsTheSameFileIsToldByWhereItIs) {
    link("x", "link");
    fs::create_hard_link(folder_ / "x", folder_ / "second");
    EXPECT_TRUE(is_same_file(*find("x").status, *find("link").status));
    EXPECT_TRUE(is_same_file(*find("second").status, *find("x").status));
    EXPECT_FALSE(is_same_file(*find("sub/y").status, *find("x").status));
}

// The file can become another between the walk and the opening.
TEST_F(Walk, WhoseFileItIsIsSeenAgainWhenItIsOpened) {
    link("sub/y", "link");
    bool is_theirs = true;
    system_.disguise([&](struct stat& status) {
        status.st_uid = S_ISLNK(status.st_mode) || is_theirs ? kSomebody : geteuid();
    });
    const Place place = find("link");
    is_theirs = false;
    EXPECT_NE(message_of(Error::Kind::io, [&] { static_cast<void>(place.open(O_RDWR)); })
                  .find("a symbolic link of user 12345 leads to"),
              std::string::npos);
}

TEST_F(Walk, ALinkThatTakesTheFilesPlaceIsNotFollowed) {
    const Place place = find("x");
    fs::remove(folder_ / "x");
    link("sub/y", "x");
    EXPECT_EQ(message_of(Error::Kind::io, [&] { static_cast<void>(place.open(O_RDONLY)); }),
              folder_ / "x" +
                  ": cannot open: this is a symbolic link, and is not followed (somebody else may "
                  "have put it here)");
}

TEST_F(Walk, APipeThatTakesTheFilesPlaceIsNotWaitedFor) {
    const Place place = find("x");
    fs::remove(folder_ / "x");
    ASSERT_EQ(mkfifo((folder_ / "x").c_str(), 0600), 0);
    EXPECT_EQ(message_of(Error::Kind::io, [&] { static_cast<void>(place.open(O_RDONLY)); }),
              folder_ / "x" +
                  ": cannot open: something else has taken its place (somebody else renames files "
                  "here; try again)");
}

// Root's file, say: it would be written into.
TEST_F(Walk, AFileThatTakesAPipesPlaceIsNotOpened) {
    ASSERT_EQ(mkfifo((folder_ / "pipe").c_str(), 0600), 0);
    const Place place = find("pipe");
    fs::remove(folder_ / "pipe");
    fs::create_hard_link(folder_ / "x", folder_ / "pipe");
    EXPECT_EQ(message_of(Error::Kind::io, [&] { static_cast<void>(place.open(O_WRONLY)); }),
              folder_ / "pipe" +
                  ": cannot open: something else has taken its place (somebody else renames files "
                  "here; try again)");
}

TEST_F(Walk, AFileWithALeaseIsWaitedFor) {
    const Place place = find("x");
    system_.fail_call("open", system_.count("open") + 1, EAGAIN);
    EXPECT_EQ(text_of(place), "x");
    EXPECT_EQ(system_.count("pause"), 1);
}

// The holder may take it again and again. All that comes of one folder waits no longer in all.
TEST_F(Walk, AFileWithALeaseIsNotWaitedForWithoutLimit) {
    const auto sub = Folder::open(system_, folder_ / "sub", std::chrono::milliseconds(50));
    Place below;
    ASSERT_EQ(find_place(*sub, "y", below), 0);
    const Place place = place_in(sub, "y");
    system_.fail_all("open", EAGAIN);
    const std::string message =
        folder_ / "sub/y" +
        ": cannot open: somebody holds a lease on it, and does not give it up (/proc/locks says "
        "who)";
    EXPECT_EQ(message_of(Error::Kind::io, [&] { static_cast<void>(place.open(O_RDONLY)); }),
              message);
    EXPECT_EQ(system_.count("pause"), 5);
    EXPECT_EQ(message_of(Error::Kind::io, [&] { static_cast<void>(below.open(O_RDONLY)); }),
              message);
    EXPECT_EQ(system_.count("pause"), 5) << "nothing is left to wait";
}

TEST_F(Walk, TheFolderIsHeldWhateverItIsCalled) {
    const auto sub = Folder::open(system_, folder_ / "sub");
    fs::rename(folder_ / "sub", folder_ / "elsewhere");
    fs::create_directory(folder_ / "sub");
    write_whole(folder_ / "sub/y", "another");
    EXPECT_EQ(text_of(place_in(sub, "y")), "y");
    EXPECT_EQ(sub->rename("y", "z"), 0);
    EXPECT_EQ(read_whole(folder_ / "elsewhere/z"), "y");
    EXPECT_EQ(sub->remove("z"), 0);
    EXPECT_EQ(read_whole(folder_ / "sub/y"), "another");
    EXPECT_EQ(sub->path_of("y"), folder_ / "sub/y");
    EXPECT_EQ(sub->real_path(), fs::canonical(folder_ / "elsewhere").string());
}

TEST_F(Walk, ANewNameReplacesNothing) {
    const auto sub = Folder::open(system_, folder_ / "sub");
    write_whole(folder_ / "sub/new", "new");
    EXPECT_EQ(sub->rename_to_new("new", "y"), -EEXIST);
    EXPECT_EQ(read_whole(folder_ / "sub/y"), "y");
    // Where the file system cannot tell, it is renamed as ever.
    system_.fail_call("rename", 2, EINVAL);
    EXPECT_EQ(sub->rename_to_new("new", "z"), 0);
}

TEST_F(Walk, LinksOfProcAreFollowedByTheKernel) {
    const File file(kernel(), folder_ / "sub/y", O_RDONLY);
    const Place named = find_place(system_, "/proc/self/fd/" + std::to_string(file.fd()), "open");
    EXPECT_FALSE(named.is_door) << "it has a name";
    EXPECT_EQ(named.name, "y");
    EXPECT_EQ(text_of(named), "y");
    fs::remove(folder_ / "sub/y");
    const Place door = find_place(system_, "/proc/self/fd/" + std::to_string(file.fd()), "open");
    EXPECT_TRUE(door.is_door);
    EXPECT_EQ(text_of(door), "y");
    fs::current_path(folder_ / ".");
    EXPECT_EQ(find_place(system_, "/proc/self/cwd/x", "open").name, "x");
    fs::current_path("/");
}

TEST_F(Walk, ALinkOfSomebodyElseIsNotForgottenBehindALinkOfProc) {
    const File file(kernel(), folder_ / "sub/y", O_RDONLY);
    link("/proc/self/fd", "fds");
    system_.disguise([](struct stat& status) {
        // Those of proc(5) are root's, or the user's.
        if (S_ISLNK(status.st_mode) && status.st_dev == status_of(".").st_dev) {
            status.st_uid = kSomebody;
        }
    });
    fs::current_path(folder_ / ".");
    const Place place = find("fds/" + std::to_string(file.fd()));
    EXPECT_EQ(text_of(place), "y");
    EXPECT_NE(message_of(Error::Kind::io, [&] { place.check_links(); })
                  .find("a symbolic link of user 12345 leads to"),
              std::string::npos);
    fs::current_path("/");
}

TEST(Trust, WhatOthersMayHaveLinkedHere) {
    struct stat folder {};
    struct stat file {};
    folder.st_mode = S_IFDIR | 0755;
    folder.st_uid = geteuid();
    EXPECT_FALSE(may_be_linked_by_others(file, folder)) << "nobody else makes names here";
    folder.st_mode = S_IFDIR | S_ISVTX | 0777;
    EXPECT_TRUE(may_be_linked_by_others(file, folder));
    folder.st_mode = S_IFDIR | 0755;
    folder.st_uid = kSomebody;
    EXPECT_TRUE(may_be_linked_by_others(file, folder)) << "ours, in a folder of somebody else";
    file.st_uid = kSomebody;
    EXPECT_FALSE(may_be_linked_by_others(file, folder)) << "his, in his folder";
}

// The kernel's setting is what tells; a file from elsewhere may have one name again.
TEST_F(Walk, AFileInAFolderOfOthersIsSurelyOfItWhereTheKernelSeesToThat) {
    ASSERT_EQ(chmod((folder_ / "sub").c_str(), 01777), 0);
    const auto sub = Folder::open(system_, folder_ / "sub");
    const File file = place_in(sub, "y").open(O_RDONLY);
    const std::string setting = read_whole("/proc/sys/fs/protected_hardlinks");
    EXPECT_EQ(is_surely_of(*sub, file), setting == "1\n");
    system_.fail_all("open", ENOENT);
    EXPECT_FALSE(is_surely_of(*sub, file)) << "without /proc";
    ASSERT_EQ(chmod((folder_ / "sub").c_str(), 0755), 0);
    EXPECT_TRUE(is_surely_of(*sub, file)) << "nobody else makes names here";
}

TEST(Trust, WhatMayBeReplaced) {
    struct stat folder {};
    folder.st_mode = S_IFDIR | S_ISVTX | 0777;
    folder.st_uid = 2;
    struct stat file {};
    file.st_uid = kSomebody;
    EXPECT_FALSE(may_be_replaced(file, folder));
    folder.st_mode = S_IFDIR | S_ISVTX | 0775;
    EXPECT_FALSE(may_be_replaced(file, folder)) << "the group can make files";
    folder.st_mode = S_IFDIR | S_ISVTX | 0755;
    EXPECT_TRUE(may_be_replaced(file, folder)) << "only its owner can";
    folder.st_mode = S_IFDIR | S_ISVTX | 0777;
    file.st_uid = 2;
    EXPECT_TRUE(may_be_replaced(file, folder)) << "the folder's owner's";
    file.st_uid = geteuid();
    EXPECT_TRUE(may_be_replaced(file, folder)) << "our own";
}

}  // namespace
}  // namespace ckpt_lease::io
