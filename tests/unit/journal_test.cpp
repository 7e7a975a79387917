// SPDX-License-Identifier: GPL-2.0-or-later
// The bytes of journals, and what is wrong with those that are not whole.
#include "rewrite/journal.hpp"

#include <gtest/gtest.h>
#include <xxhash.h>

#include "writers_support.hpp"

namespace ckpt_lease {
namespace {

constexpr std::size_t kPurpose = 12;
constexpr std::size_t kHeadLength = 48;
constexpr std::size_t kPathLength = 56;
constexpr std::size_t kEdits = 64;
constexpr std::size_t kFirstEdit = 72 + 8;  // behind a path of 6 bytes
constexpr std::size_t kSecondEdit = kFirstEdit + 32;

std::string little(std::uint64_t value, std::size_t width) {
    std::string bytes;
    for (std::size_t i = 0; i < width; ++i) {
        bytes += static_cast<char>((value >> (8 * i)) & 0xffU);
    }
    return bytes;
}

std::string checksum_of(const std::string& bytes) {
    return little(XXH3_64bits(bytes.data(), bytes.size()), 8);
}

// With the checksum that its bytes have now.
std::string signed_again(std::string journal) {
    journal.resize(journal.size() - 8);
    return journal + checksum_of(journal);
}

std::string with(std::string bytes, std::size_t at, const std::string& replacement) {
    return bytes.replace(at, replacement.size(), replacement);
}

class JournalTest : public testing::Test {
 protected:
    JournalTest() {
        edits_.add(24, as_bytes("OLD!"), as_bytes("NEW!"));
        edits_.add(40, as_bytes("12345678"), as_bytes("abcdefgh"));
        journal_.purpose = Journal::Purpose::undo;
        journal_.identity = {0x11, 0x22, 0x33, 24, 0x44};
        journal_.image = "/d/img";
    }

    std::string written() {
        io::File out(io::posix_system(), path_, O_RDWR | O_CREAT | O_TRUNC, mode_t{0600});
        write_journal(journal_, edits_, out);
        return read_whole(path_);
    }
    Journal read(const std::string& bytes) {
        write_whole(path_, bytes);
        return read_journal(io::File(io::posix_system(), path_, O_RDONLY));
    }
    void expect_damaged(const std::string& bytes, const std::string& message) {
        constexpr const char* kHint =
            " (it was not used and not removed: if this is not the copy of a better one, look at "
            "the image and remove it)";
        EXPECT_EQ(message_of(Error::Kind::damaged, [&] { static_cast<void>(read(bytes)); }),
                  path_ + ": " + message + kHint);
    }

    TempFolder folder_;
    std::string path_ = folder_ / "j";
    Journal journal_;
    EditList edits_;
};

TEST_F(JournalTest, TheBytes) {
    const std::string path("/d/img\0\0", 8);
    std::string wanted = "CKPTLJNL" + little(1, 4) + little(2, 4) + little(0x11, 8) +
                         little(0x22, 8) + little(0x33, 8) + little(0x44, 8) + little(24, 8) +
                         little(6, 8) + little(2, 8) + path;
    wanted += little(24, 8) + little(4, 8) + "OLD!" + std::string(4, '\0') + "NEW!" +
              std::string(4, '\0');
    wanted += little(40, 8) + little(8, 8) + "12345678" + "abcdefgh";
    wanted += checksum_of(wanted);
    EXPECT_EQ(written(), wanted);
}

TEST_F(JournalTest, AreReadAsTheyWereWritten) {
    const Journal found = read(written());
    EXPECT_EQ(found.purpose, Journal::Purpose::undo);
    EXPECT_EQ(found.identity.device, 0x11U);
    EXPECT_EQ(found.identity.inode, 0x22U);
    EXPECT_EQ(found.identity.size, 0x33U);
    EXPECT_EQ(found.identity.head_checksum, 0x44U);
    EXPECT_EQ(found.identity.head_length, 24U);
    EXPECT_EQ(found.image, "/d/img");
    ASSERT_EQ(found.edits.size(), 2U);
    EXPECT_EQ(found.edits.at(0).offset, 24U);
    EXPECT_EQ(as_text(found.edits.at(0).old_bytes), "OLD!");
    EXPECT_EQ(as_text(found.edits.at(1).new_bytes), "abcdefgh");
}

TEST_F(JournalTest, ManyEditsGoThroughASmallBuffer) {
    edits_.clear();
    for (std::uint64_t i = 0; i < 10000; ++i) {
        edits_.add(8 * i, as_bytes("a"), as_bytes("b"));
    }
    journal_.identity.size = 100000;
    const Journal found = read(written());
    ASSERT_EQ(found.edits.size(), 10000U);
    EXPECT_EQ(found.edits.at(9999).offset, 79992U);
}

TEST_F(JournalTest, AnyBitThatIsFlippedIsNoticed) {
    const std::string whole = written();
    for (std::size_t i = 0; i < whole.size(); ++i) {
        std::string other = whole;
        other[i] = static_cast<char>(other[i] ^ (1 << (i % 8)));
        EXPECT_NE(message_of(Error::Kind::damaged, [&] { static_cast<void>(read(other)); }),
                  "(nothing was thrown)")
            << i;
    }
}

TEST_F(JournalTest, AnyEndThatIsMissingIsNoticed) {
    const std::string whole = written();
    for (std::size_t size = 0; size < whole.size(); ++size) {
        EXPECT_NE(message_of(Error::Kind::damaged,
                             [&] { static_cast<void>(read(whole.substr(0, size))); }),
                  "(nothing was thrown)")
            << size;
    }
}

TEST_F(JournalTest, EachFaultHasItsMessage) {
    const std::string whole = written();
    const auto changed = [&](std::size_t at, const std::string& bytes) {
        return signed_again(with(whole, at, bytes));
    };
    const std::string size = std::to_string(whole.size());
    expect_damaged("", "offset 0: the journal ends here");
    expect_damaged(whole.substr(0, 71), "offset 71: the journal ends here");
    expect_damaged(changed(0, "X"), "offset 0: this is no journal of ckpt-lease");
    expect_damaged(changed(8, little(2, 4)),
                   "offset 8: this journal has version 2, and only 1 is known");
    expect_damaged(changed(kPurpose, little(3, 4)),
                   "offset 0: the header of the journal makes no sense");
    expect_damaged(changed(72 + 2, std::string(1, '\0')),
                   "offset 72: the path of the image holds a NUL");
    expect_damaged(changed(kHeadLength, little(4097, 8)),
                   "offset 0: the header of the journal makes no sense");
    const std::string unexplained =
        "offset 0: the journal has " + size + " bytes, which its header does not explain";
    expect_damaged(changed(kPathLength, little(4097, 8)), unexplained);
    expect_damaged(changed(kPathLength, little(UINT64_MAX, 8)), unexplained);
    expect_damaged(changed(kEdits, little(3, 8)), unexplained);
    expect_damaged(changed(kEdits, little(UINT64_MAX, 8)), unexplained);
    expect_damaged(signed_again(whole + "12345678"),
                   "offset 0: the journal has " + std::to_string(whole.size() + 8) +
                       " bytes, which its header does not explain");
    expect_damaged(changed(kFirstEdit + 8, little(9, 8)),
                   "offset 80: an edit of 9 bytes at 24 can't be");
    expect_damaged(changed(kFirstEdit + 8, little(0, 8)),
                   "offset 80: an edit of 0 bytes at 24 can't be");
    expect_damaged(changed(kSecondEdit, little(27, 8)),
                   "offset 112: an edit of 8 bytes at 27 can't be");
    expect_damaged(changed(kSecondEdit, little(44, 8)),
                   "offset 112: an edit of 8 bytes at 44 can't be");
    expect_damaged(changed(kSecondEdit, little(UINT64_MAX - 3, 8)),
                   "offset 112: an edit of 8 bytes at 18446744073709551612 can't be");
    expect_damaged(changed(kFirstEdit + 24, "OLD!"),
                   "offset 80: an edit of 4 bytes at 24 changes nothing");
    expect_damaged(with(whole, kFirstEdit + 16, "old!"),
                   "offset 144: the checksum of the journal is wrong");
}

TEST(Identity, IsOfWhatStandsBeforeTheFirstEdit) {
    const TempFolder folder;
    const std::string path = folder / "x";
    const std::string bytes = patterned(10000);
    write_whole(path, bytes);
    const io::File image(io::posix_system(), path, O_RDONLY);
    const auto identity_with = [&](std::uint64_t offset) {
        EditList edits;
        edits.add(offset, as_bytes("a"), as_bytes("b"));
        return identify(image, edits);
    };
    EXPECT_EQ(identity_with(100).head_length, 100U);
    EXPECT_EQ(identity_with(100).head_checksum, XXH3_64bits(bytes.data(), 100));
    EXPECT_EQ(identity_with(9999).head_length, 4096U);
    EXPECT_EQ(identity_with(0).head_length, 0U);
    EXPECT_EQ(identify(image, {}).head_length, 4096U);
    EXPECT_EQ(identify(image, {}).size, 10000U);
    EXPECT_EQ(identify(image, {}).inode, status_of(path).st_ino);
}

}  // namespace
}  // namespace ckpt_lease
