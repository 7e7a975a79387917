// SPDX-License-Identifier: GPL-2.0-or-later
// An image that is cut off anywhere is damaged, and what stands before the cut is still read.
#include <gtest/gtest.h>

#include <algorithm>

#include "linux_cr/support.hpp"

namespace ckpt_lease::linux_cr {
namespace {

using test_support::ImageBuilder;
using test_support::small_image;

class Truncation : public ::testing::TestWithParam<ByteOrder> {};

void expect_damage(const ImageBuilder& whole, const Image& image, std::size_t size) {
    SCOPED_TRACE("cut to " + std::to_string(size) + " bytes");
    ASSERT_TRUE(image.damage.has_value());
    EXPECT_EQ(image.damage->severity, Problem::Severity::structure);
    EXPECT_FALSE(image.facts.complete);
    const auto starts = whole.offsets();
    ASSERT_TRUE(image.damage->offset.has_value());
    EXPECT_TRUE(std::binary_search(starts.begin(), starts.end(), *image.damage->offset))
        << to_string(*image.damage);
    EXPECT_LE(*image.damage->offset, size);
    std::size_t locks = 0;
    for (std::size_t nth = 0; nth < 3; ++nth) {
        locks += whole.offset_of(310, nth) + 40 <= size ? 1 : 0;
    }
    EXPECT_EQ(image.locks.size(), locks);
}

TEST_P(Truncation, OfEveryLengthIsDamageInMemory) {
    const ImageBuilder whole = small_image(GetParam());
    const std::string bytes = whole.bytes();
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        expect_damage(whole, read_bytes(std::string_view(bytes).substr(0, size)), size);
    }
    EXPECT_EQ(damage_of(bytes), "");
}

TEST_P(Truncation, OfEveryLengthIsDamageInAPipe) {
    const ImageBuilder whole = small_image(GetParam());
    const std::string bytes = whole.bytes();
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        expect_damage(whole, read_piped(std::string_view(bytes).substr(0, size)), size);
    }
    EXPECT_FALSE(read_piped(bytes).damage.has_value());
}

TEST_P(Truncation, MemoryAndPipeSayTheSame) {
    const std::string bytes = small_image(GetParam()).bytes();
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        const auto cut = std::string_view(bytes).substr(0, size);
        const Image piped = read_piped(cut);
        ASSERT_TRUE(piped.damage.has_value()) << size;
        EXPECT_EQ(test_support::told(*piped.damage), damage_of(cut));
    }
}

TEST_P(Truncation, OfEveryLengthIsFoundByVerify) {
    const std::string bytes = small_image(GetParam()).bytes();
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        const auto cut = std::string_view(bytes).substr(0, size);
        const auto problems = problems_of(cut);
        ASSERT_FALSE(problems.empty()) << size;
        EXPECT_EQ(problems.front(), damage_of(cut));
    }
    EXPECT_EQ(problems_of(bytes), std::vector<std::string>{});
}

INSTANTIATE_TEST_SUITE_P(Orders, Truncation, ::testing::ValuesIn(kBothOrders),
                         [](const auto& param_info) {
                             return std::string(to_string(param_info.param));
                         });

TEST(TailCutOff, TheImageIsNotComplete) {
    // A TAIL that says it has 24 bytes, of which 16 are there.
    ImageBuilder image = small_image();
    image.patch(9001, 0, 4, 4, 24);
    const Image found = read_bytes(image.bytes());
    ASSERT_TRUE(found.damage.has_value());
    EXPECT_EQ(found.damage->message,
              "the record is 24 bytes long, and the image ends after 16 of them");
    EXPECT_FALSE(found.facts.complete);
}

}  // namespace
}  // namespace ckpt_lease::linux_cr
