// SPDX-License-Identifier: GPL-2.0-or-later
// Lists of JSON that two threads write.
#include "render/elements.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "render_support.hpp"

namespace ckpt_lease::render {
namespace {

// The list of the numbers that `is_wanted`.
std::string list_of(std::size_t count, const std::function<bool(std::size_t)>& is_wanted,
                    bool& any) {
    return printed([&](Out& out) {
        JsonWriter json(out);
        json.begin_array();
        any = write_elements(json, count, [&](JsonWriter& to, std::size_t begin, std::size_t end) {
            bool any_of_these = false;
            for (std::size_t i = begin; i < end; ++i) {
                if (is_wanted(i)) {
                    to.value(i);
                    any_of_these = true;
                }
            }
            return any_of_these;
        });
        json.end_array();
    });
}

std::string expected(std::size_t count, const std::function<bool(std::size_t)>& is_wanted) {
    std::string text = "[";
    for (std::size_t i = 0; i < count; ++i) {
        if (is_wanted(i)) {
            text += (text.size() == 1 ? "\n" : ",\n") + std::to_string(i);
        }
    }
    return text + "]";
}

void expect_list(std::size_t count, const std::function<bool(std::size_t)>& is_wanted) {
    bool any = false;
    EXPECT_EQ(list_of(count, is_wanted, any), expected(count, is_wanted));
    EXPECT_EQ(any, expected(count, is_wanted) != "[]");
}

TEST(Elements, StandInTheirOrderWhoeverWritesThem) {
    for (const std::size_t count :
         {0U, 1U, 2U, 2729U, 2730U, 2731U, 8191U, 8192U, 8193U, 100000U}) {
        SCOPED_TRACE(count);
        expect_list(count, [](std::size_t) { return true; });
    }
}

TEST(Elements, WhatIsNotWantedLeavesNoCommaBehind) {
    constexpr std::size_t kCount = 50000;
    expect_list(kCount, [](std::size_t) { return false; });
    expect_list(kCount, [](std::size_t i) { return i == 0; });
    expect_list(kCount, [](std::size_t i) { return i == 8191; });  // of the other thread's part
    expect_list(kCount, [](std::size_t i) { return i == kCount - 1; });
    expect_list(kCount, [](std::size_t i) { return i % 20011 == 7; });
}

TEST(Elements, LongListsAreWrittenByTwoThreads) {
    std::mutex mutex;
    std::vector<std::thread::id> threads;
    bool any = false;
    list_of(
        100000,
        [&](std::size_t) {
            const std::lock_guard lock(mutex);
            threads.push_back(std::this_thread::get_id());
            return false;
        },
        any);
    const auto here = std::count(threads.begin(), threads.end(), std::this_thread::get_id());
    EXPECT_GT(here, 0);
    EXPECT_LT(here, 100000);
}

TEST(Elements, WhatEitherThreadThrowsIsThrown) {
    for (const std::size_t culprit : {0U, 8191U, 49999U}) {
        bool any = false;
        EXPECT_THROW(list_of(
                         50000,
                         [&](std::size_t i) {
                             return i != culprit ? true : throw std::runtime_error("culprit");
                         },
                         any),
                     std::runtime_error)
            << culprit;
    }
}

}  // namespace
}  // namespace ckpt_lease::render
