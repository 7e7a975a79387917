// SPDX-License-Identifier: GPL-2.0-or-later
// Bytes from an image made safe to show.
#include "ckpt-lease/base/text.hpp"

#include <gtest/gtest.h>

#include <string>

namespace ckpt_lease {
namespace {

using namespace std::string_literals;

TEST(Escape, LeavesPrintableTextAlone) {
    for (const auto* const text :
         {"", "/var/lib/job 1/~data#\"quoted\"'", "/home/zo\xc3\xab/\xe6\xbc\xa2\xe5\xad\x97",
          "\xf0\x9f\x98\x80", "e\xcc\x81"}) {
        EXPECT_EQ(escape(text), text);
    }
}

TEST(Excerpt, CutsBehindACharacter) {
    EXPECT_EQ(excerpt("", 2), "");
    EXPECT_EQ(excerpt("ab", 2), "ab");
    EXPECT_EQ(excerpt("abc", 2), "ab...");
    EXPECT_EQ(excerpt("\xc3\xa9\xe6\xbc\xa2z", 2), "\xc3\xa9\xe6\xbc\xa2...");
    EXPECT_EQ(excerpt("\xff\xff\xff", 2), "\xff\xff...") << "not UTF-8: bytes";
    EXPECT_EQ(excerpt(std::string(65, 'a')), std::string(64, 'a') + "...");
}

TEST(Escape, ControlCharacters) {
    EXPECT_EQ(escape("a\tb\nc\rd"), R"(a\tb\nc\rd)");
    EXPECT_EQ(escape("\x1b[31mred"), R"(\x1b[31mred)");
    EXPECT_EQ(escape("\x7f"), R"(\x7f)");
    EXPECT_EQ(escape("\0x"s), R"(\x00x)");
    EXPECT_EQ(escape("\a\b\v\f"), R"(\x07\x08\x0b\x0c)");
    EXPECT_EQ(escape("\xc2\x9b"), R"(\u009b)") << "CSI in one character";
}

TEST(Escape, TheBackslashIsDoubledSoThatEscapesCanBeToldFromText) {
    EXPECT_EQ(escape(R"(a\tb)"), R"(a\\tb)");
    EXPECT_EQ(escape(R"(\\)"), R"(\\\\)");
}

TEST(Escape, CharactersThatMislead) {
    EXPECT_EQ(escape("a\xe2\x80\xae"
                     "b"),
              R"(a\u202eb)")
        << "right-to-left override";
    EXPECT_EQ(escape("\xe2\x80\x8b"), R"(\u200b)") << "zero width space";
    EXPECT_EQ(escape("\xe2\x80\xa8"), R"(\u2028)") << "line separator";
    EXPECT_EQ(escape("\xee\x80\x80"), R"(\ue000)") << "private use";
    EXPECT_EQ(escape("\xf3\xa0\x80\x81"), R"(\U000e0001)") << "tag beyond 16 bits";
}

TEST(Escape, BytesThatAreNotUtf8) {
    EXPECT_EQ(escape("a\xff"
                     "b"),
              R"(a\xffb)");
    EXPECT_EQ(escape("\xe6\xbc"), R"(\xe6\xbc)") << "cut off";
    EXPECT_EQ(escape("\x80"), R"(\x80)") << "a continuation alone";
    EXPECT_EQ(escape("\xc0\xaf"), R"(\xc0\xaf)") << "overlong";
    EXPECT_EQ(escape("\xed\xa0\x80"), R"(\xed\xa0\x80)") << "a surrogate";
    EXPECT_EQ(escape("\xf4\x90\x80\x80"), R"(\xf4\x90\x80\x80)") << "beyond U+10FFFF";
    EXPECT_EQ(escape("\xc3/"), R"(\xc3/)") << "what follows is kept";
}

TEST(Printable, LeavesBackslashesAndLetsNothingElseThrough) {
    EXPECT_EQ(printable(R"(a\\x1b)"), R"(a\\x1b)") << "escaped before";
    EXPECT_EQ(printable("x: \x1b[2J\nckpt-lease: done"), R"(x: \x1b[2J\nckpt-lease: done)");
    EXPECT_EQ(printable("\xff\xc2\x9b"), R"(\xff\u009b)");
    EXPECT_EQ(printable("zo\xc3\xab"), "zo\xc3\xab");
}

TEST(EscapeForJson, SaysTheSameInCharactersThatNoTerminalActsOn) {
    EXPECT_EQ(escape_for_json("a\"b\\c\n"), R"(a\"b\\c\u000a)");
    EXPECT_EQ(escape_for_json("\xc2\x9b\xe2\x80\xae"), R"(\u009b\u202e)");
    EXPECT_EQ(escape_for_json("\xf3\xa0\x80\x81"), R"(\udb40\udc01)") << "two halves";
    EXPECT_EQ(escape_for_json("zo\xc3\xab\xff"), "zo\xc3\xab\xef\xbf\xbd");
}

TEST(DisplayWidth, CountsColumns) {
    EXPECT_EQ(display_width(""), 0U);
    EXPECT_EQ(display_width("abc"), 3U);
    EXPECT_EQ(display_width("zo\xc3\xab"), 3U);
    EXPECT_EQ(display_width("\xe6\xbc\xa2\xe5\xad\x97"), 4U) << "CJK is two columns wide";
    EXPECT_EQ(display_width("e\xcc\x81"), 1U) << "combining characters take none";
}

TEST(PrefixThatFits, EndsBetweenCharacters) {
    EXPECT_EQ(prefix_that_fits("abc", 2), 2U);
    EXPECT_EQ(prefix_that_fits("abc", 3), 3U);
    EXPECT_EQ(prefix_that_fits("abc", 80), 3U);
    EXPECT_EQ(prefix_that_fits("", 5), 0U);
    EXPECT_EQ(prefix_that_fits("zo\xc3\xab", 2), 2U);
    EXPECT_EQ(prefix_that_fits("zo\xc3\xab", 3), 4U);
}

TEST(PrefixThatFits, AWideCharacterIsNotHalved) {
    const std::string text = "\xe6\xbc\xa2\xe5\xad\x97";
    EXPECT_EQ(prefix_that_fits(text, 2), 3U);
    EXPECT_EQ(prefix_that_fits(text, 3), 3U);
    EXPECT_EQ(prefix_that_fits(text, 4), 6U);
}

TEST(PrefixThatFits, ACombiningCharacterStaysWithItsBase) {
    EXPECT_EQ(prefix_that_fits("e\xcc\x81x", 1), 3U);
}

TEST(PrefixThatFits, IsAtLeastOneCharacter) {
    EXPECT_EQ(prefix_that_fits("abc", 0), 1U);
    EXPECT_EQ(prefix_that_fits("\xe6\xbc\xa2\xe5\xad\x97", 1), 3U);
}

TEST(IsUtf8, TellsValidFromInvalid) {
    EXPECT_TRUE(is_utf8(""));
    EXPECT_TRUE(is_utf8("a\0b"s));
    EXPECT_TRUE(is_utf8("zo\xc3\xab \xe6\xbc\xa2 \xf0\x9f\x98\x80"));
    EXPECT_FALSE(is_utf8("a\xff"));
    EXPECT_FALSE(is_utf8("\xc3"));
    EXPECT_FALSE(is_utf8("\xed\xa0\x80"));
    EXPECT_FALSE(is_utf8("\xff then text"));
}

TEST(ToUtf8, ReplacesEachBadByte) {
    EXPECT_EQ(to_utf8("zo\xc3\xab"), "zo\xc3\xab");
    EXPECT_EQ(to_utf8("a\xff\xfe"
                      "b"),
              "a\xef\xbf\xbd\xef\xbf\xbd"
              "b");
    EXPECT_TRUE(is_utf8(to_utf8("\xe6\xbc")));
}

TEST(ToHex, TwoLowerCaseDigitsAByte) {
    EXPECT_EQ(to_hex(""), "");
    EXPECT_EQ(to_hex("\0\x09\xab\xff"s), "0009abff");
}

}  // namespace
}  // namespace ckpt_lease
