// SPDX-License-Identifier: GPL-2.0-or-later
// Lists of edits, and edits carried out in a window of a file.
#include "ckpt-lease/rewrite/edit_list.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "support.hpp"

namespace ckpt_lease {
namespace {

void add(EditList& edits, std::uint64_t offset, std::string_view old_bytes,
         std::string_view new_bytes) {
    edits.add(offset, as_bytes(old_bytes), as_bytes(new_bytes));
}

TEST(EditList, KeepsEditsInOrder) {
    EditList edits;
    EXPECT_TRUE(edits.empty());
    {
        std::string old_bytes = "abcd";
        std::string new_bytes = "ABCD";
        add(edits, 100, old_bytes, new_bytes);
        old_bytes = new_bytes = "....";
    }
    add(edits, 104, "x", "y");
    add(edits, UINT64_MAX - 8, "12345678", "87654321");
    ASSERT_EQ(edits.size(), 3U);
    EXPECT_FALSE(edits.empty());
    EXPECT_EQ(edits.at(0).offset, 100U);
    EXPECT_EQ(as_text(edits.at(0).old_bytes), "abcd") << "the bytes were copied";
    EXPECT_EQ(as_text(edits.at(0).new_bytes), "ABCD");
    EXPECT_EQ(edits.at(1).offset, 104U);
    EXPECT_EQ(as_text(edits.at(1).new_bytes), "y");
    EXPECT_EQ(as_text(edits.at(2).new_bytes), "87654321");
}

TEST(EditList, LeavesOutWhatChangesNothing) {
    EditList edits;
    add(edits, 5, "abcd", "abcd");
    add(edits, 6, "", "");
    EXPECT_TRUE(edits.empty());
}

TEST(EditList, TakesNoOverlapsNoDisorderAndNoOtherLengths) {
    EditList edits;
    add(edits, 100, "abcd", "ABCD");
    EXPECT_THROW(add(edits, 103, "x", "y"), std::logic_error);
    EXPECT_THROW(add(edits, 50, "x", "y"), std::logic_error);
    EXPECT_THROW(add(edits, 200, "x", "yy"), std::logic_error);
    EXPECT_THROW(add(edits, 200, "123456789", "987654321"), std::logic_error);
    EXPECT_EQ(edits.size(), 1U);
}

TEST(EditList, IsEmptyOnceCleared) {
    EditList edits;
    add(edits, 100, "abcd", "ABCD");
    edits.clear();
    EXPECT_TRUE(edits.empty());
    add(edits, 1, "a", "b");
    EXPECT_EQ(edits.at(0).offset, 1U);
}

// What becomes of `window`, which stands at `offset`, by the edit of 1234 into abcd at 100.
std::string applied(std::string window, std::uint64_t offset) {
    EditList edits;
    add(edits, 100, "1234", "abcd");
    apply_edit(edits.at(0), std::as_writable_bytes(std::span(window)), offset, "x.img");
    return window;
}

TEST(ApplyEdit, ReplacesBytesInTheWindow) {
    EXPECT_EQ(applied("__1234__", 98), "__abcd__");
    EXPECT_EQ(applied("1234", 100), "abcd");
}

TEST(ApplyEdit, ReplacesWhatFallsIntoTheWindow) {
    EXPECT_EQ(applied("__12", 98), "__ab");
    EXPECT_EQ(applied("34__", 102), "cd__");
    EXPECT_EQ(applied("23", 101), "bc");
    EXPECT_EQ(applied("____", 96), "____");
    EXPECT_EQ(applied("____", 104), "____");
    EXPECT_EQ(applied("", 102), "");
}

TEST(ApplyEdit, RefusesOtherBytesThanItExpects) {
    EXPECT_EQ(message_of(Error::Kind::damaged, [] { applied("__1294__", 98); }),
              "x.img: offset 102: the bytes here have changed since they were read (somebody "
              "else writes to this file; nothing was changed in it)");
    EXPECT_EQ(message_of(Error::Kind::damaged, [] { applied("abcd", 100); }),
              "x.img: offset 100: the bytes here have changed since they were read (somebody "
              "else writes to this file; nothing was changed in it)")
        << "also if the new ones are there already";
}

}  // namespace
}  // namespace ckpt_lease
