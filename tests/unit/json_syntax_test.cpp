// SPDX-License-Identifier: GPL-2.0-or-later
// What is said of a file of rules that is not JSON: where the mistake begins, what it is, and what
// would help.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "ckpt-lease/lease/rules.hpp"

namespace ckpt_lease {
namespace {

struct SyntaxCase {
    std::string text;
    std::string place;  // LINE:COLUMN
    std::string message;
    std::string hint;
};

const std::string kEnds = "the file ends here, before all brackets are closed";
const std::string kLost = "is the end of the file missing?";
const std::string kNoComments = "JSON has no comments";
const std::string kComment = "the whole document may have one member \"$comment\"";
const std::string kTooMany = "this comma is one too many";
const std::string kTakeAway = "take it away";
const std::string kNoComma = "a comma is missing before this";
const std::string kNoCommaOrColon = "a comma or a colon is missing before this";
const std::string kMembers = R"(members are written "name": value, "name": value)";
const std::string kQuotes = "JSON has double quotes only";
const std::string kLike = R"(write it like "text")";
const std::string kName = "the name of a member has to stand in double quotes";
const std::string kOpen = "the text that begins here has no closing quote on its line";
const std::string kClose = R"(close it with "; a line break in a text is written \n)";
const std::string kControl = "here is a control character in a text";
const std::string kWrong = "here is a wrong escape in a text";
const std::string kEscape = R"(a tab is written \t, and a backslash \\)";
const std::string kValue = R"(write a number like -1.5, a text like "90s", or true, false or null)";
const std::string kEnded = "the document has ended before this";
const std::string kOnePair = "one pair of brackets has to hold everything";
const std::string kNoJson = "from here on this is not JSON";
const std::string kJq = "'jq . FILE' says more";

const std::string kLong(100'000, 'x');

const SyntaxCase kCases[] = {
    {"", "1:1", "the file is empty", ""},
    {" \n\t\r\n", "1:1", "there is nothing but white space in the file", ""},
    {"{\"rules\": [\n", "2:1", kEnds, kLost},
    {"\xef\xbb\xbf{\"é\": 5", "1:8", kEnds, kLost},
    {"{\"rules\":", "1:10", kEnds, kLost},

    {"// rules\n{\"rules\": []}", "1:1", kNoComments, kComment},
    {"{\"rules\": [] /* none */}", "1:14", kNoComments, kComment},
    {"{\"rules\": []}\n# none", "2:1", kNoComments, kComment},

    {R"({"rules": [],})", "1:13", kTooMany, kTakeAway},
    {"{\"rules\": [{\"policy\": {\"keep\": true}},\n]}", "1:38", kTooMany, kTakeAway},
    {R"({"rules": [,]})", "1:12", kTooMany, kTakeAway},
    {R"({"rules": [],, "default": {}})", "1:14", kTooMany, kTakeAway},
    {"{\"rules\": []\n \"default\": {}}", "2:2", kNoComma, kMembers},
    {R"({"rules": [{} {}]})", "1:15", kNoComma, kMembers},
    {R"({"rules": [1 2]})", "1:14", kNoComma, kMembers},
    {R"({"rules": [];})", "1:13", kNoComma, kMembers},
    {R"({"rules" []})", "1:10", kNoCommaOrColon, kMembers},
    {R"({"rules" = []})", "1:10", kNoCommaOrColon, kMembers},
    {R"({"$comment": "é" "rules": []})", "1:18", kNoCommaOrColon, kMembers},

    {R"({'rules': []})", "1:2", kQuotes, kLike},
    {R"({"rules": [], "$comment": 'é'})", "1:27", kQuotes, kLike},
    {"{“rules”: []}", "1:2", kQuotes, kLike},
    {R"({rules: []})", "1:2", kName, "write \"rules\""},
    {R"({5: []})", "1:2", kName, "write \"5\""},
    {R"({"rules": [], default: {}})", "1:15", kName, "write \"default\""},
    {"{\"rules\": [],\n oops\n}", "2:2", kName, "write \"oops\""},

    {"{\"rules: []\n}", "1:2", kOpen, kClose},
    {"{\"$comment\": \"a\r\nb\", \"rules\": []}", "1:14", kOpen, kClose},
    {R"({"rules": [], "é\": 1})", "1:15", kOpen, kClose},
    {"{\"$comment\": \"a\tb\", \"rules\": []}", "1:16", kControl, kEscape},
    {R"({"$comment": "é C:\srv", "rules": []})", "1:20", kWrong, kEscape},
    {R"({"$comment": "\u12", "rules": []})", "1:19", kWrong, kEscape},
    {R"({"$comment": "\ud83d", "rules": []})", "1:21", kWrong, kEscape},

    {R"({"rules": True})", "1:11", "'True' is no value of JSON", "did you mean 'true'?"},
    {R"({"rules": flase})", "1:11", "'flase' is no value of JSON", "did you mean 'false'?"},
    {R"({"rules": None})", "1:11", "'None' is no value of JSON", kValue},
    {R"({"rules": [1, oops]})", "1:15", "'oops' is no value of JSON", kValue},
    {R"({"rules": truest})", "1:11", "'truest' is no value of JSON", "did you mean 'true'?"},
    {R"({"rules": 5s})", "1:11", "'5s' is no value of JSON", kValue},
    {R"({"rules": +5})", "1:11", "'+5' is no value of JSON", kValue},
    {R"({"rules": .5})", "1:11", "'.5' is no value of JSON", kValue},
    {R"({"rules": 5.})", "1:11", "'5.' is no value of JSON", kValue},
    {R"({"rules": 012})", "1:11", "'012' is no value of JSON", kValue},
    {R"({"rules": -})", "1:11", "'-' is no value of JSON", kValue},
    {"{\"rules\": " + kLong + "}", "1:11", "'" + kLong.substr(0, 64) + "...' is no value of JSON",
     kValue},

    {R"({"rules": []} x)", "1:15", kEnded, kOnePair},
    {"{\"rules\": []}\n{\"rules\": []}", "2:1", kEnded, kOnePair},
    {R"({"rules": []}})", "1:14", kEnded, kOnePair},

    {"rules:\n  - policy: keep\n", "1:1", kNoJson, kJq},
    {"<rules/>", "1:1", kNoJson, kJq},
    {"{\"rules\": [\n}", "2:1", kNoJson, kJq},
    {R"({"rules"})", "1:9", kNoJson, kJq},
    {R"({"rules": })", "1:11", kNoJson, kJq},
    {R"({"rules": [], true})", "1:15", kName, "write \"true\""},
    {R"({: []})", "1:2", kNoJson, kJq},
};

TEST(JsonSyntax, AMistakeIsToldWithItsPlaceAndWhatWouldHelp) {
    for (const SyntaxCase& c : kCases) {
        try {
            static_cast<void>(parse_rules("r.json", c.text));
            ADD_FAILURE() << c.text << " is not JSON";
        } catch (const Error& error) {
            const Problem& problem = error.problem();
            const std::size_t colon = c.place.find(':');
            EXPECT_EQ(problem.record, fmt::format("line {}, column {}", c.place.substr(0, colon),
                                                  c.place.substr(colon + 1)))
                << c.text;
            EXPECT_EQ(problem.message, c.message) << c.text;
            EXPECT_EQ(problem.hint, c.hint) << c.text;
            EXPECT_EQ(problem.advice, c.hint.empty() ? Advice::see_schema : Advice::none) << c.text;
        }
    }
}

}  // namespace
}  // namespace ckpt_lease
