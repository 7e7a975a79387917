// SPDX-License-Identifier: GPL-2.0-or-later
// Whoever starts the program may have closed its standard descriptors. An image must not become one
// of them.
#include <unistd.h>

#include <algorithm>

#include "support.hpp"

namespace attack {
namespace {

constexpr int kIn = STDIN_FILENO;
constexpr int kOut = STDOUT_FILENO;
constexpr int kErr = STDERR_FILENO;

const std::vector<std::vector<int>> kClosed = {
    {kIn}, {kOut}, {kErr}, {kIn, kOut}, {kIn, kErr}, {kOut, kErr}, {kIn, kOut, kErr}};

bool has(const std::vector<int>& closed, int fd) {
    return std::find(closed.begin(), closed.end(), fd) != closed.end();
}

std::string shown(const std::vector<int>& closed) {
    std::string text = "closed:";
    for (const int fd : closed) {
        text += " " + std::to_string(fd);
    }
    return text;
}

class Closed : public Attack {
 protected:
    // The image after `words`, and after the same with descriptors closed.
    static void expect_same(const std::vector<std::string>& words, const std::string& image,
                            const std::string& bytes, bool has_results) {
        write_file(image, bytes);
        EXPECT_EQ(run(words).status, 0);
        const std::string wanted = read_file(image);
        for (const auto& closed : kClosed) {
            SCOPED_TRACE(shown(closed));
            write_file(image, bytes);
            const Outcome outcome = run(words, {.closed = closed});
            EXPECT_TRUE(read_file(image) == wanted);
            EXPECT_EQ(outcome.status, has_results && has(closed, kOut) ? 3 : 0);
        }
    }
};

// Its warning went over the first bytes of the image, which had become descriptor 2.
TEST_F(Closed, AWarningDoesNotGoIntoTheImage) {
    expect_same({"policy", "--elapsed", "--now", "@1", "t.img"}, "t.img",
                image_bytes("holder_breaker.img"), false);
}

TEST_F(Closed, AReportDoesNotGoIntoTheImage) {
    expect_same({"policy", "--set", "3", "t.img"}, "t.img", image_bytes("holder_breaker.img"),
                false);
}

// And its JSON, which had become descriptor 1, and goes out in front of the warning. What was
// changed stays changed.
TEST_F(Closed, JsonDoesNotGoIntoTheImage) {
    expect_same({"policy", "--json", "--elapsed", "--now", "@1", "t.img"}, "t.img",
                image_bytes("holder_breaker.img"), true);
    expect_same({"policy", "--json", "--set", "3", "t.img"}, "t.img",
                image_bytes("holder_breaker.img"), true);
}

TEST_F(Closed, NorIntoAnArchive) {
    shell("cp -r admin captured && cp captured/job.img captured/ckpt-lease.img");
    shell("tar -C captured -cf captured.tar inventory.img filelocks.img ckpt-lease.img");
    for (const std::vector<std::string>& policy :
         {std::vector<std::string>{"--elapsed", "--now", "@1"}, {"--set", "3"}}) {
        std::vector<std::string> words{"policy", "t.tar"};
        words.insert(words.end(), policy.begin(), policy.end());
        expect_same(words, "t.tar", read_file("captured.tar"), false);
        words.emplace_back("--json");
        expect_same(words, "t.tar", read_file("captured.tar"), true);
    }
    expect_same({"policy", "--json", "--favor-breaker", "t.tar"}, "t.tar",
                read_file("admin/job.tar"), true);
}

TEST_F(Closed, MessagesAreLost) {
    const Outcome outcome = run({"show", "nothing.img"}, {.closed = {kErr}});
    EXPECT_EQ(outcome.status, 3);
    EXPECT_EQ(outcome.out + outcome.err, "");
}

TEST_F(Closed, ResultsAreAnError) {
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"show", "admin/job.img"},
          {"--help"},
          {"--version"},
          {"policy", "--set", "1", "-o", "-", "admin/job.img"}}) {
        const Outcome outcome = run(words, {.closed = {kOut}});
        EXPECT_EQ(outcome.status, 3) << words[0];
        EXPECT_NE(
            outcome.err.find("ckpt-lease: standard output: cannot write: Bad file descriptor\n"),
            std::string::npos)
            << outcome.err;
    }
}

TEST_F(Closed, AnInputThatIsNotThereIsAnError) {
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"show", "-"}, {"policy", "--set", "1", "-"}}) {
        const Outcome outcome = run(words, {.closed = {kIn}});
        EXPECT_EQ(outcome.status, 3) << words[0];
        EXPECT_EQ(outcome.out, "");
        EXPECT_NE(outcome.err.find("cannot read: Bad file descriptor"), std::string::npos)
            << outcome.err;
    }
}

}  // namespace
}  // namespace attack
