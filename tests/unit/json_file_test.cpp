// SPDX-License-Identifier: GPL-2.0-or-later
// What is said of a file of rules that is JSON, and more than we take, or in another encoding; and
// in what place.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "ckpt-lease/lease/rules.hpp"
#include "support.hpp"

namespace ckpt_lease {
namespace {

using namespace std::string_literals;

// Behind the name of the file.
std::string fault(const std::string& text) {
    const std::string said = refusal([&] { static_cast<void>(parse_rules("r.json", text)); });
    const std::string file = "r.json: ";
    EXPECT_EQ(said.substr(0, file.size()), file);
    return said.substr(std::min(file.size(), said.size()));
}

struct Case {
    std::string text;
    std::string message;
};

void expect_faults(const std::vector<Case>& cases) {
    for (const auto& [text, message] : cases) {
        EXPECT_EQ(fault(text), message) << text;
    }
}

const std::string kSee = " [see_schema: rules]";

TEST(JsonEncoding, OtherEncodingsAreNamed) {
    const std::string utf16 =
        "line 1, column 1: this is UTF-16 or UTF-32, and JSON is UTF-8 (iconv(1) converts it)";
    expect_faults({
        {"\xff\xfe{\0}\0"s, utf16},
        {"\xfe\xff\0{\0}"s, utf16},
        {"{\0}\0"s, utf16},
        {"\0{\0}"s, utf16},
        {"{\"rules\": [],\n \"$comment\": \"\xc3\xa9t\xe9\"}",
         "line 2, column 17: the byte 0xe9 is not UTF-8, and JSON is (iconv(1) converts it, from "
         "ISO-8859-1 for instance)"},
        {"{\"rules\":\n []}\0{"s,
         "line 2, column 5: here is a NUL byte, and JSON has none (is this the right file?)"},
        {"\1\0\0\0"s,
         "line 1, column 2: here is a NUL byte, and JSON has none (is this the right file?)"},
    });
}

TEST(JsonPlace, CountsCharactersAndNoByteOrderMark) {
    const std::string unknown = "/extra: there is no such member (there are default, rules)";
    expect_faults({
        {R"({"rules": [], "extra": 1})", "line 1, column 15, " + unknown},
        {R"({"$comment": "é漢😀", "rules": [], "extra": 1})", "line 1, column 34, " + unknown},
        {"\xef\xbb\xbf{\"rules\": [], \"extra\": 1}", "line 1, column 15, " + unknown},
        {"{\"$comment\": \"é\",\r\n\t\"rules\": [],\r\n\t\"extra\": 1}",
         "line 3, column 2, " + unknown},
    });
}

TEST(JsonLimits, AreToldWithThePlace) {
    expect_faults({
        {R"({"é": 1, "rules": [], "rules": []})",
         "line 1, column 23: the member 'rules' stands twice in one object (the first one is in "
         "line 1, column 10)"},
        {"{\"rules\": [{\"policy\": {\"set\": 1,\n \"s\\u0065t\": 2}}]}",
         "line 2, column 2: the member 'set' stands twice in one object (the first one is in line "
         "1, column 24)"},
        {"{\"rules\":\n " + std::string(20, '['),
         "line 2, column 17: more than 16 levels of objects and arrays" + kSee},
        {R"({"rules": [{"policy": {"add": 1e400}}]})",
         "line 1, column 31: the number is too large (floating-point numbers "
         "end at 1.8e308)"},
        {"[1,\n-1e999",
         "line 2, column 1: the number is too large "
         "(floating-point numbers end at 1.8e308)"},
        {R"({"rules": [{"match": {"path": "/srv*\u0000z"}}]})",
         "line 1, column 31: a text with a NUL (\\u0000) in it (no path and no command has one)"},
        {"{\"rules\": [{\"match\": {\"path\":\n\"" + std::string(4097, 'a') + "\"}}]}",
         "line 2, column 1: a text of 4097 bytes: 4096 are the most that a path can have" + kSee},
    });
    std::string many = "[0";
    for (int i = 0; i < 200'000; ++i) {
        many += ",0";
    }
    EXPECT_EQ(fault(many + "]"), "line 1, column 400000: more than 200000 values" + kSee);
    EXPECT_EQ(fault(std::string(5'000'000, '[')),
              "the file has 5000000 bytes, and 1048576 are the most for its kind" + kSee);
}

TEST(JsonLimits, LongNamesAndTextsAreCutInMessages) {
    const std::string name(100'000, 'k');
    const std::string cut = std::string(64, 'k') + "...";
    expect_faults({
        {"{\"rules\": [], \"" + name + "\": 1}",
         "line 1, column 15, /" + cut + ": there is no such member (there are default, rules)"},
        {"{\"" + name + "\": 1, \"" + name + "\": 1}",
         "line 1, column 100009: the member '" + cut +
             "' stands twice in one object (the first one is in line 1, column 2)"},
        {R"({"rules": [], "default": {"set": ")" + std::string(4000, 'k') + "\"}}",
         "line 1, column 27, /default/set: '" + cut +
             "' is not a length of time (write it like 90, 90s, 1.5, 1m30s, 5min, 1h or 250ms)"},
        {R"({"rules": [], "default": {"scale": ")" + std::string(4000, 'k') + "\"}}",
         "line 1, column 27, /default/scale: '" + cut +
             "' is not a factor (write a decimal number that is not negative, like 2, 0.5 or "
             "1.25)"},
        {R"({"rules": [{"match": {"state": ")" + std::string(4000, 'k') + "\"}}]}",
         "line 1, column 23, /rules/0/match/state: '" + cut + "' is none of breaking, held" + kSee},
    });
}

TEST(JsonCode, IsThatOfAFileThatIsNotAsItHasToBe) {
    for (const std::string text :
         {"", "{", "[]", "{\"a\": 1, \"a\": 1}", "{\"rules\": [], \"default\": {\"set\": -1}}"}) {
        try {
            static_cast<void>(parse_rules("r.json", text));
            ADD_FAILURE() << text;
        } catch (const Error& error) {
            EXPECT_EQ(error.kind(), Error::Kind::refused) << text;
            EXPECT_EQ(error.problem().code, Problem::Code::invalid_file) << text;
        }
    }
}

}  // namespace
}  // namespace ckpt_lease
