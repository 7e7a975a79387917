// SPDX-License-Identifier: GPL-2.0-or-later
// Which undo files are believed, and what is looked at before an image is opened for writing.
#include "rewrite/undo.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "writers_support.hpp"

namespace ckpt_lease {
namespace {

namespace fs = std::filesystem;

// An image that was rewritten, and the undo file that was kept.
class UndoFile : public testing::Test {
 protected:
    UndoFile() {
        ImageFile image(kernel(), x_.path(), kForWriting);
        write_in_place(image, x_.edits(), undo_file_, {});
    }
    std::string why_not(Error::Kind kind = Error::Kind::damaged) {
        return message_of(kind, [&] { static_cast<void>(read_undo_file(system_, undo_file_)); });
    }
    std::string why_not_opened(const UndoOptions& options, Error::Kind kind) {
        const Journal journal = read_undo_file(kernel(), undo_file_);
        FakeSystem system;
        std::string message = message_of(kind, [&] {
            static_cast<void>(open_to_undo(io::find_place(system, x_.path(), "open"), journal,
                                           undo_file_, options));
        });
        EXPECT_EQ(system.count("pwrite"), 0);
        return message;
    }

    ImageFolder x_;
    std::string undo_file_ = x_.folder() / "undo";
    FakeSystem system_;
};

TEST_F(UndoFile, OfSomebodyElseIsNotBelieved) {
    system_.disguise([](struct stat& status) {
        if (S_ISREG(status.st_mode)) {
            status.st_uid = 12345;
        }
    });
    EXPECT_EQ(why_not(),
              undo_file_ +
                  ": this undo file belongs to user 12345: only one of your own, or of root, is "
                  "used (nothing was changed; look at what it would do, and make a copy of your "
                  "own)");
}

TEST_F(UndoFile, ThatOthersCanWriteToIsNotBelieved) {
    for (const mode_t mode : {0620U, 0602U}) {
        ASSERT_EQ(chmod(undo_file_.c_str(), mode), 0);
        EXPECT_EQ(why_not(), undo_file_ +
                                 ": others than its owner can write to this undo file (nothing was "
                                 "changed; if you know that nobody did, take that right away with "
                                 "chmod go-w)");
    }
}

TEST_F(UndoFile, WithASecondNameIsNotBelieved) {
    fs::create_hard_link(undo_file_, x_.folder() / "second");
    EXPECT_EQ(why_not(), undo_file_ +
                             ": this undo file has several names (hard links), perhaps in a folder "
                             "of somebody else (nothing was changed; make a copy, and give that)");
}

TEST_F(UndoFile, IsNoPipe) {
    fs::remove(undo_file_);
    ASSERT_EQ(mkfifo(undo_file_.c_str(), 0600), 0);
    EXPECT_EQ(why_not(Error::Kind::io),
              undo_file_ + ": this is no undo file: it is no regular file [give_undo_file]");
}

TEST_F(UndoFile, BelongsToWhoeverMadeIt) {
    FakeSystem system;
    ImageFolder y;
    system.disguise([](struct stat& status) {
        if (status.st_size == 3000) {  // the image is somebody else's
            status.st_uid = 12345;
        }
    });
    ImageFile image(system, y.path(), kForWriting);
    const int given_away = system.count("fchown");
    write_in_place(image, y.edits(), y.folder() / "undo", {});
    EXPECT_EQ(system.count("fchown"), given_away + 1) << "the journal only";
    EXPECT_EQ(status_of(y.folder() / "undo").st_uid, geteuid());
}

TEST_F(UndoFile, CannotBeWrittenByOthersThoughTheImageCan) {
    ImageFolder y;
    ASSERT_EQ(chmod(y.path().c_str(), 0666), 0);
    ImageFile image(kernel(), y.path(), kForWriting);
    write_in_place(image, y.edits(), y.folder() / "undo", {});
    EXPECT_EQ(status_of(y.folder() / "undo").st_mode & 07777U, 0644U);
}

TEST_F(UndoFile, IsForOneImageOnly) {
    fs::copy_file(x_.path(), x_.folder() / "copy");
    fs::rename(x_.folder() / "copy", x_.path());
    EXPECT_EQ(why_not_opened({}, Error::Kind::damaged),
              undo_file_ + ": this undo file does not belong to " + x_.path() +
                  ": it was made for another file, or one on another file system (nothing was "
                  "changed) [undo_another]");
    const Journal journal = read_undo_file(kernel(), undo_file_);
    ImageFile image = open_to_undo(io::find_place(kernel(), x_.path(), "open"), journal, undo_file_,
                                   {.copied = true});
    EXPECT_EQ(undo(image, journal, undo_file_, true, {}), Undone::now);
    EXPECT_TRUE(read_whole(x_.path()) == x_.before());
}

TEST_F(UndoFile, AFileThatHoldsOtherBytesIsNotOpenedForWriting) {
    std::string bytes = x_.after();
    bytes[2995] = '?';
    write_whole(x_.path(), bytes);
    ASSERT_EQ(chmod(x_.path().c_str(), 0400), 0);
    EXPECT_EQ(why_not_opened({}, Error::Kind::damaged),
              x_.path() + ": the image was changed again where " + undo_file_ +
                  " would change it (nothing was changed; take later changes back first)");
}

TEST_F(UndoFile, APipeIsNotOpened) {
    fs::remove(x_.path());
    ASSERT_EQ(mkfifo(x_.path().c_str(), 0600), 0);
    EXPECT_EQ(why_not_opened({.copied = true}, Error::Kind::io),
              x_.path() + ": this is no regular file (give the image itself)");
}

}  // namespace
}  // namespace ckpt_lease
