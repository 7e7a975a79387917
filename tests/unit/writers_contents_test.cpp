// SPDX-License-Identifier: GPL-2.0-or-later
// What the writers write: large images, images with holes, images that changed, streams, and new
// files.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <thread>
#include <vector>

#include "writers_support.hpp"

namespace ckpt_lease {
namespace {

using Names = std::set<std::string>;

// An image of several windows, with edits that cross their edges.
class LargeImage : public testing::Test {
 protected:
    LargeImage() {
        replace(edits_, after_, kWindow - 3, "EDGE1234");
        replace(edits_, after_, kWindow + 5, "x");
        replace(edits_, after_, 2 * kWindow - 8, "BEFORE!!");
        replace(edits_, after_, 2 * kWindow, "BEHIND!!");
        replace(edits_, after_, after_.size() - 4, "LAST");
        write_whole(path_, before_);
    }
    [[nodiscard]] ImageFile open() { return {system_, path_, {}}; }
    void write_in_place_here() {
        ImageFile image(system_, path_, kForWriting);
        write_in_place(image, edits_, {}, {});
    }

    TempFolder folder_;
    FakeSystem system_;
    std::string path_ = folder_ / "x.img";
    std::string before_ = patterned(3 * kWindow + 999);
    std::string after_ = before_;
    EditList edits_;
};

TEST_F(LargeImage, IsRewrittenInPlace) {
    write_in_place_here();
    EXPECT_TRUE(read_whole(path_) == after_);
}

TEST_F(LargeImage, IsCopiedWhereTheKernelDoesNotHelp) {
    for (const int error : {EINVAL, EXDEV, ENOSYS, EOPNOTSUPP}) {
        system_.fail_all("copy_file_range", error);
        write_copy(open(), edits_, folder_ / "out", {});
        EXPECT_TRUE(read_whole(folder_ / "out") == after_) << error;
    }
}

TEST_F(LargeImage, IsClonedWhereTheFileSystemCan) {
    system_.let_clone();
    write_copy(open(), edits_, folder_ / "out", {});
    EXPECT_TRUE(read_whole(folder_ / "out") == after_);
    EXPECT_TRUE(read_whole(path_) == before_);
    EXPECT_EQ(system_.count("clone"), 1);
    EXPECT_EQ(system_.count("copy_file_range"), 0);
}

TEST_F(LargeImage, IsCopiedWhateverSpeaksAgainstCloning) {
    for (const int error : {EOPNOTSUPP, EXDEV, EINVAL, EPERM, ENOTTY}) {
        system_.fail_all("clone", error);
        write_copy(open(), edits_, folder_ / "out", {});
        EXPECT_TRUE(read_whole(folder_ / "out") == after_) << error;
    }
    EXPECT_EQ(system_.count("clone"), 5);
}

TEST_F(LargeImage, IsCopiedByShortCountsToo) {
    system_.limit_counts(50000);
    write_copy(open(), edits_, folder_ / "out", {});
    EXPECT_TRUE(read_whole(folder_ / "out") == after_);
    EXPECT_GT(system_.count("copy_file_range"), 15);
    system_.fail_all("copy_file_range", ENOSYS);
    write_in_place_here();
    EXPECT_TRUE(read_whole(path_) == after_);
}

TEST_F(LargeImage, IsCopiedWhereHolesAreUnknown) {
    system_.fail_all("lseek", EINVAL);
    write_copy(open(), edits_, folder_ / "out", {});
    EXPECT_TRUE(read_whole(folder_ / "out") == after_);
}

TEST_F(LargeImage, GoesThroughAStream) {
    system_.limit_counts(100001);
    std::vector<std::uint64_t> told;
    {
        io::File out(system_, folder_ / "out", O_WRONLY | O_CREAT, mode_t{0600});
        write_stream(open().file(), edits_, out,
                     [&](std::uint64_t bytes) { told.push_back(bytes); });
    }
    EXPECT_TRUE(read_whole(folder_ / "out") == after_);
    EXPECT_TRUE(std::is_sorted(told.begin(), told.end()));
    EXPECT_EQ(told.back(), before_.size());
}

TEST_F(LargeImage, IsNotWrittenInAStreamFromWhereItChanged) {
    std::string other = before_;
    other[2 * kWindow] = static_cast<char>(~other[2 * kWindow]);
    write_whole(path_, other);
    const ImageFile image = open();
    io::File out(system_, folder_ / "out", O_WRONLY | O_CREAT, mode_t{0600});
    EXPECT_EQ(
        message_of(Error::Kind::damaged, [&] { write_stream(image.file(), edits_, out, {}); }),
        path_ +
            ": offset 524288: the bytes here have changed since they were read (somebody "
            "else writes to this file; nothing was changed in it)");
    EXPECT_LE(read_whole(folder_ / "out").size(), 2 * kWindow);
}

TEST(Holes, StayHoles) {
    constexpr off_t kSize = off_t{64} * 1024 * 1024;
    const TempFolder folder;
    const std::string path = folder / "x.img";
    std::string island = patterned(8192);
    EditList edits;
    {
        io::File image(kernel(), path, O_RDWR | O_CREAT, mode_t{0600});
        ASSERT_EQ(ftruncate(image.fd(), kSize), 0);
        image.write_at(as_bytes(island), 1048576);
        image.sync();
    }
    edits.add(1048576 + 100, as_bytes(std::string_view(island).substr(100, 4)), as_bytes("EDIT"));
    island.replace(100, 4, "EDIT");
    const struct stat before = status_of(path);
    ASSERT_LT(before.st_blocks * 512, kSize / 2) << "the build folder must know holes";
    {
        ImageFile image(kernel(), path, kForWriting);
        write_copy(image, edits, folder / "out", {});
        write_in_place(image, edits, {}, {});
    }
    for (const std::string& written : {folder / "out", path}) {
        EXPECT_EQ(status_of(written).st_size, kSize);
        EXPECT_EQ(status_of(written).st_blocks, before.st_blocks) << written;
        const io::File file(kernel(), written, O_RDONLY);
        std::string found(island.size(), '\0');
        ASSERT_EQ(file.read_at(std::as_writable_bytes(std::span(found)), 1048576), found.size());
        EXPECT_TRUE(found == island) << written;
    }
}

TEST(Holes, AnImageThatIsNothingElse) {
    const TempFolder folder;
    write_whole(folder / "x.img", "");
    ASSERT_EQ(truncate((folder / "x.img").c_str(), 1000000), 0);
    const ImageFile image(kernel(), folder / "x.img", {});
    write_copy(image, {}, folder / "out", {});
    EXPECT_EQ(read_whole(folder / "out"), std::string(1000000, '\0'));
}

// The image ends before the place of an edit, as if it had been cut since it was read. Edits of
// zeros are the trap: nothing read looks like them.
class CutImage : public testing::Test {
 protected:
    CutImage() {
        write_whole(path_, std::string(1000, '\0'));
        edits_.add(998, as_bytes(std::string_view("\0\0\0\0", 4)), as_bytes("ABCD"));
    }
    void expect_damaged(const std::string& text) {
        EXPECT_TRUE(text.starts_with(path_ + ": ")) << text;
        EXPECT_TRUE(read_whole(path_) == std::string(1000, '\0')) << "it was changed";
    }

    TempFolder folder_;
    std::string path_ = folder_ / "x.img";
    EditList edits_;
};

TEST_F(CutImage, IsRefusedInPlace) {
    ImageFile image(kernel(), path_, kForWriting);
    expect_damaged(
        message_of(Error::Kind::damaged, [&] { write_in_place(image, edits_, {}, {}); }));
}

TEST_F(CutImage, IsRefusedForACopy) {
    const ImageFile image(kernel(), path_, {});
    expect_damaged(
        message_of(Error::Kind::damaged, [&] { write_copy(image, edits_, folder_ / "out", {}); }));
    EXPECT_EQ(folder_.names(), Names{"x.img"});
}

TEST_F(CutImage, IsRefusedInAStream) {
    const io::File image(kernel(), path_, O_RDONLY);
    io::File out(kernel(), "/dev/null", O_WRONLY);
    expect_damaged(message_of(Error::Kind::damaged, [&] { write_stream(image, edits_, out, {}); }));
}

TEST_F(CutImage, IsRefusedInAStreamIfNothingOfTheEditIsLeft) {
    ASSERT_EQ(truncate(path_.c_str(), 998), 0);
    const io::File image(kernel(), path_, O_RDONLY);
    io::File out(kernel(), "/dev/null", O_WRONLY);
    EXPECT_TRUE(message_of(Error::Kind::damaged, [&] {
                    write_stream(image, edits_, out, {});
                }).starts_with(path_ + ": "));
}

TEST(ImageThatShrinks, IsNotCopiedToItsEnd) {
    ImageFolder x;
    FakeSystem system;
    system.before_calls([&](const std::string& name) {
        if (name == "copy_file_range") {
            EXPECT_EQ(truncate(x.path().c_str(), 100), 0);
            system.before_calls({});
        }
    });
    system.limit_counts(1000);
    EXPECT_EQ(message_of(Error::Kind::damaged, [&] { x.write_copy_with(system, x.out()); }),
              x.path() +
                  ": offset 100: the image became shorter while it was copied (somebody else "
                  "writes to this file; wait until it is whole)");
    EXPECT_EQ(x.folder().names(), Names{"x.img"});
}

io::Place place(const std::string& path) {
    return io::find_place(kernel(), path, "find");
}

TEST(NewFileTest, HasItsNameOnlyOnceItIsWhole) {
    const TempFolder folder;
    {
        NewFile file(place(folder / "new"));
        file.file().write(as_bytes("text"));
        const Names names = folder.names();
        ASSERT_EQ(names.size(), 1U);
        EXPECT_TRUE(names.begin()->starts_with(".new.ckpt-lease-")) << *names.begin();
        EXPECT_EQ(status_of(folder / *names.begin()).st_mode & 07777U, 0600U) << "nobody else's";
        EXPECT_EQ(file.file().name(), folder / "new") << "messages name what was asked for";
        file.commit();
        EXPECT_EQ(folder.names(), Names{"new"});
    }
    EXPECT_EQ(folder.names(), Names{"new"});
    EXPECT_EQ(read_whole(folder / "new"), "text");
    EXPECT_EQ(status_of(folder / "new").st_mode & 07777U, 0600U);
}

TEST(NewFileTest, GoesAwayUnlessItIsCommitted) {
    const TempFolder folder;
    write_whole(folder / "new", "old");
    {
        NewFile file(place(folder / "new"));
        file.file().write(as_bytes("text"));
    }
    EXPECT_EQ(folder.names(), Names{"new"});
    EXPECT_EQ(read_whole(folder / "new"), "old");
}

TEST(NewFileTest, SeveralCanBeMadeAtTheSamePlace) {
    const TempFolder folder;
    NewFile first(place(folder / "new"));
    NewFile second(place(folder / "new"), NewFile::Over::anything);
    EXPECT_EQ(folder.names().size(), 2U);
    first.file().write(as_bytes("first"));
    second.file().write(as_bytes("second"));
    first.commit();
    second.commit();
    EXPECT_EQ(read_whole(folder / "new"), "second");
    EXPECT_EQ(folder.names(), Names{"new"});
}

TEST(NewFileTest, APathWithoutFolderIsInTheCurrentOne) {
    const TempFolder folder;
    const std::string here = std::filesystem::current_path();
    std::filesystem::current_path(folder / ".");
    NewFile file(place("new"));
    file.commit();
    std::filesystem::current_path(here);
    EXPECT_EQ(folder.names(), Names{"new"});
}

}  // namespace
}  // namespace ckpt_lease
