// SPDX-License-Identifier: GPL-2.0-or-later
// Images that others use at the same time.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <thread>

#include "image_support.hpp"

namespace ckpt_lease {
namespace {

TEST(Locks, ReadersGoTogether) {
    ImageFolder x;
    const ImageFile first(kernel(), x.path(), {});
    EXPECT_NO_THROW(ImageFile(kernel(), x.path(), {}));
}

TEST(Locks, AReaderKeepsWritersOut) {
    ImageFolder x;
    const ImageFile reader(kernel(), x.path(), {});
    EXPECT_EQ(why_not(x.path(), kForWriting, Error::Kind::io),
              x.path() + ": another process is using the image [wait]");
}

TEST(Locks, AWriterKeepsAllOthersOut) {
    ImageFolder x;
    const ImageFile writer(kernel(), x.path(), kForWriting);
    EXPECT_EQ(why_not(x.path(), {}, Error::Kind::io),
              x.path() + ": another process is rewriting the image [wait]");
    EXPECT_EQ(why_not(x.path(), kForWriting, Error::Kind::io),
              x.path() + ": another process is using the image [wait]");
}

TEST(Locks, CanBeWaitedFor) {
    ImageFolder x;
    auto writer = std::make_unique<ImageFile>(kernel(), x.path(), kForWriting);
    std::jthread other([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        writer.reset();
    });
    EXPECT_NO_THROW(ImageFile(kernel(), x.path(), {.wait = true}));
    EXPECT_EQ(writer, nullptr) << "it did not wait";
}

TEST(Locks, AreWaitedForPatientlyAndNoLonger) {
    ImageFolder x;
    const ImageFile writer(kernel(), x.path(), kForWriting);
    FakeSystem system;
    const auto folder = io::Folder::open(system, x.folder() / ".", std::chrono::milliseconds(30));
    const ImageFile::Options options{.wait = true, .patiently = true};
    for (int attempt = 0; attempt < 2; ++attempt) {
        EXPECT_EQ(
            message_of(Error::Kind::io,
                       [&] { const ImageFile image(io::place_in(folder, "x.img"), options); }),
            folder->path_of("x.img") +
                ": another process is rewriting the image (it was waited for, and did not "
                "end in time)");
        EXPECT_EQ(system.count("pause"), 3) << "in all";
    }
}

// While it waits, 'policy -o' may put another file in the place of this one.
TEST(Locks, AreOnTheFileThatHasTheNameInTheEnd) {
    ImageFolder x;
    FakeSystem system;
    system.before_calls([&](const std::string& name) {
        if (name == "lock") {
            write_whole(x.folder() / "new", "another");
            std::filesystem::rename(x.folder() / "new", x.path());
            system.before_calls({});
        }
    });
    EXPECT_EQ(contents(ImageFile(system, x.path(), {})), "another");
    EXPECT_EQ(system.count("lock"), 2);
}

// Whoever may rename files here gets us to wait for the other end of a pipe otherwise.
TEST(Locks, WhatTakesThePlaceMeanwhileIsNotOpenedUnlessItIsAFile) {
    for (const bool has_pipe : {false, true}) {
        ImageFolder x;
        FakeSystem system;
        system.before_calls([&](const std::string& name) {
            if (name == "lock") {
                std::filesystem::remove(x.path());
                if (has_pipe) {
                    ASSERT_EQ(mkfifo(x.path().c_str(), 0600), 0);
                }
                system.before_calls({});
            }
        });
        EXPECT_EQ(
            message_of(Error::Kind::io, [&] { const ImageFile image(system, x.path(), {}); }),
            x.path() + (has_pipe ? ": the file is replaced by others all the time (try again when "
                                   "nobody writes to it)"
                                 : ": cannot open: No such file or directory"));
    }
}

// Of a file system that is somebody's program.
TEST(Locks, AnAnswerThatMakesNoSenseIsAnError) {
    ImageFolder x;
    FakeSystem system;
    system.fail_all("lock", EAGAIN);
    EXPECT_NE(message_of(Error::Kind::io,
                         [&] { const ImageFile image(system, x.path(), {.wait = true}); })
                  .find("another process is rewriting the image"),
              std::string::npos);
}

TEST(Locks, AFileSystemMayHaveNone) {
    for (const int error : {ENOLCK, ENOSYS, ENOTSUP, EINVAL}) {
        ImageFolder x;
        FakeSystem system;
        system.fail_all("lock", error);
        EXPECT_NO_THROW(ImageFile(system, x.path(), kForWriting)) << error;
    }
    ImageFolder x;
    FakeSystem system;
    system.fail_all("lock", EIO);
    EXPECT_EQ(message_of(Error::Kind::io, [&] { const ImageFile image(system, x.path(), {}); }),
              x.path() + ": cannot lock: Input/output error");
}

}  // namespace
}  // namespace ckpt_lease
