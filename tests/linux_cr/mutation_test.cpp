// SPDX-License-Identifier: GPL-2.0-or-later
// Example images with bytes changed at random: whatever is read, nothing but Error is thrown.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <random>

#include "linux_cr/support.hpp"

namespace ckpt_lease::linux_cr {
namespace {

using Clock = std::chrono::steady_clock;
using Random = std::mt19937_64;

// Of all images together.
constexpr std::chrono::milliseconds kTime(2000);

// CKPT_LEASE_TEST_SEED repeats a run.
std::uint64_t choose_seed() {
    const char* const given = std::getenv("CKPT_LEASE_TEST_SEED");
    return given != nullptr ? std::strtoull(given, nullptr, 0) : std::random_device()();
}

std::size_t below(Random& random, std::size_t bound) {
    return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random);
}

// The places of all bytes that are no payload of memory pages and the like, which nobody reads.
std::vector<std::size_t> places_of(const std::string& bytes) {
    constexpr std::uint32_t kMostOfARecord = 80;
    std::vector<std::size_t> places;
    io::MemorySource source(std::string(kName), as_bytes(bytes));
    Walker walker(source, [](const Problem&) {});
    while (walker.next()) {
        const auto from = static_cast<std::size_t>(walker.record().offset);
        const std::size_t to = from + std::min(walker.record().length, kMostOfARecord);
        for (std::size_t place = from; place < std::min(to, bytes.size()); ++place) {
            places.push_back(place);
        }
    }
    return places;
}

void mutate(std::string& bytes, const std::vector<std::size_t>& places, Random& random) {
    constexpr unsigned char kTelling[] = {0x00, 0x01, 0x02, 0x07, 0x08, 0x7f, 0x80, 0xff};
    for (std::size_t n = 1 + below(random, 4); n > 0; --n) {
        const std::size_t place = places[below(random, places.size())];
        const bool is_telling = below(random, 2) == 0;
        bytes[place] = static_cast<char>(is_telling ? kTelling[below(random, std::size(kTelling))]
                                                    : below(random, 256));
    }
    if (below(random, 8) == 0) {
        bytes.resize(below(random, bytes.size() + 1));
    }
}

// The damage that read_image() stops at is the first structural problem of verify().
void check(const std::string& bytes) {
    const Image image = read_bytes(bytes);
    std::string first;
    io::MemorySource source(std::string(kName), as_bytes(bytes));
    const ImageFacts facts = verify(source, default_layout(), [&](const Problem& problem) {
        if (first.empty() && problem.severity == Problem::Severity::structure) {
            first = test_support::told(problem);
        }
    });
    EXPECT_EQ(image.damage ? test_support::told(*image.damage) : std::string(), first);
    for (std::size_t i = 0; i < image.locks.size(); ++i) {
        const Lock lock = image.locks.at(i);
        EXPECT_LT(lock.offset, bytes.size());
        EXPECT_LE(image.locks.path(lock).size(), bytes.size());
        EXPECT_LE(image.locks.tasks(lock).size(), bytes.size());
    }
    if (!image.damage) {
        EXPECT_TRUE(image.facts.complete);
        EXPECT_EQ(facts.records, image.facts.records);
    }
}

TEST(Mutation, NothingButErrorIsThrown) {
    const std::uint64_t seed = choose_seed();
    std::cout << "CKPT_LEASE_TEST_SEED=" << seed << '\n';
    Random random(seed);
    std::vector<std::string> names(std::begin(kGoodExamples), std::end(kGoodExamples));
    names.insert(names.end(), std::begin(kBadExamples), std::end(kBadExamples));
    std::uint64_t rounds = 0;
    for (const std::string& name : names) {
        const std::string sound = example(name);
        const auto places = places_of(sound);
        const auto until = Clock::now() + kTime / names.size();
        do {
            std::string bytes = sound;
            mutate(bytes, places, random);
            try {
                check(bytes);
            } catch (const Error& error) {
                ADD_FAILURE() << "damage is returned or told, not thrown: " << error.what();
            } catch (const std::exception& error) {
                ADD_FAILURE() << "not an Error: " << error.what();
            }
            ++rounds;
            ASSERT_FALSE(HasFailure()) << name << ", round " << rounds << ", seed " << seed;
        } while (Clock::now() < until);
    }
    RecordProperty("rounds", std::to_string(rounds));
    EXPECT_GE(rounds, names.size());
}

// Lengths and counts are what reading could go astray by: each 4-byte number, set to its largest.
TEST(Mutation, EveryWordOfASmallImageSetToItsLargestValue) {
    for (const ByteOrder order : kBothOrders) {
        const std::string sound = test_support::small_image(order).bytes();
        const auto begun = Clock::now();
        for (std::size_t place = 0; place + 4 <= sound.size(); ++place) {
            for (const char* const value : {"\xff\xff\xff\xff", "\xff\xff\xff\x7f"}) {
                std::string bytes = sound;
                bytes.replace(place, 4, value);
                ASSERT_NO_THROW(check(bytes)) << "at " << place;
            }
        }
        EXPECT_LT(Clock::now() - begun, std::chrono::seconds(60));
    }
}

}  // namespace
}  // namespace ckpt_lease::linux_cr
