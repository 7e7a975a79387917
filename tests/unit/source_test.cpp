// SPDX-License-Identifier: GPL-2.0-or-later
// Looking at an input through a moving window: in memory, in files and in pipes.
#include "io/source.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "fake_system.hpp"
#include "support.hpp"

namespace ckpt_lease::io {
namespace {

constexpr std::size_t kSize = 3 * kWindow + 1234;

// A pipe that a thread fills with `bytes`. Whoever reads may stop at any time.
class FilledPipe {
 public:
    explicit FilledPipe(std::string_view bytes) {
        EXPECT_EQ(::pipe2(ends_.data(), O_CLOEXEC), 0);
        writer_ = std::jthread([end = ends_[1], bytes] {
            std::string_view rest = bytes;
            while (!rest.empty()) {
                const ssize_t count =
                    ::write(end, rest.data(), std::min<std::size_t>(rest.size(), 9999));
                if (count <= 0) {
                    break;
                }
                rest.remove_prefix(static_cast<std::size_t>(count));
            }
            ::close(end);
        });
    }
    FilledPipe(const FilledPipe&) = delete;
    FilledPipe& operator=(const FilledPipe&) = delete;
    ~FilledPipe() {
        std::array<char, 65536> rest{};
        while (::read(ends_[0], rest.data(), rest.size()) > 0) {
        }
        writer_.join();
        ::close(ends_[0]);
    }
    [[nodiscard]] File file() { return File::borrow(posix_system(), "pipe", ends_[0]); }

 private:
    std::array<int, 2> ends_{};
    std::jthread writer_;
};

// The same bytes behind each kind of source.
class Sources {
 public:
    explicit Sources(std::string bytes)
        : bytes_(std::move(bytes)), pipe_(bytes_), in_pipe_(pipe_.file()) {
        write_whole(folder_ / "image", bytes_);
        in_file_ = std::make_unique<File>(posix_system(), folder_ / "image", O_RDONLY);
        all_.push_back(std::make_unique<MemorySource>("memory", as_bytes(bytes_)));
        all_.push_back(std::make_unique<FileSource>(*in_file_));
        all_.push_back(std::make_unique<StreamSource>(in_pipe_));
    }
    [[nodiscard]] std::string_view bytes() const { return bytes_; }
    [[nodiscard]] const std::vector<std::unique_ptr<Source>>& all() const { return all_; }

 private:
    TempFolder folder_;
    std::string bytes_;
    FilledPipe pipe_;
    File in_pipe_;
    std::unique_ptr<File> in_file_;
    std::vector<std::unique_ptr<Source>> all_;
};

// Whether peek(count) shows what the input holds at offset().
void expect_peek(Source& source, std::string_view all, std::size_t count) {
    const auto at = static_cast<std::size_t>(source.offset());
    ASSERT_LE(at, all.size()) << source.name();
    const std::string_view expected = all.substr(at, count);
    const std::string_view found = as_text(source.peek(count));
    ASSERT_EQ(found.size(), expected.size()) << source.name() << " at " << at;
    ASSERT_TRUE(found == expected) << source.name() << " at " << at;
    ASSERT_EQ(source.offset(), at) << "peeking does not move";
}

TEST(Source, KnowsItsName) {
    const Sources sources("abc");
    EXPECT_EQ(sources.all()[0]->name(), "memory");
    EXPECT_TRUE(sources.all()[1]->name().ends_with("/image"));
    EXPECT_EQ(sources.all()[2]->name(), "pipe");
}

TEST(Source, PeekingShowsTheSameBytesUntilTheyAreSkipped) {
    const Sources sources("abcdef");
    for (const auto& source : sources.all()) {
        EXPECT_EQ(as_text(source->peek(3)), "abc");
        EXPECT_EQ(as_text(source->peek(4)), "abcd");
        EXPECT_EQ(as_text(source->peek(0)), "");
        EXPECT_EQ(source->offset(), 0U);
        EXPECT_EQ(source->skip(2), 2U);
        EXPECT_EQ(source->offset(), 2U);
        EXPECT_EQ(as_text(source->peek(3)), "cde");
    }
}

TEST(Source, PeekingBeyondTheEndShowsWhatThereIs) {
    const Sources sources("abcdef");
    for (const auto& source : sources.all()) {
        EXPECT_EQ(source->skip(4), 4U);
        EXPECT_EQ(as_text(source->peek(100)), "ef");
        EXPECT_EQ(source->skip(2), 2U);
        EXPECT_EQ(as_text(source->peek(1)), "");
        EXPECT_EQ(source->offset(), 6U);
    }
}

TEST(Source, SkippingPastTheEndTellsHowFarItWent) {
    for (const std::size_t size : {std::size_t{6}, kSize}) {
        const Sources sources(patterned(size));
        for (const auto& source : sources.all()) {
            EXPECT_EQ(source->skip(1), 1U);
            EXPECT_EQ(source->skip(UINT64_MAX), size - 1) << source->name();
            EXPECT_EQ(source->offset(), size);
            EXPECT_EQ(source->skip(1), 0U);
            EXPECT_EQ(source->skip(0), 0U);
            EXPECT_EQ(source->offset(), size);
        }
    }
}

TEST(Source, AnEmptyInputHasNothing) {
    const Sources sources("");
    for (const auto& source : sources.all()) {
        EXPECT_EQ(source->peek(8).size(), 0U);
        EXPECT_EQ(source->skip(8), 0U);
        EXPECT_EQ(source->offset(), 0U);
    }
}

TEST(Source, PeeksAcrossTheEdgesOfTheWindow) {
    const Sources sources(patterned(kSize));
    for (const auto& source : sources.all()) {
        for (const std::size_t edge : {kWindow, 2 * kWindow, 3 * kWindow}) {
            for (const std::size_t before : {40000U, 8U, 7U, 1U}) {
                const std::uint64_t distance = edge - before - source->offset();
                EXPECT_EQ(source->skip(distance), distance);
                ASSERT_NO_FATAL_FAILURE(expect_peek(*source, sources.bytes(), 8));
                ASSERT_NO_FATAL_FAILURE(expect_peek(*source, sources.bytes(), Source::kPeekLimit));
            }
        }
    }
}

TEST(Source, SkipsFarInOneStep) {
    const Sources sources(patterned(kSize));
    for (const auto& source : sources.all()) {
        ASSERT_NO_FATAL_FAILURE(expect_peek(*source, sources.bytes(), 8));
        EXPECT_EQ(source->skip(2 * kWindow + 77), 2 * kWindow + 77);
        ASSERT_NO_FATAL_FAILURE(expect_peek(*source, sources.bytes(), 100));
    }
}

TEST(Source, AnyWalkShowsTheSameBytesInEveryKindOfSource) {
    const auto seed = std::random_device{}();
    SCOPED_TRACE("seed " + std::to_string(seed));
    RecordProperty("seed", std::to_string(seed));
    std::mt19937 random(seed);
    for (int walk = 0; walk < 20; ++walk) {
        const Sources sources(patterned(random() % kSize));
        while (sources.all()[0]->offset() < sources.bytes().size()) {
            // Mostly short steps, now and then a leap.
            const std::size_t step = random() % (random() % 4 == 0 ? kSize : 5000);
            const std::size_t look = random() % (Source::kPeekLimit + 1);
            const bool looks = random() % 3 != 0;
            const std::uint64_t expected =
                std::min<std::uint64_t>(step, sources.bytes().size() - sources.all()[0]->offset());
            for (const auto& source : sources.all()) {
                if (looks) {
                    ASSERT_NO_FATAL_FAILURE(expect_peek(*source, sources.bytes(), look));
                }
                ASSERT_EQ(source->skip(step), expected) << source->name();
                ASSERT_EQ(source->offset(), sources.all()[0]->offset()) << source->name();
            }
        }
    }
}

TEST(FileSource, WhatIsSkippedIsNotRead) {
    constexpr std::uint64_t kFar = std::uint64_t{64} * 1024 * 1024 * 1024;
    const TempFolder folder;
    write_whole(folder / "sparse", "head");
    ASSERT_EQ(::truncate((folder / "sparse").c_str(), static_cast<off_t>(kFar + 4)), 0);
    FakeSystem system;
    File file(system, folder / "sparse", O_RDWR);
    file.write_at(as_bytes("tail"), kFar);
    FileSource source(file);
    EXPECT_EQ(as_text(source.peek(4)), "head");
    EXPECT_EQ(source.skip(kFar), kFar);
    EXPECT_EQ(source.offset(), kFar);
    EXPECT_EQ(as_text(source.peek(8)), "tail");
    EXPECT_LE(system.count("pread"), 4);
    EXPECT_EQ(source.skip(8), 4U);
    EXPECT_EQ(source.offset(), kFar + 4);
}

TEST(FileSource, ShortReadsAndInterruptionsAreCarriedOn) {
    const TempFolder folder;
    const std::string bytes = patterned(5000);
    write_whole(folder / "image", bytes);
    FakeSystem system;
    const File file(system, folder / "image", O_RDONLY);
    system.limit_counts(7);
    system.fail_call("pread", 3, EINTR);
    FileSource source(file);
    ASSERT_NO_FATAL_FAILURE(expect_peek(source, bytes, 5000));
    EXPECT_EQ(system.failed(), "pread");
}

TEST(StreamSource, ReadsNoMoreThanItWaitsFor) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    const File write_end = File::adopt(posix_system(), "pipe", ends[1]);
    File file = File::adopt(posix_system(), "pipe", ends[0]);
    ASSERT_EQ(::write(ends[1], "abcdef", 6), 6);
    StreamSource source(file);
    // Would wait for ever if it wanted a full window: nobody closes the pipe.
    EXPECT_EQ(as_text(source.peek(6)), "abcdef");
    EXPECT_EQ(source.skip(6), 6U);
    EXPECT_EQ(source.offset(), 6U);
}

TEST(Source, ReportsProgressThatNeverGoesBack) {
    const Sources sources(patterned(kSize));
    for (std::size_t i = 1; i < 3; ++i) {
        Source& source = *sources.all()[i];
        std::vector<std::uint64_t> told;
        source.on_progress([&](std::uint64_t bytes) { told.push_back(bytes); });
        while (!source.peek(1000).empty()) {
            source.skip(1000);
        }
        EXPECT_GE(told.size(), 3U) << source.name();
        EXPECT_TRUE(std::is_sorted(told.begin(), told.end())) << source.name();
        EXPECT_LE(told.back(), kSize);
        EXPECT_GT(told.back(), kSize - 2 * kWindow);
    }
}

TEST(Source, ProgressMayStopTheWork) {
    const Sources sources(patterned(kSize));
    for (std::size_t i = 1; i < 3; ++i) {
        Source& source = *sources.all()[i];
        source.on_progress([](std::uint64_t) {
            Problem problem;
            problem.message = "stopped";
            throw Error(Error::Kind::interrupted, problem);
        });
        EXPECT_EQ(message_of(Error::Kind::interrupted, [&] { static_cast<void>(source.peek(1)); }),
                  "stopped");
    }
}

TEST(IsSeekable, FilesAreAndPipesAreNot) {
    const TempFolder folder;
    write_whole(folder / "image", "abc");
    File file(posix_system(), folder / "image", O_RDONLY);
    EXPECT_TRUE(is_seekable(file));
    FilledPipe pipe("abc");
    EXPECT_FALSE(is_seekable(pipe.file()));
    EXPECT_FALSE(is_seekable(File(posix_system(), "/dev/null", O_RDONLY)));
    EXPECT_FALSE(is_seekable(File(posix_system(), folder / ".", O_RDONLY)));
}

TEST(IsSeekable, AFileThatWasReadFromIsTakenAsAStream) {
    const TempFolder folder;
    write_whole(folder / "image", "abc");
    File file(posix_system(), folder / "image", O_RDONLY);
    std::array<std::byte, 1> one{};
    ASSERT_EQ(file.read_some(one), 1U);
    EXPECT_FALSE(is_seekable(file));
}

TEST(SavedStream, IsAFileWithoutAName) {
    const std::string bytes = patterned(kSize);
    FilledPipe pipe(bytes);
    File in = pipe.file();
    StreamSource source(in);
    // Looked at is not passed.
    EXPECT_EQ(source.peek(4).size(), 4U);
    const TempFolder folder;
    File saved = save_stream(source, posix_system(), folder / "");
    EXPECT_EQ(saved.name(), "pipe");
    EXPECT_TRUE(folder.names().empty());
    EXPECT_EQ(saved.status().st_mode & 0777U, 0600U);
    std::string read(kSize + 1, '\0');
    EXPECT_EQ(saved.read_at(std::as_writable_bytes(std::span(read)), 0), kSize);
    read.resize(kSize);
    EXPECT_TRUE(read == bytes);
    saved.write_at(as_bytes("x"), 0);
}

TEST(SavedStream, WhatCannotBeKeptIsSaidOfTheFolder) {
    const TempFolder folder;
    const std::string bytes = patterned(kSize);
    MemorySource source("in", as_bytes(bytes));
    FakeSystem system;
    system.fail_call("write", 1, ENOSPC);
    EXPECT_EQ(message_of(Error::Kind::io,
                         [&] { static_cast<void>(save_stream(source, system, folder / "")); }),
              (folder / "") +
                  ": cannot write: No space left on device (free some space) [write_elsewhere]");
    EXPECT_EQ(message_of(Error::Kind::io,
                         [&] { static_cast<void>(save_stream(source, system, folder / "none")); }),
              (folder / "none") + ": cannot open: No such file or directory");
}

TEST(SavedStream, LiesWhereTheUserWants) {
    ASSERT_EQ(::setenv("TMPDIR", "/somewhere", 1), 0);
    EXPECT_EQ(temporary_folder(), "/somewhere");
    ASSERT_EQ(::unsetenv("TMPDIR"), 0);
    EXPECT_EQ(temporary_folder(), "/var/tmp");
}

}  // namespace
}  // namespace ckpt_lease::io
