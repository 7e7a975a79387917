// SPDX-License-Identifier: GPL-2.0-or-later
// JSON as it is printed.
#include "render/json_writer.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "render_support.hpp"

namespace ckpt_lease::render {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

std::string written(const std::function<void(JsonWriter&)>& write) {
    return printed([&](Out& out) {
        JsonWriter json(out);
        write(json);
    });
}

std::string member(const std::function<void(JsonWriter&)>& write) {
    return written([&](JsonWriter& json) {
        json.begin_object();
        write(json);
        json.end_object();
    });
}

TEST(JsonWriter, EmptyThings) {
    EXPECT_EQ(written([](JsonWriter& j) { j.begin_object().end_object().finish(); }), "{}\n");
    EXPECT_EQ(written([](JsonWriter& j) { j.begin_array().end_array(); }), "[]");
}

TEST(JsonWriter, MembersStandBehindEachOther) {
    EXPECT_EQ(member([](JsonWriter& j) {
                  j.member("a", 1).member("b", true).member("c", "x").key("d").null();
              }),
              R"({"a":1,"b":true,"c":"x","d":null})");
}

TEST(JsonWriter, ElementsStandOnLinesOfTheirOwn) {
    EXPECT_EQ(member([](JsonWriter& j) {
                  j.key("list").begin_array();
                  j.value(1).value("x").begin_object().member("y", false).end_object();
                  j.end_array().member("z", 0);
              }),
              "{\"list\":[\n1,\n\"x\",\n{\"y\":false}],\"z\":0}");
}

TEST(JsonWriter, NestsToAnyDepth) {
    const std::string text = written([](JsonWriter& j) {
        for (int i = 0; i < 200; ++i) {
            j.begin_array();
        }
        for (int i = 0; i < 200; ++i) {
            j.end_array();
        }
    });
    EXPECT_TRUE(nlohmann::json::accept(text));
}

TEST(JsonWriter, NumbersAreExact) {
    EXPECT_EQ(member([](JsonWriter& j) {
                  j.member("u", std::numeric_limits<std::uint64_t>::max())
                      .member("i", std::numeric_limits<std::int64_t>::min())
                      .member("n", -1)
                      .member("b", std::uint16_t{65535});
              }),
              R"({"u":"18446744073709551615","i":"-9223372036854775808","n":-1,"b":65535})");
    EXPECT_EQ(member([](JsonWriter& j) {
                  j.member("most", (std::int64_t{1} << 53) - 1)
                      .member("least", 1 - (std::int64_t{1} << 53))
                      .member("more", std::uint64_t{1} << 53);
              }),
              R"({"most":9007199254740991,"least":-9007199254740991,"more":"9007199254740992"})");
}

TEST(JsonWriter, SecondsAreExactToTheNanosecond) {
    EXPECT_EQ(written([](JsonWriter& j) {
                  j.begin_array().seconds(44999999999ns).seconds(0s).seconds(1ns).seconds(-250ms);
                  j.end_array();
              }),
              "[\n44.999999999,\n0,\n0.000000001,\n-0.25]");
}

TEST(JsonWriter, WhatThereIsNoneOfIsNull) {
    EXPECT_EQ(member([](JsonWriter& j) {
                  j.optional_member("a", std::optional<int>())
                      .optional_member("b", std::optional<int>(7))
                      .optional_member("c", std::optional<std::string>("x"));
              }),
              R"({"a":null,"b":7,"c":"x"})");
}

TEST(JsonWriter, EscapesWhatWouldBreakAString) {
    EXPECT_EQ(written([](JsonWriter& j) { j.value("a\"b\\c\n\t\x1b\x7f"); }),
              R"("a\"b\\c\u000a\u0009\u001b\u007f")");
    EXPECT_EQ(written([](JsonWriter& j) { j.value("\0x"s); }), R"("\u0000x")");
    EXPECT_EQ(written([](JsonWriter& j) { j.value(""); }), R"("")");
    EXPECT_EQ(written([](JsonWriter& j) { j.value("/\xe6\xbc\xa2'<>&"); }),
              "\"/\xe6\xbc\xa2'<>&\"");
}

TEST(JsonWriter, EveryCharacterIsReadBack) {
    std::string text;
    for (char c = 0; c < 127; ++c) {
        text += c;
    }
    text += "\x7f \xc2\x80 \xe2\x80\xa8 \xf0\x9f\x98\x80";
    const std::string json = written([&](JsonWriter& j) { j.value(std::string_view(text)); });
    EXPECT_EQ(nlohmann::json::parse(json).get<std::string>(), text);
}

// Eight characters are looked at together.
TEST(JsonWriter, SeesWhatMustBeEscapedWhereverItStands) {
    for (std::size_t length = 1; length <= 20; ++length) {
        for (std::size_t at = 0; at < length; ++at) {
            for (unsigned byte = 0; byte < 256; ++byte) {
                std::string text(length, '~');
                text[at] = static_cast<char>(byte);
                const bool stays = byte >= ' ' && byte < 0x7f && byte != '"' && byte != '\\';
                const std::string json =
                    written([&](JsonWriter& j) { j.value(std::string_view(text)); });
                ASSERT_EQ(json == '"' + text + '"', stays) << byte << " at " << at;
            }
        }
    }
}

TEST(JsonWriter, TakesElementsThatAnotherHasWritten) {
    EXPECT_EQ(written([](JsonWriter& j) {
                  j.begin_array().elements("").elements("\n1,\n2").elements("").elements("\n3");
                  j.value(4).end_array();
              }),
              "[\n1,\n2,\n3,\n4]");
}

TEST(BytesMember, TextIsAString) {
    EXPECT_EQ(member([](JsonWriter& j) { j.bytes_member("path", "/zo\xc3\xab\t"); }),
              "{\"path\":\"/zo\xc3\xab\\u0009\"}");
}

TEST(BytesMember, WhatIsNoUtf8ComesWithAllItsBytes) {
    EXPECT_EQ(member([](JsonWriter& j) { j.bytes_member("path", "/a\xff\n").member("z", 1); }),
              "{\"path\":\"/a\xef\xbf\xbd\\u000a\",\"path_bytes\":\"2f61ff0a\",\"z\":1}");
}

TEST(JsonWriter, LargeOutputsAreWrittenInPieces) {
    const std::string text = written([](JsonWriter& j) {
        j.begin_array();
        for (int i = 0; i < 100000; ++i) {
            j.value(i);
        }
        j.end_array();
    });
    const auto parsed = nlohmann::json::parse(text);
    ASSERT_EQ(parsed.size(), 100000U);
    EXPECT_EQ(parsed.back(), 99999);
}

}  // namespace
}  // namespace ckpt_lease::render
