// SPDX-License-Identifier: GPL-2.0-or-later
// Images with a journal beside them.
#include "rewrite/image_file.hpp"

#include <gtest/gtest.h>
#include <unistd.h>
#include <xxhash.h>

#include "image_support.hpp"

namespace ckpt_lease {
namespace {

using Names = std::set<std::string>;

constexpr const char* kNobodysBusiness = " (nothing was changed) [recover_copied]";

TEST(Open, AFolderIsNoImage) {
    const TempFolder folder;
    for (const ImageFile::Options& options : {ImageFile::Options{}, kForWriting}) {
        EXPECT_EQ(why_not(folder / ".", options, Error::Kind::io),
                  folder / "." + ": this is a folder (give the image files in it)");
    }
}

// What it has would be passed on, perhaps to where the link's owner can read it.
TEST(Open, ALinkOfSomebodyElseIsFollowedOnlyToLookAtTheImage) {
    ImageFolder x;
    ASSERT_EQ(symlink("x.img", (x.folder() / "link").c_str()), 0);
    FakeSystem system;
    system.disguise([](struct stat& status) {
        if (S_ISLNK(status.st_mode)) {
            status.st_uid = 12345;
        }
    });
    for (const ImageFile::Options& options : {ImageFile::Options{}, kForWriting}) {
        EXPECT_NE(message_of(Error::Kind::io,
                             [&] { const ImageFile image(system, x.folder() / "link", options); })
                      .find("a symbolic link of user 12345 leads to"),
                  std::string::npos);
    }
    EXPECT_TRUE(contents(ImageFile(system, x.folder() / "link", {.any_link = true})) == x.before());
}

TEST(Open, WhatMayNotBeWrittenSaysSo) {
    ImageFolder x;
    FakeSystem system;
    system.fail_all("open", EACCES);
    EXPECT_EQ(
        message_of(Error::Kind::io, [&] { const ImageFile image(system, x.path(), kForWriting); }),
        x.path() +
            ": cannot open for writing: Permission denied (run as a user who may) "
            "[write_elsewhere]");
}

// An image whose rewriting was interrupted when all its new bytes had been written.
class Interrupted : public testing::Test {
 protected:
    Interrupted() {
        FakeSystem system;
        system.fail_all("fdatasync", EIO);
        system.fail_call("pwrite", 3, EIO);  // the first that takes it back
        EXPECT_THROW(x_.write_in_place_with(system), Error);
        EXPECT_EQ(x_.folder().names(), (Names{"x.img", "x.img.ckpt-lease-journal"}));
        EXPECT_TRUE(read_whole(x_.path()) == x_.after());
    }
    void expect_refused(const std::string& message) {
        const std::string image = read_whole(x_.path());
        for (const ImageFile::Options& options : {ImageFile::Options{}, kForWriting}) {
            EXPECT_EQ(why_not(x_.path(), options, Error::Kind::damaged), message);
        }
        EXPECT_TRUE(read_whole(x_.path()) == image);
        EXPECT_TRUE(std::filesystem::exists(journal_) || std::filesystem::is_symlink(journal_));
    }
    [[nodiscard]] std::string not_ours(const std::string& difference) const {
        return journal_ + ": this journal of an interrupted change does not belong to " +
               x_.path() + ": " + difference + kNobodysBusiness;
    }

    ImageFolder x_;
    std::string journal_ = std::filesystem::canonical(x_.path()).string() + ".ckpt-lease-journal";
};

TEST_F(Interrupted, AReaderSeesWhatWasBefore) {
    const ImageFile image(kernel(), x_.path(), {});
    EXPECT_TRUE(image.was_interrupted());
    EXPECT_TRUE(image.hides_change());
    EXPECT_EQ(image.interrupted().size(), 2U);
    EXPECT_TRUE(contents(image) == x_.before());
    // Parts of an edit, too.
    std::string part(2, '\0');
    ASSERT_EQ(image.file().read_at(std::as_writable_bytes(std::span(part)), 26), 2U);
    EXPECT_EQ(part, x_.before().substr(26, 2));
    EXPECT_TRUE(read_whole(x_.path()) == x_.after()) << "nothing was written";
    EXPECT_TRUE(std::filesystem::exists(journal_));
}

TEST_F(Interrupted, AWriterTakesItBack) {
    const ImageFile image(kernel(), x_.path(), kForWriting);
    EXPECT_TRUE(image.was_interrupted());
    EXPECT_FALSE(image.hides_change());
    EXPECT_TRUE(read_whole(x_.path()) == x_.before());
    EXPECT_EQ(x_.folder().names(), Names{"x.img"});
}

TEST_F(Interrupted, ALinkLeadsToTheJournalToo) {
    ASSERT_EQ(symlink("x.img", (x_.folder() / "link").c_str()), 0);
    EXPECT_TRUE(ImageFile(kernel(), x_.folder() / "link", {}).was_interrupted());
}

TEST_F(Interrupted, StandardInputHasAJournalToo) {
    const io::File file(kernel(), x_.path(), O_RDONLY);
    const ImageFile image(kernel(), "-", file.fd(), {});
    EXPECT_TRUE(image.hides_change());
    EXPECT_TRUE(contents(image) == x_.before());
}

TEST_F(Interrupted, AFileThatWasRemovedHasNoJournal) {
    const io::File file(kernel(), x_.path(), O_RDONLY);
    std::filesystem::remove(x_.path());
    EXPECT_FALSE(ImageFile(kernel(), "-", file.fd(), {}).was_interrupted());
}

TEST_F(Interrupted, HalfWrittenEditsAreTakenBack) {
    std::string mixed = x_.after();
    mixed.replace(26, 2, x_.before(), 26, 2);
    mixed.replace(2993, 3, x_.before(), 2993, 3);
    write_whole(x_.path(), mixed);
    const ImageFile image(kernel(), x_.path(), kForWriting);
    EXPECT_TRUE(read_whole(x_.path()) == x_.before());
}

TEST_F(Interrupted, AnotherFileInThePlaceOfTheImageIsNotTouched) {
    write_whole(x_.folder() / "new", x_.after());
    std::filesystem::rename(x_.folder() / "new", x_.path());
    expect_refused(not_ours("it was made for another file, or one on another file system"));
    const ImageFile image(kernel(), x_.path(),
                          {.access = ImageFile::Access::write, .copied = true});
    EXPECT_TRUE(read_whole(x_.path()) == x_.before()) << "a copy, with the user's word for it";
}

TEST_F(Interrupted, AnImageOfAnotherSizeIsNotTouched) {
    std::filesystem::resize_file(x_.path(), 3001);
    expect_refused(not_ours("the image has 3001 bytes, and had 3000"));
}

TEST_F(Interrupted, AnImageThatBeginsOtherwiseIsNotTouched) {
    std::string other = x_.after();
    other[23] = static_cast<char>(~other[23]);
    write_whole(x_.path(), other);
    expect_refused(not_ours("the image begins with other bytes"));
}

TEST_F(Interrupted, WhatSomebodyElseWroteSinceIsNotTouched) {
    std::string other = x_.after();
    other[2994] = '?';
    write_whole(x_.path(), other);
    expect_refused(journal_ + ": this journal of an interrupted change does not fit " + x_.path() +
                   " any more: somebody else has written at offset 2994 since (nothing was "
                   "changed; if the image is as it should be, remove the journal)");
}

TEST_F(Interrupted, ADamagedJournalIsNeitherUsedNorRemoved) {
    std::filesystem::resize_file(journal_, 100);
    expect_refused(journal_ +
                   ": offset 0: the journal has 100 bytes, which its header does not explain (it "
                   "was not used and not removed: if this is not the copy of a better one, look "
                   "at the image and remove it)");
}

// Nothing that was interrupted has such an edit, and the bytes that it expects are not there.
TEST_F(Interrupted, AnEditThatChangesNothingIsNotPassedOver) {
    std::string journal = read_whole(journal_);
    const std::size_t edit = journal.size() - 8 - 2 * 32;
    journal.replace(edit + 16, 16, "????\0\0\0\0????\0\0\0\0", 16);
    const std::uint64_t sum = XXH3_64bits(journal.data(), journal.size() - 8);
    const auto bytes = encode(sum, 8, ByteOrder::little);
    journal.replace(journal.size() - 8, 8, as_text(bytes));
    write_whole(journal_, journal);
    expect_refused(journal_ + ": offset " + std::to_string(edit) +
                   ": an edit of 4 bytes at 24 changes nothing (it was not used and not removed: "
                   "if this is not the copy of a better one, look at the image and remove it)");
}

// Its bytes are those of a journal but for the purpose, and it is somebody's way back.
TEST_F(Interrupted, AnUndoFileInItsPlaceIsNotUsedUp) {
    const std::string undo_file = x_.folder() / "undo";
    {
        ImageFile image(kernel(), x_.path(), kForWriting);  // takes the change back
        write_in_place(image, x_.edits(), undo_file, {});
    }
    ASSERT_EQ(rename(undo_file.c_str(), journal_.c_str()), 0);
    expect_refused(journal_ +
                   ": this is an undo file, in the place of a journal (nothing was changed) "
                   "[rename_undo_file]");
}

// No journal is left beside one, and others may have given the image a name.
TEST_F(Interrupted, AnImageOfSeveralNamesHasNoJournal) {
    std::filesystem::create_hard_link(x_.path(), x_.folder() / "second");
    for (const ImageFile::Options& options : {ImageFile::Options{}, kForWriting}) {
        EXPECT_NE(why_not(x_.path(), options, Error::Kind::io).find("has several names"),
                  std::string::npos);
    }
    EXPECT_TRUE(read_whole(x_.path()) == x_.after());
    EXPECT_TRUE(std::filesystem::exists(journal_));
}

TEST_F(Interrupted, ALinkIsNoJournal) {
    std::filesystem::rename(journal_, x_.folder() / "elsewhere");
    ASSERT_EQ(symlink("elsewhere", journal_.c_str()), 0);
    expect_refused(journal_ +
                   ": this should be the journal of an interrupted change, and is a symbolic link "
                   "(nothing was changed; if nobody rewrote the image, remove it)");
}

TEST_F(Interrupted, WhatSomebodyElseMadeIsNoJournal) {
    if (geteuid() != 0) {
        GTEST_SKIP() << "only root can give files away";
    }
    ASSERT_EQ(chown(journal_.c_str(), 12345, 0), 0);
    expect_refused(journal_ + ": this should be the journal of an interrupted change to " +
                   x_.path() +
                   ", but it was made by somebody else (nothing was changed; if nobody rewrote the "
                   "image, remove it)");
    // The owner of the image may do with it what he likes.
    ASSERT_EQ(chown(x_.path().c_str(), 12345, 0), 0);
    EXPECT_TRUE(ImageFile(kernel(), x_.path(), {}).was_interrupted());
}

TEST_F(Interrupted, AJournalHasOneName) {
    ASSERT_EQ(link(journal_.c_str(), (x_.folder() / "second").c_str()), 0);
    expect_refused(
        journal_ + ": this should be the journal of an interrupted change to " + x_.path() +
        ", but it has 2 names, and journals have one (nothing was changed; remove its other "
        "names if you know them, and the change can be taken back)");
}

TEST_F(Interrupted, AJournalIsARegularFile) {
    const std::string message =
        journal_ + ": this should be the journal of an interrupted change to " + x_.path() +
        ", and is no regular file (nothing was changed; if nobody rewrote "
        "the image, remove it)";
    std::filesystem::remove(journal_);
    ASSERT_EQ(mkfifo(journal_.c_str(), 0600), 0);
    expect_refused(message);
    std::filesystem::remove(journal_);
    ASSERT_TRUE(std::filesystem::create_directory(journal_));
    expect_refused(message);
}

TEST_F(Interrupted, ACopyIsMadeOfWhatWasBefore) {
    const ImageFile image(kernel(), x_.path(), {});
    write_copy(image, {}, x_.out(), {});
    EXPECT_TRUE(read_whole(x_.out()) == x_.before());
    io::File out(kernel(), x_.folder() / "stream", O_WRONLY | O_CREAT, mode_t{0600});
    write_stream(image.file(), x_.edits(), out, {});
    EXPECT_TRUE(read_whole(x_.folder() / "stream") == x_.after());
}

TEST(JournalName, NamesOfAnyLengthHaveOneOfTheirOwn) {
    EXPECT_EQ(journal_path("/d/x.img"), "/d/x.img.ckpt-lease-journal");
    const std::string longest(255, 'n');
    const std::string other = std::string(254, 'n') + 'm';
    EXPECT_NE(journal_path("/d/" + longest), journal_path("/d/" + other));
    EXPECT_LE(journal_path(longest).size(), 250U);
}

TEST(JournalFile, HasTheModeOfTheImageAndReplacesWhatAKilledOneLeft) {
    ImageFolder x;
    ASSERT_EQ(chmod(x.path().c_str(), 0604), 0);
    write_whole(x.folder() / ".x.img.ckpt-lease-journal.new", "left behind");
    FakeSystem system;
    mode_t mode = 0;
    system.before_calls([&](const std::string& name) {
        if (name == "fdatasync") {
            mode = status_of(x.path() + ".ckpt-lease-journal").st_mode & 07777U;
        }
    });
    x.write_in_place_with(system);
    EXPECT_EQ(mode, 0604U);
    EXPECT_EQ(x.folder().names(), Names{"x.img"});
}

TEST(JournalFile, CannotBeMadeInAFolderThatCannotBeWritten) {
    ImageFolder x;
    FakeSystem system;
    ImageFile image(system, x.path(), kForWriting);
    system.fail_all("open", EROFS);
    const std::string text =
        message_of(Error::Kind::io, [&] { write_in_place(image, x.edits(), {}, {}); });
    EXPECT_EQ(text,
              std::filesystem::canonical(x.path()).string() +
                  ".ckpt-lease-journal: cannot create: Read-only file system [write_elsewhere]");
    EXPECT_TRUE(read_whole(x.path()) == x.before());
}

}  // namespace
}  // namespace ckpt_lease
