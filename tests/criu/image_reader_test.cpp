// SPDX-License-Identifier: GPL-2.0-or-later
#include "criu/image_reader.hpp"

#include "criu/messages.hpp"
#include "support.hpp"

namespace ckpt_lease::criu {
namespace {

// All entries of an image: "OFFSET SIZE".
Texts entries_of(const std::string& bytes, Magic magic) {
    ImageReader image("t.img", bytes, magic);
    Texts texts;
    while (const auto entry = image.next()) {
        EXPECT_EQ(entry->index, texts.size());
        texts.push_back(std::to_string(entry->offset) + " " +
                        std::to_string(entry->message.size()));
    }
    return texts;
}

std::string damage_of(const std::string& bytes, Magic magic = Magic::pstree) {
    return damage([&] { entries_of(bytes, magic); });
}

TEST(ImageReader, WalksOverItsEntries) {
    EXPECT_EQ(entries_of(bytes_of("19 43 56 54 30 30 27 50 02 00 00 00 08 07 00 00 00 00"),
                         Magic::pstree),
              (Texts{"8 2", "14 0"}));
    EXPECT_EQ(entries_of(kPstreeHead, Magic::pstree), Texts{});
}

TEST(ImageReader, InventoryHasOneNumberBeforeIt) {
    EXPECT_EQ(entries_of(bytes_of("16 31 31 58 02 00 00 00 08 02"), Magic::inventory),
              Texts{"4 2"});
    EXPECT_EQ(damage_of(kCommon + kInventoryHead, Magic::inventory),
              std::string("t.img: offset 0: magic: 0x54564319 is not what an image of CRIU begins "
                          "with") +
                  kCopyAgain);
}

TEST(ImageReader, ImagesOfTheFirstVersionHaveOneToo) {
    EXPECT_EQ(entries_of(bytes_of("30 30 27 50 02 00 00 00 08 07"), Magic::pstree), Texts{"4 2"});
}

TEST(ImageReader, TheFirstNumberTellsTheByteOrder) {
    const std::string big = bytes_of("54 56 43 19 50 27 30 30 00 00 00 02 08 07");
    EXPECT_EQ(entries_of(big, Magic::pstree), Texts{"8 2"});
    EXPECT_EQ(ImageReader("t.img", big, Magic::pstree).order(), ByteOrder::big);
    EXPECT_EQ(ImageReader("t.img", kPstreeHead, Magic::pstree).order(), ByteOrder::little);
}

TEST(ImageReader, OtherFilesAreNoImages) {
    EXPECT_EQ(damage_of("PK\3\4"),
              std::string("t.img: offset 0: magic: 0x04034b50 is not what an image of CRIU begins "
                          "with") +
                  kCopyAgain);
    EXPECT_EQ(damage_of(kLocksHead),
              std::string("t.img: offset 4: magic: 0x54323616 is another image of CRIU: 0x50273030 "
                          "is what this one begins with") +
                  kCopyAgain);
}

TEST(ImageReader, AnImageThatEndsTooEarly) {
    const auto at = [](const std::string& where, const std::string& what) {
        return "t.img: " + where + ": " + what + kCopyAgain;
    };
    EXPECT_EQ(damage_of(""), at("offset 0: magic", "the image ends after 0 bytes"));
    EXPECT_EQ(damage_of(kCommon.substr(0, 3)),
              at("offset 0: magic", "the image ends after 3 bytes"));
    EXPECT_EQ(damage_of(kPstreeHead.substr(0, 7)),
              at("offset 4: magic", "the image ends after 7 bytes"));
    const std::string image = kPstreeHead + entry("\x08\x07") + entry("\x08\x08");
    EXPECT_EQ(damage_of(image.substr(0, 17)),
              at("offset 14: entry 1", "the image ends within its size, after 3 bytes"));
    EXPECT_EQ(damage_of(image.substr(0, 19)),
              at("offset 14: entry 1", "it has 2 bytes, and the image ends after 1 of them"));
}

TEST(ImageReader, ASizeIsNotBelieved) {
    EXPECT_EQ(damage_of(kPstreeHead + bytes_of("01 00 10 00")),
              std::string("t.img: offset 8: entry 0: a size of 1048577 bytes: 1048576 are the most "
                          "that is read") +
                  kCopyAgain);
    EXPECT_EQ(damage_of(kPstreeHead + bytes_of("00 00 10 00 08")),
              std::string("t.img: offset 8: entry 0: it has 1048576 bytes, and the image ends "
                          "after 1 of them") +
                  kCopyAgain);
    EXPECT_EQ(entries_of(kPstreeHead + entry(std::string(1048576, '\0')), Magic::pstree),
              Texts{"8 1048576"});
}

TEST(ImageReader, AMessageThatIsNone) {
    const std::string bytes = kPstreeHead + entry(bytes_of("08 07")) + entry(bytes_of("08"));
    ImageReader image("t.img", bytes, Magic::pstree);
    images::PstreeEntry message;
    image.parse(*image.next(), message);
    EXPECT_EQ(message.pid(), 7U);
    EXPECT_EQ(
        damage([&] { image.parse(*image.next(), message); }),
        std::string("t.img: offset 14: entry 1: the protobuf message cannot be read") + kCopyAgain);
}

}  // namespace
}  // namespace ckpt_lease::criu
