// SPDX-License-Identifier: GPL-2.0-or-later
// The walk over records: framing, byte order, and what ends it. The bytes are spelled out by hand.
#include "linux_cr/walker.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "linux_cr/support.hpp"

namespace ckpt_lease::linux_cr {
namespace {

using namespace std::string_literals;
using test_support::ImageBuilder;

constexpr std::string_view kTakeAgain =
    "copy the image again, or take the checkpoint again; nothing can be restarted from this one";

struct Walk {
    std::vector<std::tuple<std::uint64_t, std::uint32_t, std::uint32_t>> records;
    std::vector<std::string> problems;
    ByteOrder order = ByteOrder::little;
    bool broken = false;
    std::uint64_t last = 0;   // offset of the current record when the walk was over
    std::uint64_t count = 0;  // of all records, wanted or not
};

Walk walk(std::string_view bytes) {
    Walk found;
    io::MemorySource source(std::string(kName), as_bytes(bytes));
    Walker walker(source, [&](const Problem& problem) {
        found.problems.push_back(test_support::told(problem));
    });
    while (walker.next()) {
        found.records.emplace_back(walker.record().offset, walker.record().type,
                                   walker.record().length);
    }
    EXPECT_FALSE(walker.next()) << "a walk that is over stays over";
    found.order = walker.order();
    found.broken = walker.is_broken();
    found.last = walker.record().offset;
    found.count = walker.count();
    return found;
}

// As walk(), seeing only the records of wanted types.
Walk walk_wanted(std::string_view bytes, const WantedTypes& wanted) {
    Walk found;
    io::MemorySource source(std::string(kName), as_bytes(bytes));
    Walker walker(source, [&](const Problem& problem) {
        found.problems.push_back(test_support::told(problem));
    });
    while (walker.next(wanted)) {
        found.records.emplace_back(walker.record().offset, walker.record().type,
                                   walker.record().length);
    }
    EXPECT_FALSE(walker.next(wanted)) << "a walk that is over stays over";
    found.order = walker.order();
    found.broken = walker.is_broken();
    found.last = walker.record().offset;
    found.count = walker.count();
    return found;
}

using Records = std::vector<std::tuple<std::uint64_t, std::uint32_t, std::uint32_t>>;
using Texts = std::vector<std::string>;

TEST(Walker, WalksLittleEndianRecords) {
    const Walk found = walk(
        "\x01\0\0\0\x0c\0\0\0abcd"
        "\x05\0\0\0\x09\0\0\0x"
        "\x29\x23\0\0\x08\0\0\0"s);
    EXPECT_EQ(found.records, (Records{{0, 1, 12}, {12, 5, 9}, {21, 9001, 8}}));
    EXPECT_EQ(found.order, ByteOrder::little);
    EXPECT_EQ(found.problems, Texts{});
    EXPECT_FALSE(found.broken);
}

TEST(Walker, WalksBigEndianRecords) {
    const Walk found = walk(
        "\0\0\0\x01\0\0\0\x0c"
        "abcd"
        "\0\0\0\x05\0\0\0\x09x"
        "\0\0\x23\x29\0\0\0\x08"s);
    EXPECT_EQ(found.records, (Records{{0, 1, 12}, {12, 5, 9}, {21, 9001, 8}}));
    EXPECT_EQ(found.order, ByteOrder::big);
    EXPECT_EQ(found.problems, Texts{});
}

TEST(Walker, RecordsBeginAtAnyOffset) {
    for (const ByteOrder order : kBothOrders) {
        ImageBuilder image(order);
        image.record(1);
        Records expected{{0, 1, 8}};
        for (std::uint32_t size = 0; size < 20; ++size) {
            const auto& [offset, type, length] = expected.back();
            expected.emplace_back(offset + length, 5000 + size, 8 + size);
            image.record(5000 + size, std::string(size, '\x01'));
        }
        const Walk found = walk(image.bytes());
        EXPECT_EQ(found.records, expected);
        EXPECT_EQ(found.problems, Texts{});
    }
}

TEST(Walker, TypesThatNoListKnowsArePassedOver) {
    const Walk found = walk(
        "\x01\0\0\0\x08\0\0\0"
        "\xff\xff\xff\xff\x0a\0\0\0zz"
        "\0\0\0\0\x08\0\0\0"s);
    EXPECT_EQ(found.records, (Records{{0, 1, 8}, {8, 0xffffffff, 10}, {18, 0, 8}}));
    EXPECT_EQ(found.problems, Texts{});
}

TEST(Walker, TheShortestRecordHasEightBytes) {
    for (char length = 0; length < 8; ++length) {
        const Walk found = walk("\x01\0\0\0\x08\0\0\0\x05\0\0\0"s + length + "\0\0\0rest"s);
        EXPECT_EQ(found.records, (Records{{0, 1, 8}}));
        EXPECT_EQ(found.problems,
                  Texts{at(8, "STRING",
                           "its length is " + std::to_string(int{length}) +
                               ", and the shortest record has 8 bytes",
                           "the image is damaged here or shortly before; copy it again")});
        EXPECT_TRUE(found.broken);
    }
}

TEST(Walker, ARecordMayNotPassTheEnd) {
    const Walk found = walk("\x01\0\0\0\x08\0\0\0\x61\x1e\0\0\x14\0\0\0four"s);
    EXPECT_EQ(found.records, (Records{{0, 1, 8}, {8, 7777, 20}}));
    EXPECT_EQ(
        found.problems,
        Texts{at(8, "type 7777", "the record is 20 bytes long, and the image ends after 12 of them",
                 kTakeAgain)});
    EXPECT_TRUE(found.broken);
}

TEST(Walker, TheLongestLengthOnAShortInputIsOnlyAProblem) {
    const Walk found = walk("\x01\0\0\0\xff\xff\xff\xff....."s);
    EXPECT_EQ(found.records, (Records{{0, 1, 0xffffffff}}));
    EXPECT_EQ(found.problems,
              Texts{at(0, "HEADER",
                       "the record is 4294967295 bytes long, and the image ends after 13 of them",
                       kTakeAgain)});
}

TEST(Walker, AHeaderOfARecordMayNotBeCutOff) {
    for (std::size_t size = 1; size < 8; ++size) {
        const Walk found = walk("\x01\0\0\0\x08\0\0\0"s + "\x05\0\0\0\x08\0\0\0"s.substr(0, size));
        EXPECT_EQ(found.records, (Records{{0, 1, 8}}));
        EXPECT_EQ(found.problems, Texts{at(8, "",
                                           "the image ends after " + std::to_string(size) +
                                               " of the 8 bytes that begin a record",
                                           kTakeAgain)});
        EXPECT_TRUE(found.broken);
    }
}

TEST(Walker, AnInputOfLessThanARecord) {
    constexpr std::string_view kHint =
        "an image begins with a HEADER record: its type, 1, in 4 bytes";
    EXPECT_EQ(walk("").problems, Texts{at(0, "", "the file is empty", kHint)});
    for (std::size_t size = 1; size < 4; ++size) {
        EXPECT_EQ(walk("\x01\0\0\0"s.substr(0, size)).problems,
                  Texts{at(0, "", "this is no linux-cr image", kHint)});
    }
    for (std::size_t size = 4; size < 8; ++size) {
        const std::string expected = at(
            0, "",
            "the image ends after " + std::to_string(size) + " of the 8 bytes that begin a record",
            kTakeAgain);
        EXPECT_EQ(walk("\x01\0\0\0\x48\0\0\0"s.substr(0, size)).problems, Texts{expected});
        EXPECT_EQ(walk("\0\0\0\x01\0\0\0\x48"s.substr(0, size)).problems, Texts{expected});
    }
}

TEST(Walker, OtherFilesAreCalledWhatTheyAre) {
    const auto problem = [](const std::string& bytes) { return walk(bytes).problems.at(0); };
    EXPECT_EQ(
        problem("\x1f\x8b\x08\0\0\0\0\0"s),
        at(0, "", "this is no linux-cr image but gzip-compressed data", "decompress it first"));
    EXPECT_EQ(
        problem("\x28\xb5\x2f\xfd....."s),
        at(0, "", "this is no linux-cr image but zstd-compressed data", "decompress it first"));
    EXPECT_EQ(problem("\xfd"
                      "7zXZ\0\0\x04"s),
              at(0, "", "this is no linux-cr image but xz-compressed data", "decompress it first"));
    EXPECT_EQ(problem("BZh91AY&"), at(0, "", "this is no linux-cr image but bzip2-compressed data",
                                      "decompress it first"));
    EXPECT_EQ(problem("\x7f"
                      "ELF\x02\x01\x01\0"s),
              at(0, "", "this is no linux-cr image but an ELF file",
                 "give the image that the checkpoint wrote"));
    EXPECT_EQ(problem("{\"rules\": []}"),
              at(0, "", "this is no linux-cr image but text, perhaps JSON",
                 "give the image that the checkpoint wrote"));
    EXPECT_EQ(problem("Dear reader,"),
              at(0, "", "this is no linux-cr image",
                 "an image begins with a HEADER record: its type, 1, in 4 bytes"));
    EXPECT_EQ(problem("\x02\0\0\0\x48\0\0\0"s),
              at(0, "", "this is no linux-cr image",
                 "an image begins with a HEADER record: its type, 1, in 4 bytes"));
}

TEST(Walker, OnlyTheFirstRecordTellsTheOrder) {
    // In the other order this would be a record of type 1.
    const Walk found = walk("\x01\0\0\0\x08\0\0\0\0\0\0\x01\x08\0\0\0"s);
    EXPECT_EQ(found.records, (Records{{0, 1, 8}, {8, 0x01000000, 8}}));
    EXPECT_EQ(found.order, ByteOrder::little);
}

TEST(Walker, StopsAtWantedRecordsOnly) {
    const Walk found = walk_wanted(
        "\x01\0\0\0\x0c\0\0\0abcd"
        "\x05\0\0\0\x09\0\0\0x"
        "\x06\0\0\0\x08\0\0\0"
        "\x05\0\0\0\x08\0\0\0"
        "\x06\0\0\0\x0a\0\0\0yz"
        "\x29\x23\0\0\x08\0\0\0"
        "\x05\0\0\0\x08\0\0\0"s,
        {6});
    EXPECT_EQ(found.records, (Records{{21, 6, 8}, {37, 6, 10}, {47, 9001, 8}}))
        << "large types are always wanted";
    EXPECT_EQ(found.problems, Texts{});
    EXPECT_EQ(found.last, 55U) << "the last record, though it is not wanted";
    EXPECT_EQ(found.count, 7U);
}

TEST(Walker, MissesNoProblemBetweenWantedRecords) {
    for (const ByteOrder order : kBothOrders) {
        const std::string whole = test_support::small_image(order).bytes();
        const WantedTypes wanted{kTask, kFileDesc};
        const auto expect_same = [&](const std::string& bytes) {
            Walk all = walk(bytes);
            std::erase_if(all.records, [&](const auto& record) {
                return !wanted.contains(std::get<1>(record));
            });
            const Walk some = walk_wanted(bytes, wanted);
            EXPECT_EQ(some.records, all.records);
            EXPECT_EQ(some.problems, all.problems);
            EXPECT_EQ(some.broken, all.broken);
            EXPECT_EQ(some.last, all.last);
            EXPECT_EQ(some.count, all.count);
        };
        for (std::size_t size = 0; size <= whole.size(); ++size) {
            expect_same(whole.substr(0, size));
        }
        for (std::size_t at = 0; at < whole.size(); ++at) {
            for (const char byte : {'\0', '\x07', '\x66', '\xff'}) {
                std::string damaged = whole;
                damaged[at] = byte;
                expect_same(damaged);
            }
        }
    }
}

TEST(Walker, FindsTheNextWantedRecordBehindWords) {
    const std::string bytes =
        "\x01\0\0\0\x08\0\0\0"
        "\x04\0\0\0\x12\0\0\0abcdefghij"
        "\x05\0\0\0\x08\0\0\0"
        "\x06\0\0\0\x08\0\0\0"s;
    io::MemorySource source(std::string(kName), as_bytes(bytes));
    Walker walker(source, [](const Problem&) { FAIL(); });
    const WantedTypes wanted{4, 6};
    ASSERT_TRUE(walker.next(wanted));
    ASSERT_EQ(walker.record().type, 4U);
    int words = 0;
    EXPECT_TRUE(walker.read_words([&](std::uint32_t) { ++words; }));
    EXPECT_EQ(words, 2);
    ASSERT_TRUE(walker.next(wanted));
    EXPECT_EQ(walker.record().type, 6U);
    EXPECT_EQ(walker.record().offset, 34U);
}

TEST(Walker, ShowsTheBytesOfARecordAndNoMore) {
    const std::string bytes = "\x01\0\0\0\x0b\0\0\0abc\x05\0\0\0\x08\0\0\0"s;
    io::MemorySource source(std::string(kName), as_bytes(bytes));
    Walker walker(source, [](const Problem&) { FAIL(); });
    ASSERT_TRUE(walker.next());
    EXPECT_EQ(as_text(walker.bytes(9)), bytes.substr(0, 9));
    EXPECT_EQ(as_text(walker.bytes(100)), bytes.substr(0, 11));
    ASSERT_TRUE(walker.next());
    EXPECT_EQ(as_text(walker.bytes(100)), bytes.substr(11));
    EXPECT_FALSE(walker.next());
}

TEST(Walker, BytesThatAreNotThereBreakTheWalk) {
    const std::string bytes = "\x01\0\0\0\x0b\0\0\0ab"s;
    Texts problems;
    io::MemorySource source(std::string(kName), as_bytes(bytes));
    Walker walker(source,
                  [&](const Problem& problem) { problems.push_back(test_support::told(problem)); });
    ASSERT_TRUE(walker.next());
    EXPECT_TRUE(walker.bytes(11).empty());
    EXPECT_TRUE(walker.is_broken());
    EXPECT_FALSE(walker.next());
    EXPECT_EQ(problems, Texts{at(0, "HEADER",
                                 "the record is 11 bytes long, and the image ends after 10 of them",
                                 kTakeAgain)});
}

TEST(Walker, ReadsWordsAcrossTheLimitOfAPeek) {
    constexpr std::uint32_t kWords = 40'000;  // 160'000 bytes; a peek has 65'536
    for (const ByteOrder order : kBothOrders) {
        ImageBuilder image(order);
        auto payload = image.payload();
        for (std::uint32_t i = 0; i < kWords; ++i) {
            payload.u32(i * 2654435761U);
        }
        payload.text("odd");  // beyond the last whole number
        const std::string bytes = image.record(1).record(4, payload).record(5).bytes();
        io::MemorySource source(std::string(kName), as_bytes(bytes));
        Walker walker(source, [](const Problem&) { FAIL(); });
        ASSERT_TRUE(walker.next());
        ASSERT_TRUE(walker.next());
        std::uint32_t count = 0;
        std::uint32_t wrong = 0;
        EXPECT_TRUE(walker.read_words([&](std::uint32_t word) {
            wrong += word == count * 2654435761U ? 0 : 1;
            ++count;
        }));
        EXPECT_EQ(count, kWords);
        EXPECT_EQ(wrong, 0U);
        ASSERT_TRUE(walker.next()) << "the odd bytes belong to the record before";
        EXPECT_EQ(walker.record().type, 5U);
        EXPECT_EQ(walker.record().offset, 8U + 8 + 4 * kWords + 3);
    }
}

TEST(Walker, WordsThatAreCutOffBreakTheWalk) {
    const std::string bytes = "\x01\0\0\0\xff\xff\xff\xff\x05\0\0\0\x06\0\0\0"s;
    Texts problems;
    io::MemorySource source(std::string(kName), as_bytes(bytes));
    Walker walker(source,
                  [&](const Problem& problem) { problems.push_back(test_support::told(problem)); });
    ASSERT_TRUE(walker.next());
    EXPECT_FALSE(walker.read_words([](std::uint32_t) {}));
    EXPECT_FALSE(walker.next());
    EXPECT_EQ(problems,
              Texts{at(0, "HEADER",
                       "the record is 4294967295 bytes long, and the image ends after 16 of them",
                       kTakeAgain)});
}

TEST(Walker, PassesTheRestAndCountsIt) {
    const std::string bytes = "\x01\0\0\0\x0a\0\0\0..and five more"s;
    io::MemorySource source(std::string(kName), as_bytes(bytes));
    Walker walker(source, [](const Problem&) { FAIL(); });
    ASSERT_TRUE(walker.next());
    EXPECT_EQ(walker.pass_rest(), 13U);
    EXPECT_EQ(source.offset(), bytes.size());
}

}  // namespace
}  // namespace ckpt_lease::linux_cr
