// SPDX-License-Identifier: GPL-2.0-or-later
// Tables that fit their page.
#include "render/table.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <sstream>
#include <vector>

#include "ckpt-lease/base/text.hpp"
#include "render/parts.hpp"
#include "render_support.hpp"

namespace ckpt_lease::render {
namespace {

using Kind = Table::Kind;
using Cells = std::vector<std::string>;

const std::vector<Table::Column> kColumns{
    {"NAME", Kind::left}, {"SIZE", Kind::right}, {"PATH", Kind::wrapped}};

std::string table(const std::vector<Cells>& rows, Page page = {},
                  const std::vector<Table::Column>& columns = kColumns,
                  std::string_view indent = "") {
    return printed([&](Out& out) {
        Table made(out, page, columns, {.indent = indent});
        for (const Cells& row : rows) {
            made.add(row);
        }
        made.finish();
    });
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
        lines.push_back(line);
    }
    return lines;
}

// All characters of `text` but spaces, in order: what must not get lost.
std::string without_spaces(std::string text) {
    std::erase_if(text, [](char c) { return c == ' ' || c == '\n'; });
    return text;
}

void expect_fits(const std::string& text, std::size_t width) {
    for (const std::string& line : lines_of(text)) {
        EXPECT_LE(display_width(line), width) << line;
        EXPECT_FALSE(line.ends_with(' ')) << line;
    }
}

TEST(Table, AlignsColumns) {
    EXPECT_EQ(table({{"a", "5", "/x"}, {"longer", "12345", "/y z"}}),
              "NAME     SIZE  PATH\n"
              "a           5  /x\n"
              "longer  12345  /y z\n");
}

TEST(Table, WithoutRowsPrintsNothing) {
    EXPECT_EQ(table({}), "");
}

TEST(Table, HasNoTrailingSpaces) {
    EXPECT_EQ(table({{"a", "5", ""}, {"", "", ""}}),
              "NAME  SIZE  PATH\n"
              "a        5\n"
              "\n");
}

TEST(Table, IsIndented) {
    EXPECT_EQ(table({{"a", "5", "/x"}}, {}, kColumns, "    "),
              "    NAME  SIZE  PATH\n"
              "    a        5  /x\n");
}

TEST(Table, AlignsByColumnsOfTheTerminalAndNotByBytes) {
    EXPECT_EQ(table({{"\xe6\xbc\xa2\xe5\xad\x97x", "1", "/a"},
                     {"zo\xc3\xab", "1", "/b"},
                     {"e\xcc\x81", "1", "/c"},
                     {"abcde", "1", "/d"}}),
              "NAME   SIZE  PATH\n"
              "\xe6\xbc\xa2\xe5\xad\x97x     1  /a\n"
              "zo\xc3\xab       1  /b\n"
              "e\xcc\x81         1  /c\n"
              "abcde     1  /d\n");
}

const std::string kLongPath =
    "/srv/database/primary/segments/2010-09-22/generation-000017/table-lineitem/part-00042.dat";

TEST(Table, WrapsAtSlashesToFit80Columns) {
    EXPECT_EQ(table({{"a", "5", kLongPath}}),
              "NAME SIZE PATH\n"
              "a       5 /srv/database/primary/segments/2010-09-22/generation-000017/\n"
              "          table-lineitem/part-00042.dat\n");
}

TEST(Table, WrapsAtSlashesToFit40Columns) {
    EXPECT_EQ(table({{"a", "5", kLongPath}}, {.width = 40}),
              "NAME SIZE PATH\n"
              "a       5 /srv/database/primary/\n"
              "          segments/2010-09-22/\n"
              "          generation-000017/\n"
              "          table-lineitem/part-00042.dat\n");
}

TEST(Table, WhatJustFitsIsNotWrapped) {
    const std::string path(68, 'p');
    EXPECT_EQ(table({{"a", "5", path}}), "NAME  SIZE  PATH\na        5  " + path + "\n");
    EXPECT_EQ(table({{"a", "5", path + "qq"}}), "NAME SIZE PATH\na       5 " + path + "qq\n")
        << "narrow gaps make a little room";
}

TEST(Table, WrapsWordsAndLists) {
    EXPECT_EQ(table({{"a", "5", "alpha beta gamma delta,epsilon,zeta"}}, {.width = 30}),
              "NAME SIZE PATH\n"
              "a       5 alpha beta gamma\n"
              "          delta,epsilon,zeta\n");
}

TEST(Table, NothingIsCutOff) {
    const std::vector<Cells> rows{{"name", "12345678901234567890", kLongPath},
                                  {"other-name", "7", std::string(500, 'x')},
                                  {"wide", "8",
                                   "\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97"
                                   "\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97"}};
    for (const std::size_t width : {80U, 60U, 50U}) {
        const std::string text = table(rows, {.width = width});
        expect_fits(text, width);
        // Continued lines hold nothing but the path: row by row, all of its characters are there.
        std::string expected = "NAMESIZEPATH";
        for (const Cells& row : rows) {
            for (const std::string& cell : row) {
                expected += cell;
            }
        }
        EXPECT_EQ(without_spaces(text), expected) << width;
    }
}

TEST(Table, OnAPageThatIsTooNarrowEachRowIsABlock) {
    EXPECT_EQ(table({{std::string(30, 'n'), "5", kLongPath}, {"m", "12345", ""}}, {.width = 40}),
              "NAME  nnnnnnnnnnnnnnnnnnnnnnnnnnnnnn\n"
              "SIZE  5\n"
              "PATH  /srv/database/primary/segments/\n"
              "      2010-09-22/generation-000017/\n"
              "      table-lineitem/part-00042.dat\n"
              "\n"
              "NAME  m\n"
              "SIZE  12345\n"
              "PATH\n");
    const std::string text = table({{std::string(50, 'n'), "5", kLongPath}}, {.width = 40});
    EXPECT_NE(text.find(std::string(50, 'n')), std::string::npos) << "nothing is cut off";
}

TEST(Table, ARowMayHaveTheFirstCellsOnly) {
    const auto of_width = [](std::size_t width) {
        return printed([&](Out& out) {
            Table table(out, {.width = width}, {{"PROCESS"}, {"PATH", Table::Kind::wrapped}});
            table.add({"7 holder"});
            table.add({"|", "/srv"});
            table.finish();
        });
    };
    EXPECT_EQ(of_width(40), "PROCESS   PATH\n7 holder\n|         /srv\n");
    EXPECT_EQ(of_width(4), "PROCESS  7 holder\n\nPROCESS  |\nPATH     /srv\n");
}

TEST(Table, WrappedColumnsShareThePage) {
    const std::vector<Table::Column> columns{{"WHO", Kind::wrapped}, {"PATH", Kind::wrapped}};
    EXPECT_EQ(table({{"101 db,102 db", kLongPath}}, {.width = 60}, columns),
              "WHO           PATH\n"
              "101 db,102 db /srv/database/primary/segments/2010-09-22/\n"
              "              generation-000017/table-lineitem/\n"
              "              part-00042.dat\n")
        << "what a narrow one leaves over goes to the wide one";
    expect_fits(table({{kLongPath, kLongPath}}, {.width = 60}, columns), 60);
}

TEST(Table, ColoursOnlyIfAskedTo) {
    const auto print = [](bool colour) {
        return printed([&](Out& out) {
            Table made(out, {.width = 80, .colour = colour}, {{"A"}, {"B"}});
            made.add({"1", "x"});
            made.add({"2", "y"}, Table::Style::important);
            made.add({"3", "z"}, Table::Style::aside);
            made.finish();
        });
    };
    EXPECT_EQ(print(false), "A  B\n1  x\n2  y\n3  z\n");
    EXPECT_EQ(print(true), "A  B\n1  x\n\x1b[1m2  y\x1b[0m\n\x1b[2m3  z\x1b[0m\n");
}

TEST(Table, EveryLineOfAWrappedRowHasItsColour) {
    const std::string text = printed([](Out& out) {
        Table made(out, {.width = 30, .colour = true}, {{"PATH", Kind::wrapped}});
        made.add({kLongPath}, Table::Style::important);
        made.finish();
    });
    const std::vector<std::string> lines = lines_of(text);
    ASSERT_GT(lines.size(), 3U);
    for (std::size_t i = 1; i < lines.size(); ++i) {
        EXPECT_TRUE(lines[i].starts_with("\x1b[1m") && lines[i].ends_with("\x1b[0m")) << lines[i];
    }
}

TEST(Table, OfAnyLengthKeepsItsWidths) {
    std::vector<Cells> rows(3000, Cells{"abc", "1", "/x"});
    rows[0][0] = "abcdefgh";
    const std::vector<std::string> lines = lines_of(table(rows));
    ASSERT_EQ(lines.size(), 3001U);
    EXPECT_EQ(lines[0], "NAME      SIZE  PATH");
    EXPECT_EQ(lines[1], "abcdefgh     1  /x");
    EXPECT_EQ(lines[999], "abc          1  /x");
    EXPECT_EQ(lines[3000], "abc          1  /x");
}

TEST(Table, ALateWideCellIsNotCutOff) {
    std::vector<Cells> rows(2000, Cells{"a", "1", "/x"});
    rows[1999] = {"a-very-wide-name", "123456", kLongPath};
    const std::string text = table(rows);
    const std::string last = text.substr(text.find("a-very"));
    EXPECT_EQ(without_spaces(last), "a-very-wide-name123456" + kLongPath);
}

std::vector<Cells> many_rows(std::size_t count) {
    std::vector<Cells> rows;
    for (std::size_t i = 0; i < count; ++i) {
        rows.push_back({"a", std::to_string(i), "/srv/a file/" + std::to_string(i)});
    }
    return rows;
}

TEST(TableText, HasOneLineForEachRowHoweverManyThereAreOffATerminal) {
    const std::vector<std::string> lines =
        lines_of(table(many_rows(10'001), {.width = std::numeric_limits<std::size_t>::max()}));
    ASSERT_EQ(lines.size(), 10'002U);
    EXPECT_EQ(lines[1000], "a      999  /srv/a file/999");
    EXPECT_EQ(lines[10'001], "a     10000  /srv/a file/10000");
}

TEST(TableText, BecomesWiderWhereLaterRowsAre) {
    std::vector<Cells> rows = many_rows(1000);
    rows.push_back({"wide", "123456", "/x"});
    rows.push_back({"b", "2", "/y"});
    const std::vector<std::string> lines = lines_of(table(rows, {.width = 40}));
    ASSERT_EQ(lines.size(), 1003U);
    EXPECT_EQ(lines[1000], "a      999  /srv/a file/999");
    EXPECT_EQ(lines[1001], "wide  123456  /x");
    EXPECT_EQ(lines[1002], "b          2  /y");
}

TEST(TableText, RawHasHeadingsWithoutRows) {
    const auto empty = [](Table::Lines lines, bool headings) {
        return printed([&](Out& out) {
            Table(out, {}, kColumns, {.lines = lines, .headings = headings}).finish();
        });
    };
    EXPECT_EQ(empty(Table::Lines::raw, true), "NAME SIZE PATH\n");
    EXPECT_EQ(empty(Table::Lines::raw, false), "");
    EXPECT_EQ(empty(Table::Lines::pairs, true), "");
    EXPECT_EQ(empty(Table::Lines::aligned, true), "");
}

std::string headline(const Page& page, std::string_view name, std::string_view text) {
    return printed([&](Out& out) { print_headline(out, page, name, text); });
}

TEST(Headline, IsWrappedWhereItsPartsEnd) {
    EXPECT_EQ(headline({.width = 40}, "job.img", "linux-cr revision 6, x86_64, little endian"),
              "job.img: linux-cr revision 6, x86_64,\n"
              "  little endian\n");
    const std::string processes = "process 123456, 123457, 123458, 123459, 123460";
    EXPECT_EQ(headline({.width = 40}, processes, "live, x86_64"),
              "process 123456, 123457, 123458, 123459,\n"
              "  123460: live, x86_64\n");
    EXPECT_EQ(headline({.width = 80}, processes, "live, x86_64"), processes + ": live, x86_64\n");
}

TEST(Headline, HasTheNameOfAFileInOnePiece) {
    EXPECT_EQ(headline({.width = 40}, "a file, of a name that is long, and has commas", "x86_64"),
              "a file, of a name that is long, and has commas:\n"
              "  x86_64\n");
}

}  // namespace
}  // namespace ckpt_lease::render
