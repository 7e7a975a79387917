// SPDX-License-Identifier: GPL-2.0-or-later
// What takes the place of a file keeps what the file was beside its bytes.
#include <gtest/gtest.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "writers_support.hpp"

namespace ckpt_lease {
namespace {

using namespace std::string_literals;

constexpr const char* kAccessList = "system.posix_acl_access";
constexpr const char* kDefaultList = "system.posix_acl_default";

// acl(5) as the kernel takes it: a version, and entries of a tag, permissions and an id.
const std::string kList =
    "\x02\x00\x00\x00"
    "\x01\x00\x06\x00\xff\xff\xff\xff"    // user::rw-
    "\x02\x00\x06\x00\x39\x30\x00\x00"    // user:12345:rw-
    "\x04\x00\x00\x00\xff\xff\xff\xff"    // group::---
    "\x10\x00\x06\x00\xff\xff\xff\xff"    // mask::rw-
    "\x20\x00\x00\x00\xff\xff\xff\xff"s;  // other::---

void set(const std::string& path, const char* name, const std::string& value) {
    ASSERT_EQ(setxattr(path.c_str(), name, value.data(), value.size(), 0), 0)
        << name << ": the file system of the build folder must have these";
}

std::string get(const std::string& path, const char* name) {
    std::string value(200, '\0');
    const ssize_t size = getxattr(path.c_str(), name, value.data(), value.size());
    return size < 0 ? "" : value.substr(0, static_cast<std::size_t>(size));
}

mode_t mode_of(const std::string& path) {
    return status_of(path).st_mode & 07777U;
}

// An image, and a file that a rewritten copy of it is to replace.
class Attributes : public testing::Test {
 protected:
    void make_out() {
        write_whole(x_.out(), "old");
        ASSERT_EQ(chmod(x_.out().c_str(), 0600), 0);
    }
    void expect_refused(FakeSystem& system, const std::string& what) {
        EXPECT_EQ(message_of(Error::Kind::io, [&] { x_.write_copy_with(system, x_.out()); }),
                  x_.out() + ": " + what +
                      " of the file that is there cannot be kept: it was not replaced (run as a "
                      "user who may) [write_elsewhere]");
        EXPECT_EQ(read_whole(x_.out()), "old");
        EXPECT_EQ(x_.folder().names(), (std::set<std::string>{"out.img", "x.img"}));
    }

    ImageFolder x_;
};

TEST_F(Attributes, AnAccessListIsKept) {
    make_out();
    set(x_.out(), kAccessList, kList);
    ASSERT_EQ(mode_of(x_.out()), 0660U) << "the group's bits are those of the mask";
    x_.write_copy_with(kernel(), x_.out());
    EXPECT_TRUE(read_whole(x_.out()) == x_.after());
    EXPECT_EQ(get(x_.out(), kAccessList), kList);
    EXPECT_EQ(mode_of(x_.out()), 0660U);
}

// The group never has what only the list gives to one user.
TEST_F(Attributes, TheGroupIsNotLetInMeanwhile) {
    make_out();
    set(x_.out(), kAccessList, kList);
    FakeSystem system;
    system.before_calls([&](const std::string&) {
        for (const std::string& name : x_.folder().names()) {
            if (name.starts_with('.') && get(x_.folder() / name, kAccessList).empty()) {
                EXPECT_EQ(mode_of(x_.folder() / name), 0600U);
            }
        }
    });
    x_.write_copy_with(system, x_.out());
}

TEST_F(Attributes, ExtendedAttributesAreKept) {
    make_out();
    set(x_.out(), kAttribute, "one");
    set(x_.out(), "user.empty", "");
    x_.write_copy_with(kernel(), x_.out());
    EXPECT_EQ(get(x_.out(), kAttribute), "one");
    std::string names(200, '\0');
    names.resize(static_cast<std::size_t>(listxattr(x_.out().c_str(), names.data(), 200)));
    EXPECT_NE(names.find("user.empty"), std::string::npos);
}

TEST_F(Attributes, WhatTheKernelKnowsOfTheOldContentsIsNotKept) {
    if (geteuid() == 0) {  // only root can make such a file
        make_out();
        set(x_.out(), "security.ima", "\x04\x04"s);
        x_.write_copy_with(kernel(), x_.out());
        EXPECT_EQ(get(x_.out(), "security.ima"), "");
    }
}

// What was run with the owner's rights was other bytes: somebody else may have made these.
TEST_F(Attributes, RightsOfWhoeverRunsTheFileAreNotKept) {
    make_out();
    ASSERT_EQ(chmod(x_.out().c_str(), 07755), 0);
    if (geteuid() == 0) {
        set(x_.out(), "security.capability",
            "\x01\x00\x00\x02\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"s);
    }
    x_.write_copy_with(kernel(), x_.out());
    EXPECT_EQ(mode_of(x_.out()), 01755U);
    EXPECT_EQ(get(x_.out(), "security.capability"), "");
}

TEST_F(Attributes, AnOwnerThatCannotBeKeptIsAReasonToRefuse) {
    make_out();
    FakeSystem system;
    system.disguise([](struct stat& status) {
        if (status.st_size == 3) {  // the file that is there
            status.st_uid = 12345;
        }
    });
    system.fail_all("fchown", EPERM);
    expect_refused(system, "the owner (user 12345, group " + std::to_string(getegid()) + ")");
}

TEST_F(Attributes, AnAccessListThatCannotBeKeptIsAReasonToRefuse) {
    make_out();
    set(x_.out(), kAccessList, kList);
    FakeSystem system;
    system.fail_all("fsetxattr", ENOTSUP);
    expect_refused(system, "the access control list");
}

TEST_F(Attributes, AnAttributeThatCannotBeKeptIsAReasonToRefuse) {
    make_out();
    set(x_.out(), kAttribute, "one");
    FakeSystem system;
    system.fail_all("fsetxattr", EPERM);
    expect_refused(system, "the attribute user.ckpt-lease.test");
}

TEST_F(Attributes, AFileSystemWithoutAttributesHasNoneToKeep) {
    make_out();
    FakeSystem system;
    for (const char* const call : {"flistxattr", "fgetxattr", "fremovexattr"}) {
        system.fail_all(call, ENOTSUP);
    }
    EXPECT_NO_THROW(x_.write_copy_with(system, x_.out()));
}

TEST_F(Attributes, ANewCopyLetsInWhomTheImageLetsIn) {
    set(x_.path(), kAccessList, kList);
    x_.write_copy_with(kernel(), x_.out());
    EXPECT_EQ(get(x_.out(), kAccessList), kList);
    EXPECT_EQ(mode_of(x_.out()), 0660U);
    EXPECT_EQ(get(x_.out(), kAttribute), "") << "it is a file of its own";
}

TEST_F(Attributes, ANewCopyWhereThereAreNoListsLetsTheGroupOut) {
    set(x_.path(), kAccessList, kList);
    FakeSystem system;
    system.fail_all("fsetxattr", ENOTSUP);
    x_.write_copy_with(system, x_.out());
    EXPECT_EQ(mode_of(x_.out()), 0600U);
}

TEST_F(Attributes, AFolderLetsNobodyIn) {
    set(x_.folder() / ".", kDefaultList, kList);
    x_.write_copy_with(kernel(), x_.out());
    EXPECT_EQ(get(x_.out(), kAccessList), "");
    EXPECT_EQ(mode_of(x_.out()), 0640U) << "as the image";
}

TEST_F(Attributes, TheJournalHasTheListOfTheImage) {
    set(x_.folder() / ".", kDefaultList, kList);
    for (const bool has_list : {false, true}) {
        if (has_list) {
            set(x_.path(), kAccessList, kList);
        }
        FakeSystem system;
        std::string list = "not seen";
        system.before_calls([&](const std::string& name) {
            if (name == "fdatasync") {
                list = get(x_.path() + ".ckpt-lease-journal", kAccessList);
            }
        });
        ImageFile image(system, x_.path(), kForWriting);
        EditList edits;
        const std::string bytes = read_whole(x_.path());
        const std::string other = bytes[24] == 'a' ? "b" : "a";
        edits.add(24, as_bytes(bytes).subspan(24, 1), as_bytes(other));
        write_in_place(image, edits, {}, {});
        EXPECT_EQ(list, has_list ? kList : "");
    }
}

TEST_F(Attributes, AnUndoFileOfAnImageWithAListIsItsMakersAlone) {
    set(x_.path(), kAccessList, kList);
    ImageFile image(kernel(), x_.path(), kForWriting);
    write_in_place(image, x_.edits(), x_.folder() / "undo", {});
    EXPECT_EQ(mode_of(x_.folder() / "undo"), 0600U);
    EXPECT_EQ(get(x_.folder() / "undo", kAccessList), "");
}

TEST_F(Attributes, AFolderLetsNobodyReadAnUndoFile) {
    set(x_.folder() / ".", kDefaultList, kList);
    ImageFile image(kernel(), x_.path(), kForWriting);
    write_in_place(image, x_.edits(), x_.folder() / "undo", {});
    EXPECT_EQ(get(x_.folder() / "undo", kAccessList), "");
    EXPECT_EQ(mode_of(x_.folder() / "undo"), 0640U) << "as the image";
}

// A script that tries again would add the time twice.
TEST_F(Attributes, AFolderThatCannotBeFlushedLeavesTheNewFileAndSaysSo) {
    make_out();
    FakeSystem system;
    system.fail_call("fsync", 2, EIO);  // the first is the file's
    const std::string folder = x_.out().substr(0, x_.out().rfind('/'));
    EXPECT_EQ(message_of(Error::Kind::io, [&] { x_.write_copy_with(system, x_.out()); }),
              folder + ": cannot flush to disk: Input/output error (" + x_.out() +
                  " was replaced as asked, but after a power failure it may be as it was)");
    EXPECT_TRUE(read_whole(x_.out()) == x_.after());
}

}  // namespace
}  // namespace ckpt_lease
