// SPDX-License-Identifier: GPL-2.0-or-later
// What is said of a file of rules that is not JSON, or more than we take: where the mistake begins,
// what it is, and what would help.
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
const std::string kMember = R"( (a member is written "name": value))";

TEST(JsonSyntax, AFileWithNothingInItIsSaidToBeThat) {
    expect_faults({
        {"", "line 1, column 1: the file is empty" + kSee},
        {"\xef\xbb\xbf", "line 1, column 1: the file is empty" + kSee},
        {" \n\t\r\n", "line 1, column 1: there is nothing but white space in the file" + kSee},
    });
}

TEST(JsonSyntax, OtherKindsOfFilesAreSaidToBeNoJson) {
    const std::string what =
        "line 1, column 1: this is not JSON: the file has to begin with {" + kSee;
    expect_faults({
        {"rules:\n  - policy: keep\n", what},
        {"<rules/>", what},
        {"\x7f"
         "ELF",
         what},
    });
}

TEST(JsonSyntax, WhatIsNotClosedIsToldWithWhereItWasOpened) {
    expect_faults({
        {"{",
         "line 1, column 2: the file ends here, and the { of line 1, column 1 is not closed "
         "(close it with }, or look whether the end of the file is lost)"},
        {"{\n \"rules\": [\n",
         "line 3, column 1: the file ends here, and the [ of line 2, column 11 is not closed "
         "(close it with ], or look whether the end of the file is lost)"},
        {"{\n\"rules\": [\n}",
         "line 3, column 1: this } cannot close the [ of line 2, column 10 (close that with ] "
         "first)"},
        {R"({"rules": []]})",
         "line 1, column 13: this ] cannot close the { of line 1, column 1 (close that with } "
         "first)"},
        {R"({"rules": []}})",
         "line 1, column 14: this } closes nothing: it is one too many (take it away, or look "
         "whether one before it stands too early)"},
        {"]", "line 1, column 1: this ] closes nothing (take it away)"},
    });
}

TEST(JsonSyntax, CommasAreTooManyOrMissing) {
    expect_faults({
        {R"({"rules": [],})",
         "line 1, column 13: this comma is one too many: a } follows (take it away)"},
        {"{\"rules\": [{\"policy\": {\"keep\": true}},\n]}",
         "line 1, column 38: this comma is one too many: a ] follows (take it away)"},
        {R"({"rules": [,]})",
         "line 1, column 12: there is nothing before this comma (take it away, or write what is "
         "missing)"},
        {R"({"rules": [],, "default": {}})",
         "line 1, column 14: there is nothing before this comma (take it away, or write what is "
         "missing)"},
        {"{\"rules\": []\n \"default\": {}}",
         "line 2, column 2: a comma is missing before this (commas stand between the members of "
         "an object)"},
        {R"({"rules": [];})",
         "line 1, column 13: here a comma or a } has to stand, not ';' (commas stand between the "
         "members of an object)"},
        {R"({"rules": [{} {}]})",
         "line 1, column 15: a comma is missing before this (commas stand between the values of "
         "an array)"},
    });
}

TEST(JsonSyntax, AMemberIsANameAColonAndAValue) {
    expect_faults({
        {R"({"rules" []})", "line 1, column 10: a colon is missing before this" + kMember},
        {R"({"rules" = []})", "line 1, column 10: here a colon has to stand, not '='" + kMember},
        {R"({"rules"})",
         "line 1, column 2: this is the name of a member, and its value is missing" + kMember},
        {R"({"rules", "default"})",
         "line 1, column 2: this is the name of a member, and its value is missing" + kMember},
        {R"({"rules": })", "line 1, column 9: behind this colon a value is missing" + kMember},
        {R"({"rules": , "default": {}})",
         "line 1, column 9: behind this colon a value is missing" + kMember},
        {R"({"rules":: []})", "line 1, column 10: this colon is one too many" + kMember},
        {R"({: []})",
         "line 1, column 2: the name of a member is missing before this colon" + kMember},
        {R"({["rules"]})", "line 1, column 2: here the name of a member has to stand" + kMember},
        {R"({"rules": ["policy": {}]})",
         "line 1, column 20: this colon is one too many (only objects, in {}, have members with "
         "names)"},
        {R"({rules: []})",
         "line 1, column 2: the name of a member has to stand in double quotes (write \"rules\")"},
        {R"({5: []})",
         "line 1, column 2: the name of a member has to stand in double quotes (write \"5\")"},
    });
}

TEST(JsonSyntax, TextsStandInDoubleQuotesOnOneLine) {
    const auto like = [](const std::string& text) {
        return "begins no text: JSON has double quotes only (write it like \"" + text + "\")";
    };
    expect_faults({
        {R"({'rules': []})", "line 1, column 2: ' " + like("rules")},
        {R"({"rules": [], "$comment": 'é'})", "line 1, column 27: ' " + like("é")},
        {R"({"rules": [], 'default})", "line 1, column 15: ' " + like("text")},
        {R"({"rules": [] 'default': {}})", "line 1, column 14: ' " + like("default")},
        {"{“rules”: []}", "line 1, column 2: “ " + like("text")},
        {"{\"rules: []\n}",
         "line 1, column 2: the text that begins here has no closing quote on its line (close it "
         "with \"; a line break in a text is written \\n)"},
        {"{\"$comment\": \"a\nb\", \"rules\": []}",
         "line 1, column 14: the text that begins here has no closing quote on its line (close "
         "it with \"; a line break in a text is written \\n)"},
        {"{\"$comment\": \"a\tb\", \"rules\": []}",
         "line 1, column 16: here is a tab in a text (write it as \\t)"},
        {"{\"$comment\": \"a\x1b\", \"rules\": []}",
         "line 1, column 16: here is a control character in a text (write it as \\u001b)"},
        {R"({"$comment": "é C:\srv", "rules": []})",
         "line 1, column 19: here is a backslash that JSON gives no meaning to (a backslash "
         "itself is written \\\\)"},
        {R"({"$comment": "\u12", "rules": []})",
         "line 1, column 15: behind \\u have to stand four hexadecimal digits (like \\u00e9)"},
        {R"({"$comment": "\ud83d", "rules": []})",
         "line 1, column 14: in this text a \\u stands for half a character (those from \\ud800 "
         "to \\udfff come in pairs, like \\ud83d\\ude00)"},
    });
}

TEST(JsonSyntax, WordsAndNumbersAreThoseOfJson) {
    const std::string number =
        R"( is no number as JSON has it (write a number like 90, -1.5 or 1e3, and a text, as one )"
        R"(with a unit, like "90s"))";
    const std::string no_value =
        " is no value of JSON (write true, false or null, and texts in double quotes)";
    const auto with = [](const std::string& value) {
        return R"({"rules": [], "default": {"set": )" + value + "}}";
    };
    expect_faults({
        {with("True"), "line 1, column 34: 'True' is no value of JSON (did you mean 'true'?)"},
        {with("flase"), "line 1, column 34: 'flase' is no value of JSON (did you mean 'false'?)"},
        {with("oops"), "line 1, column 34: 'oops'" + no_value},
        {with("nil"), "line 1, column 34: 'nil'" + no_value},
        {with("NaN"), "line 1, column 34: 'NaN'" + no_value},
        {with("..."), "line 1, column 34: '...'" + no_value},
        {with("90s"), "line 1, column 34: '90s'" + number},
        {with("012"), "line 1, column 34: '012'" + number},
        {with("+5"), "line 1, column 34: '+5'" + number},
        {with(".5"), "line 1, column 34: '.5'" + number},
        {with("5."), "line 1, column 34: '5.'" + number},
        {with("0x10"), "line 1, column 34: '0x10'" + number},
        {with("1e"), "line 1, column 34: '1e'" + number},
        {with("-Infinity"), "line 1, column 34: '-Infinity'" + number},
        {with("\xc2\xa0"
              "5"),
         "line 1, column 34: here is a no-break space, which JSON does not know (put an ordinary "
         "space there)"},
        {with(std::string(100'000, 'x')),
         "line 1, column 34: '" + std::string(64, 'x') + "...'" + no_value},
    });
}

TEST(JsonSyntax, CommentsAreToldWhereTheyMayStand) {
    const std::string what =
        "JSON has no comments (take it away, or put it into the member \"$comment\" of the whole)";
    expect_faults({
        {"// rules\n{\"rules\": []}", "line 1, column 1: " + what},
        {"{\"rules\": [] /* none */}", "line 1, column 14: " + what},
        {"{\"rules\": []}\n# none", "line 2, column 1: " + what},
    });
}

TEST(JsonSyntax, NothingStandsBehindTheDocument) {
    const std::string what =
        "the document has ended before this (one pair of brackets has to hold everything)";
    expect_faults({
        {"{\"rules\": []} x", "line 1, column 15: " + what},
        {"{\"rules\": []}\n{\"rules\": []}", "line 2, column 1: " + what},
        {"{\"rules\": []}, {}", "line 1, column 14: " + what},
        {"5 : 6", "line 1, column 3: " + what},
    });
}

TEST(JsonSyntax, OtherEncodingsAreNamed) {
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

// Nothing that is left out or typed too much leaves the reader with no more than a place.
TEST(JsonSyntax, EveryMistakeIsExplained) {
    const std::string right = R"({"a": [1.5, "\u00e9", true], "b": {}})";
    const auto expect_explained = [](const std::string& text) {
        const std::string said = fault(text);
        EXPECT_EQ(said.substr(0, 5), "line ") << text;
        EXPECT_EQ(said.find("from here on"), std::string::npos) << text;
    };
    for (std::size_t i = 0; i < right.size(); ++i) {
        expect_explained(right.substr(0, i));
        expect_explained(right.substr(i + 1));
        for (const char* const typed :
             {"",   "{",  "}",  "[",    "]",        ",",    ":",       "\"",   "'",
              "\\", "#",  "//", "-",    ".",        "e",    "x",       "1",    "null",
              "\t", "\n", "\r", "\x1b", "\xc2\xa0", "\xff", "\\ud800", "1e999"}) {
            expect_explained(right.substr(0, i) + typed + right.substr(i));
            expect_explained(right.substr(0, i) + typed + right.substr(i + 1));
        }
    }
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
         "line 1, column 31: a number is larger than any that can be meant (floating-point numbers "
         "end at 1.8e308)"},
        {"[1,\n-1e999",
         "line 2, column 1: a number is larger than any that can be meant "
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
