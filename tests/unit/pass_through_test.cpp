// SPDX-License-Identifier: GPL-2.0-or-later
// Streams that are edited while they are read.
#include "ckpt-lease/rewrite/pass_through.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <string>

#include "writers_support.hpp"

namespace ckpt_lease {
namespace {

constexpr std::size_t kWindow = std::size_t{256} * 1024;

class PassThroughTest : public testing::Test {
 protected:
    // What comes out when `bytes` go in and `work` walks over them.
    std::string out_of(const std::string& bytes, const std::function<void(PassThrough&)>& work) {
        write_whole(folder_ / "in", bytes);
        io::File in(system_, folder_ / "in", O_RDONLY);
        io::File out(system_, folder_ / "out", O_WRONLY | O_CREAT | O_TRUNC, mode_t{0600});
        PassThrough stream(in, out);
        work(stream);
        return read_whole(folder_ / "out");
    }

    TempFolder folder_;
    FakeSystem system_;
};

TEST_F(PassThroughTest, WithoutEditsItIsACopy) {
    const std::string bytes = patterned(3 * kWindow + 5);
    const std::string out = out_of(bytes, [&](PassThrough& stream) {
        EXPECT_EQ(stream.skip(UINT64_MAX), bytes.size());
        stream.finish();
    });
    EXPECT_TRUE(out == bytes);
}

TEST_F(PassThroughTest, OnlyWhatWasPassedIsWritten) {
    const std::string out = out_of("abcdef", [](PassThrough& stream) {
        EXPECT_EQ(as_text(stream.peek(5)), "abcde");
        stream.skip(3);
        stream.finish();
    });
    EXPECT_EQ(out, "abc");
}

TEST_F(PassThroughTest, FinishingTwiceWritesOnce) {
    const std::string out = out_of("abcdef", [](PassThrough& stream) {
        stream.skip(6);
        stream.finish();
        stream.finish();
    });
    EXPECT_EQ(out, "abcdef");
}

TEST_F(PassThroughTest, NothingIsEditedBeforeItIsPassed) {
    const std::string out = out_of("abcdef", [](PassThrough& stream) {
        EditList edits;
        edits.add(2, as_bytes("cd"), as_bytes("CD"));
        static_cast<void>(stream.peek(6));
        stream.add(edits);
        EXPECT_EQ(as_text(stream.peek(6)), "abcdef");
        stream.skip(6);
        stream.finish();
    });
    EXPECT_EQ(out, "abCDef");
}

TEST_F(PassThroughTest, AnEditMayStandRightWhereTheStreamIs) {
    const std::string out = out_of("abcdef", [](PassThrough& stream) {
        stream.skip(2);
        EditList edits;
        edits.add(2, as_bytes("cd"), as_bytes("CD"));
        stream.add(edits);
        stream.skip(4);
        stream.finish();
    });
    EXPECT_EQ(out, "abCDef");
}

TEST_F(PassThroughTest, EditsMayCrossTheEdgesOfTheWindow) {
    const std::string bytes = patterned(4 * kWindow);
    for (std::size_t before = 0; before <= 8; ++before) {
        std::string wanted = bytes;
        EditList edits;
        for (std::size_t edge = kWindow; edge < 4 * kWindow; edge += kWindow) {
            replace(edits, wanted, edge - before, "12345678");
        }
        for (const std::size_t step : {kWindow, std::size_t{1000}, std::size_t{40}}) {
            const std::string out = out_of(bytes, [&](PassThrough& stream) {
                stream.add(edits);
                while (stream.skip(step) > 0) {
                }
                stream.finish();
            });
            ASSERT_TRUE(out == wanted) << before << ' ' << step;
        }
    }
}

TEST_F(PassThroughTest, EditsMayCrossWhatWasWrittenByFinish) {
    const std::string out = out_of("abcdef", [](PassThrough& stream) {
        EditList edits;
        edits.add(1, as_bytes("bcde"), as_bytes("BCDE"));
        stream.add(edits);
        stream.skip(3);
        stream.finish();
        stream.skip(3);
        stream.finish();
    });
    EXPECT_EQ(out, "aBCDEf");
}

TEST_F(PassThroughTest, AnyWalkWithEditsOnTheWayWritesTheEditedBytes) {
    const auto seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    for (int walk = 0; walk < 10; ++walk) {
        const std::string bytes = patterned(kWindow + random() % (2 * kWindow));
        std::string wanted = bytes;
        system_.limit_counts(1 + random() % 100000);
        const std::string out = out_of(bytes, [&](PassThrough& stream) {
            while (stream.offset() < bytes.size()) {
                // As a lock record: looked at as a whole, edited, passed.
                if (const auto at = static_cast<std::size_t>(stream.offset());
                    stream.peek(40).size() == 40 && random() % 2 == 0) {
                    EditList edits;
                    replace(edits, wanted, at + 24, "ABCDEFGH");
                    replace(edits, wanted, at + 36, "XYZ");
                    stream.add(edits);
                    stream.skip(40);
                }
                stream.skip(random() % (random() % 8 == 0 ? kWindow : 300));
            }
            stream.finish();
        });
        ASSERT_TRUE(out == wanted);
    }
}

TEST_F(PassThroughTest, RefusesOtherBytesThanTheEditExpects) {
    out_of("abcdef", [](PassThrough& stream) {
        EditList edits;
        edits.add(2, as_bytes("xx"), as_bytes("CD"));
        stream.add(edits);
        stream.skip(6);
        EXPECT_EQ(message_of(Error::Kind::damaged, [&] { stream.finish(); }),
                  stream.name() +
                      ": offset 2: the bytes here have changed since they were read (somebody "
                      "else writes to this file; nothing was changed in it)");
    });
}

TEST_F(PassThroughTest, ErrorsOfWritingNameTheOutput) {
    const std::string bytes = patterned(2 * kWindow);
    system_.fail_call("write", 1, ENOSPC);
    out_of(bytes, [&](PassThrough& stream) {
        EXPECT_EQ(message_of(Error::Kind::io, [&] { stream.skip(bytes.size()); }),
                  folder_ / "out" +
                      ": cannot write: No space left on device (free some space, or write "
                      "elsewhere with -o)");
    });
}

TEST_F(PassThroughTest, InterruptedAndShortCallsAreCarriedOn) {
    const std::string bytes = patterned(2 * kWindow + 3);
    system_.limit_counts(4099);
    system_.fail_call("write", 7, EINTR);
    const std::string out = out_of(bytes, [](PassThrough& stream) {
        stream.skip(UINT64_MAX);
        stream.finish();
    });
    EXPECT_TRUE(out == bytes);
    EXPECT_EQ(system_.failed(), "write");
}

}  // namespace
}  // namespace ckpt_lease
