// SPDX-License-Identifier: GPL-2.0-or-later
// Streams that are edited while they are read.
#include "rewrite/pass_through.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <functional>
#include <random>
#include <string>
#include <thread>

#include "writers_support.hpp"

namespace ckpt_lease {
namespace {

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
        EXPECT_EQ(
            message_of(Error::Kind::io, [&] { stream.skip(bytes.size()); }),
            folder_ / "out" +
                ": cannot write: No space left on device (free some space) [write_elsewhere]");
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

// From pipe to pipe, with somebody who writes at one end and somebody who reads at the other.
class PipesTest : public testing::Test {
 protected:
    // One lock record in front of a payload, one behind it.
    PipesTest() {
        replace(edits_, after_, 8, "FRONT");
        replace(edits_, after_, before_.size() - 9, "BEHIND");
    }

    std::string passed() { return passed(system_); }
    std::string passed(io::System& system) {
        std::array<int, 2> in{};
        std::array<int, 2> out{};
        EXPECT_EQ(pipe(in.data()), 0);
        EXPECT_EQ(pipe(out.data()), 0);
        std::thread writer([&] {
            io::File end = io::File::adopt(io::posix_system(), "the writer", in[1]);
            end.write(as_bytes(before_));
        });
        std::string received;
        std::thread reader([&] {
            std::array<char, 4096> bytes{};
            ssize_t got = 0;
            while ((got = read(out[0], bytes.data(), bytes.size())) > 0) {
                received.append(bytes.data(), static_cast<std::size_t>(got));
            }
        });
        {
            io::File from = io::File::adopt(system, "in", in[0]);
            io::File to = io::File::adopt(system, "out", out[1]);
            PassThrough stream(from, to);
            EditList front;
            front.add(8, as_bytes(before_.substr(8, 5)), as_bytes("FRONT"));
            stream.add(front);
            stream.skip(40);
            stream.skip(before_.size() - 80);
            EXPECT_EQ(stream.peek(100).size(), 40U);
            EditList behind;
            const std::size_t at = before_.size() - 9;
            behind.add(at, as_bytes(before_.substr(at, 6)), as_bytes("BEHIND"));
            stream.add(behind);
            stream.skip(40);
            stream.finish();
            sizes_ = {fcntl(in[0], F_GETPIPE_SZ), fcntl(out[1], F_GETPIPE_SZ)};
        }
        writer.join();
        reader.join();
        close(out[0]);
        return received;
    }

    FakeSystem system_;
    std::string before_ = patterned(5 * kWindow + 7);
    std::string after_ = before_;
    EditList edits_;
    std::array<int, 2> sizes_{};
};

TEST_F(PipesTest, PayloadsAreNotReadAndNotWritten) {
    EXPECT_TRUE(passed() == after_);
    EXPECT_GT(system_.count("splice"), 0);
    EXPECT_LT(system_.count("read"), 10);
}

TEST_F(PipesTest, BothAreMadeAsWideAsEverybodyMay) {
    EXPECT_TRUE(passed() == after_);
    EXPECT_EQ(system_.count("set_pipe_size"), 2);
    EXPECT_EQ(sizes_, (std::array<int, 2>{1 << 20, 1 << 20}));
}

TEST_F(PipesTest, NarrowOnesDoAsWell) {
    system_.fail_all("set_pipe_size", EPERM);
    EXPECT_TRUE(passed() == after_);
    EXPECT_GT(system_.count("splice"), 0);
}

TEST_F(PipesTest, WhatTheKernelDoesNotMoveIsReadAndWritten) {
    for (const int error : {EINVAL, ENOSYS, EPERM}) {
        for (const int n : {1, 2}) {
            FakeSystem system;
            system.fail_call("splice", n, error);
            EXPECT_TRUE(passed(system) == after_) << error << ' ' << n;
            EXPECT_EQ(system.failed(), "splice");
            EXPECT_EQ(system.count("splice"), n) << "it is not asked again";
        }
    }
}

TEST_F(PipesTest, InterruptedAndShortMovesAreCarriedOn) {
    system_.limit_counts(3001);
    system_.fail_call("splice", 3, EINTR);
    EXPECT_TRUE(passed() == after_);
    EXPECT_EQ(system_.failed(), "splice");
    EXPECT_GT(system_.count("splice"), 100);
}

}  // namespace
}  // namespace ckpt_lease
