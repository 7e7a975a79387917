// SPDX-License-Identifier: GPL-2.0-or-later
// Open files: what the kernel leaves half done is carried on, what it refuses is told.
#include "io/file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "fake_system.hpp"
#include "support.hpp"

namespace ckpt_lease::io {
namespace {

// Not an int: another constructor, a private one, would do as well for that.
constexpr mode_t kMode = 0600;

class FileTest : public testing::Test {
 protected:
    template <typename Call>
    static std::string io_error(Call call) {
        return message_of(Error::Kind::io, call);
    }

    TempFolder folder_;
    FakeSystem system_;
    std::string path_ = folder_ / "f";
};

TEST_F(FileTest, OpensWithCloseOnExec) {
    const File file(system_, path_, O_RDWR | O_CREAT, kMode);
    EXPECT_EQ(file.name(), path_);
    EXPECT_EQ(&file.system(), &system_);
    EXPECT_NE(::fcntl(file.fd(), F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_EQ(status_of(path_).st_mode & 07777U, kMode);
}

TEST_F(FileTest, OpeningIsRepeatedWhenInterrupted) {
    write_whole(path_, "x");
    system_.fail_call("open", 1, EINTR);
    const File file(system_, path_, O_RDONLY);
    EXPECT_GE(file.fd(), 0);
    EXPECT_EQ(system_.count("open"), 2);
}

TEST_F(FileTest, ErrorsOfOpenNameTheFileAndSayOpenOrCreate) {
    EXPECT_EQ(io_error([&] { File(system_, path_, O_RDONLY); }),
              path_ + ": cannot open: No such file or directory");
    system_.fail_call("open", 2, ENOSPC);
    EXPECT_EQ(
        io_error([&] { File(system_, path_, O_WRONLY | O_CREAT, kMode); }),
        path_ + ": cannot create: No space left on device (free some space) [write_elsewhere]");
}

TEST_F(FileTest, IsClosedAtTheEndAndOnlyOnce) {
    write_whole(path_, "x");
    int fd = -1;
    {
        File file(system_, path_, O_RDONLY);
        fd = file.fd();
        const File moved(std::move(file));
        EXPECT_EQ(moved.fd(), fd);
        EXPECT_EQ(moved.name(), path_);
    }
    EXPECT_EQ(system_.count("close"), 1);
    EXPECT_EQ(::fcntl(fd, F_GETFD), -1);
}

TEST_F(FileTest, AnAdoptedDescriptorIsClosedAndABorrowedOneIsNot) {
    const int fd = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    {
        File file = File::borrow(system_, "-", fd);
        file.close();
        EXPECT_EQ(file.fd(), fd);
    }
    EXPECT_EQ(system_.count("close"), 0);
    { const File file = File::adopt(system_, "null", fd); }
    EXPECT_EQ(system_.count("close"), 1);
    EXPECT_EQ(::fcntl(fd, F_GETFD), -1);
}

TEST_F(FileTest, SizeAndStatus) {
    write_whole(path_, "12345");
    const File file(system_, path_, O_RDONLY);
    EXPECT_EQ(file.size(), 5U);
    EXPECT_TRUE(S_ISREG(file.status().st_mode));
    system_.fail_all("fstat", EIO);
    EXPECT_EQ(io_error([&] { static_cast<void>(file.size()); }),
              path_ + ": cannot look at: Input/output error");
}

TEST_F(FileTest, ReadSomeReadsInOrderAndIsRepeatedWhenInterrupted) {
    write_whole(path_, "abcdef");
    File file(system_, path_, O_RDONLY);
    std::array<std::byte, 4> buffer{};
    system_.fail_call("read", 1, EINTR);
    EXPECT_EQ(file.read_some(buffer), 4U);
    EXPECT_EQ(as_text(buffer), "abcd");
    EXPECT_EQ(system_.count("read"), 2);
    EXPECT_EQ(file.read_some(buffer), 2U);
    EXPECT_EQ(as_text(std::span(buffer).first(2)), "ef");
    EXPECT_EQ(file.read_some(buffer), 0U);
}

TEST_F(FileTest, ReadAtFillsAllThatThereIs) {
    write_whole(path_, "abcdefghij");
    const File file(system_, path_, O_RDONLY);
    system_.limit_counts(3);
    system_.fail_call("pread", 2, EINTR);
    std::array<std::byte, 8> buffer{};
    EXPECT_EQ(file.read_at(buffer, 1), 8U);
    EXPECT_EQ(as_text(buffer), "bcdefghi");
    EXPECT_EQ(system_.count("pread"), 4) << "three short ones and an interrupted one";
    EXPECT_EQ(file.read_at(buffer, 7), 3U);
    EXPECT_EQ(as_text(std::span(buffer).first(3)), "hij");
    EXPECT_EQ(file.read_at(buffer, 10), 0U);
    EXPECT_EQ(file.read_at(buffer, 1000), 0U);
}

TEST_F(FileTest, WriteCarriesOnShortAndInterruptedWrites) {
    File file(system_, path_, O_WRONLY | O_CREAT, kMode);
    system_.limit_counts(4);
    system_.fail_call("write", 2, EINTR);
    file.write(as_bytes("abcdefghij"));
    EXPECT_EQ(read_whole(path_), "abcdefghij");
    EXPECT_EQ(system_.count("write"), 4);
    file.write({});
    EXPECT_EQ(system_.count("write"), 4) << "nothing to write is no call";
}

TEST_F(FileTest, WriteAtCarriesOnShortAndInterruptedWrites) {
    write_whole(path_, "................");
    File file(system_, path_, O_WRONLY);
    system_.limit_counts(4);
    system_.fail_call("pwrite", 2, EINTR);
    file.write_at(as_bytes("abcdefghij"), 3);
    EXPECT_EQ(read_whole(path_), "...abcdefghij...");
    EXPECT_EQ(system_.count("pwrite"), 4);
}

TEST_F(FileTest, ErrorsNameTheFileAndTheAction) {
    write_whole(path_, "abc");
    File file(system_, path_, O_RDWR);
    std::array<std::byte, 4> buffer{};
    const std::span<const std::byte> bytes = as_bytes("x");
    for (const auto* const name : {"read", "pread", "write", "pwrite", "fsync"}) {
        system_.fail_all(name, EIO);
    }
    EXPECT_EQ(io_error([&] { file.read_some(buffer); }),
              path_ + ": cannot read: Input/output error");
    EXPECT_EQ(io_error([&] { static_cast<void>(file.read_at(buffer, 0)); }),
              path_ + ": cannot read: Input/output error");
    EXPECT_EQ(io_error([&] { file.write(bytes); }), path_ + ": cannot write: Input/output error");
    EXPECT_EQ(io_error([&] { file.write_at(bytes, 0); }),
              path_ + ": cannot write: Input/output error");
    EXPECT_EQ(io_error([&] { file.sync(); }), path_ + ": cannot flush to disk: Input/output error");
}

TEST_F(FileTest, AFullDiskAndMissingRightsComeWithAdvice) {
    const std::vector<std::pair<int, std::string>> cases{
        {ENOSPC, "No space left on device (free some space) [write_elsewhere]"},
        {EDQUOT, "Disk quota exceeded (free some space) [write_elsewhere]"},
        {EACCES, "Permission denied (run as a user who may) [write_elsewhere]"},
        {EPERM, "Operation not permitted (run as a user who may) [write_elsewhere]"},
        {EROFS, "Read-only file system [write_elsewhere]"},
        {EFBIG, "File too large"},
    };
    for (const auto& [error, text] : cases) {
        EXPECT_EQ(io_error([&, e = error] { fail("x.img", "write", -e); }),
                  "x.img: cannot write: " + text);
    }
}

TEST_F(FileTest, ErrorsHaveACodeByWhatTheSystemSays) {
    const std::vector<std::pair<int, Problem::Code>> cases{
        {ENOENT, Problem::Code::not_found},     {ENOTDIR, Problem::Code::not_found},
        {EACCES, Problem::Code::not_permitted}, {EROFS, Problem::Code::not_permitted},
        {ENOSPC, Problem::Code::no_space},      {EFBIG, Problem::Code::no_space},
        {EIO, Problem::Code::io_error},
    };
    for (const auto& [error, code] : cases) {
        try {
            fail("x.img", "open", -error);
        } catch (const Error& failed) {
            EXPECT_EQ(failed.problem().code, code) << error;
        }
    }
}

TEST_F(FileTest, WhoReadsGetsNoAdviceOnWriting) {
    EXPECT_EQ(io_error([] { fail("x.img", "open", -EACCES); }),
              "x.img: cannot open: Permission denied");
    EXPECT_EQ(io_error([] { fail("-", "read", -EPERM); }),
              "standard input: cannot read: Operation not permitted");
}

TEST_F(FileTest, SyncIsRepeatedWhenInterrupted) {
    File file(system_, path_, O_RDWR | O_CREAT, kMode);
    system_.fail_call("fsync", 1, EINTR);
    file.sync();
    EXPECT_EQ(system_.count("fsync"), 2);
}

TEST_F(FileTest, AFileSystemThatCannotSyncHasNothingToWaitFor) {
    File file(system_, path_, O_RDWR | O_CREAT, kMode);
    for (const int error : {EINVAL, ENOSYS, ENOTSUP}) {
        system_.fail_all("fsync", error);
        EXPECT_NO_THROW(file.sync()) << error;
    }
}

TEST_F(FileTest, CloseReportsWhatIsLeftToSay) {
    File file(system_, path_, O_RDWR | O_CREAT, kMode);
    system_.fail_call("close", 1, ENOSPC);
    EXPECT_EQ(
        io_error([&] { file.close(); }),
        path_ + ": cannot write: No space left on device (free some space) [write_elsewhere]");
    EXPECT_NO_THROW(file.close());
    EXPECT_EQ(system_.count("close"), 1) << "it is closed all the same";
}

TEST_F(FileTest, CloseIsNotRepeatedWhenInterrupted) {
    File file(system_, path_, O_RDWR | O_CREAT, kMode);
    system_.fail_call("close", 1, EINTR);
    EXPECT_NO_THROW(file.close());
    EXPECT_EQ(system_.count("close"), 1);
}

TEST(Uninterrupted, RepeatsUntilTheResultIsAnother) {
    int calls = 0;
    EXPECT_EQ(uninterrupted([&] { return ++calls < 4 ? -EINTR : 17; }), 17);
    EXPECT_EQ(calls, 4);
    EXPECT_EQ(uninterrupted([] { return -EIO; }), -EIO);
}

}  // namespace
}  // namespace ckpt_lease::io
