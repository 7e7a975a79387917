// SPDX-License-Identifier: GPL-2.0-or-later
// A long output made of pieces by several threads.
#include "render/in_order.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

namespace ckpt_lease {
namespace {

void number(std::size_t piece, std::string& text) {
    text = std::to_string(piece) + " ";
}

TEST(InOrder, NoPiecesNoText) {
    in_order(
        0, [](std::size_t, std::string&) { throw std::logic_error("nothing to make"); },
        [](std::string_view) { throw std::logic_error("nothing to write"); });
}

TEST(InOrder, PiecesComeInTheirOrderWhicheverIsReadyFirst) {
    std::string wanted;
    for (std::size_t i = 0; i < 1000; ++i) {
        wanted += std::to_string(i) + " ";
    }
    std::string text;
    in_order(
        1000,
        [](std::size_t piece, std::string& out) {
            if (piece % 7 == 0) {
                std::this_thread::sleep_for(std::chrono::microseconds(200));
            }
            number(piece, out);
        },
        [&](std::string_view more) { text += more; });
    EXPECT_EQ(text, wanted);
}

TEST(InOrder, FewAreMadeAheadOfTheOneThatIsWritten) {
    std::atomic<std::size_t> made = 0;
    std::size_t written = 0;
    std::size_t most_kept = 0;
    in_order(
        500,
        [&](std::size_t piece, std::string& out) {
            ++made;
            number(piece, out);
        },
        [&](std::string_view) {
            std::this_thread::sleep_for(std::chrono::microseconds(100));
            most_kept = std::max(most_kept, made - written);
            ++written;
        });
    EXPECT_EQ(written, 500U);
    EXPECT_EQ(made, 500U);
    EXPECT_LE(most_kept, 5U);
}

TEST(InOrder, WhatRenderThrowsIsThrown) {
    std::string text;
    EXPECT_THROW(in_order(
                     100,
                     [](std::size_t piece, std::string& out) {
                         piece == 50 ? throw std::runtime_error("render") : number(piece, out);
                     },
                     [&](std::string_view more) { text += more; }),
                 std::runtime_error);
    EXPECT_TRUE(text.empty() || text.starts_with("0 "));
    EXPECT_EQ(text.find("51 "), std::string::npos);
}

TEST(InOrder, WhatWriteThrowsIsThrown) {
    std::size_t written = 0;
    EXPECT_THROW(in_order(100, number,
                          [&](std::string_view) {
                              if (++written == 10) {
                                  throw std::runtime_error("disk full");
                              }
                          }),
                 std::runtime_error);
    EXPECT_EQ(written, 10U);
}

}  // namespace
}  // namespace ckpt_lease
