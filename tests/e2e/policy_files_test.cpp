// SPDX-License-Identifier: GPL-2.0-or-later
// The files that policy writes: which are left alone, replaced, or written into.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "support.hpp"

namespace e2e {
namespace {

class PolicyFiles : public Test {};

TEST_F(PolicyFiles, DoesNotTouchAnImageThatIsAsItShouldBe) {
    const std::string name = copy("holder_breaker");
    struct stat before {};
    struct stat after {};
    stat(name.c_str(), &before);
    EXPECT_EQ(run({"policy", "--set", "5.25", name}).status, 0);
    stat(name.c_str(), &after);
    EXPECT_EQ(before.st_ino, after.st_ino);
    EXPECT_EQ(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}

TEST_F(PolicyFiles, KeepsTheModeAndTheLinkThatTheImageIsReachedBy) {
    const std::string name = copy("holder_breaker");
    chmod(name.c_str(), 0640);
    std::filesystem::create_symlink(name, "link.img");
    EXPECT_EQ(run({"policy", "--favor-breaker", "link.img"}).status, 0);
    EXPECT_TRUE(std::filesystem::is_symlink("link.img"));
    struct stat status {};
    stat(name.c_str(), &status);
    EXPECT_EQ(status.st_mode & 07777, 0640U);
    EXPECT_EQ(files(), (std::vector<std::string>{"holder_breaker.img", "link.img"}));
}

TEST_F(PolicyFiles, LeavesTheModeOfAFileThatItReplaces) {
    const std::string name = copy("holder_breaker");
    write_file("old.img", "old");
    chmod("old.img", 0664);
    EXPECT_EQ(
        run({"policy", "--set", "1", "-o", "old.img", "-"}, image_bytes("holder_breaker")).status,
        0);
    struct stat status {};
    stat("old.img", &status);
    EXPECT_EQ(status.st_mode & 07777, 0664U);
    EXPECT_EQ(
        run({"policy", "--set", "1", "-o", "new.img", "-"}, image_bytes("holder_breaker")).status,
        0);
    stat("new.img", &status);
    EXPECT_EQ(status.st_mode & 07777, 0600U) << "an image holds the memory of processes";
}

TEST_F(PolicyFiles, ASignalEndsTheWorkAndLeavesNothingBehind) {
    const std::string half = image_bytes("holder_breaker").substr(0, 5000);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        const Result result =
            run_and_signal({"policy", "--set", "1", "-o", "out.img", "-"}, half, signal);
        EXPECT_EQ(result.status, 128 + signal);
        EXPECT_TRUE(
            result.err.ends_with("ckpt-lease: standard input: stopped; nothing was changed\n"))
            << result.err;
        EXPECT_EQ(files(), std::vector<std::string>());
    }
}

TEST_F(PolicyFiles, WritesIntoADeviceAndNotOverIt) {
    const Result result =
        run({"policy", "--favor-breaker", "-o", "/dev/full", copy("holder_breaker")});
    EXPECT_EQ(result.status, 3);
    EXPECT_NE(result.err.find("No space left on device"), std::string::npos);
    EXPECT_TRUE(std::filesystem::is_character_file("/dev/full"));
}

TEST_F(PolicyFiles, RefusesToWriteTheImageOverItself) {
    const std::string name = copy("holder_breaker");
    const int fd = open(name.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
    const Result result = run_to_fd(fd, {"policy", "--set", "3", "-o", "-", name});
    close(fd);
    EXPECT_EQ(result.status, 2);
    EXPECT_EQ(result.err,
              "ckpt-lease: holder_breaker.img: the image is the output too (open it by its name to "
              "rewrite it in place)\n");
    EXPECT_EQ(read_file(name), image_bytes("holder_breaker"));
}

TEST_F(PolicyFiles, DoesNotReplaceALinkThatLeadsNowhere) {
    std::filesystem::create_symlink("nowhere.img", "dangling.img");
    const Result result =
        run({"policy", "--set", "3", "-o", "dangling.img", copy("holder_breaker")});
    EXPECT_EQ(result.status, 3);
    EXPECT_EQ(result.err,
              "ckpt-lease: dangling.img: this is a symbolic link that leads nowhere (remove it, or "
              "name the file that it should lead to)\n");
    EXPECT_TRUE(std::filesystem::is_symlink("dangling.img"));
}

TEST_F(PolicyFiles, SaysThatHalfAStreamIsNoImage) {
    const Result result = run({"policy", "--set", "3", "-"}, image_bytes("bad_truncated"));
    EXPECT_EQ(result.status, 1);
    EXPECT_NE(result.err.find("what was passed on is no whole image: throw it away"),
              std::string::npos)
        << result.err;
}

TEST_F(PolicyFiles, SaysThatNothingWasPassedOn) {
    const Result result = run({"policy", "--set", "3", "-"}, "");
    EXPECT_EQ(result.status, 1);
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(result.err,
              "ckpt-lease: standard input: offset 0: the file is empty (an image begins with a "
              "HEADER record: its type, 1, in 4 bytes; nothing was passed on)\n");
}

TEST_F(PolicyFiles, SpeaksOfLeaseBreakTimeOnlyWhereItWasUsed) {
    const std::string name = copy("holder_breaker");
    const auto first_line = [](const Result& result) {
        return result.err.substr(0, result.err.find('\n'));
    };
    const std::string used =
        name + ": --favor-holder, lease-break-time 45s (as given), dry run: nothing is written";
    const std::vector<std::string> call{"policy", "-n", "--favor-holder", "--lease-break-time",
                                        "45",     name};
    EXPECT_EQ(first_line(run(call)), used);
    std::vector<std::string> filtered = call;
    filtered.insert(filtered.end(), {"--fd", "99"});
    EXPECT_EQ(first_line(run(filtered)), name + ": --favor-holder, dry run: nothing is written");
    write_file("rules.json", R"({"rules": [
        {"match": {"fd": 99}, "policy": {"favor-holder": true}}], "default": {"add": 5}})");
    EXPECT_EQ(first_line(run({"policy", "-n", "--rules", "rules.json", name})),
              name + ": --rules rules.json, dry run: nothing is written");
}

TEST_F(PolicyFiles, BreakingAndHeldAreFilters) {
    const std::string name = copy("holder_breaker");
    const Result held = run({"policy", "--set", "1", "--held", "--require-match", name});
    EXPECT_EQ(held.status, 4) << "no policy changes a lease that is held";
    write_file("rules.json", R"({"rules": [
        {"match": {"state": "held"}, "policy": {"set": 1}},
        {"match": {"state": "breaking"}, "policy": {"set": 9}}]})");
    EXPECT_EQ(run({"policy", "--rules", "rules.json", "--held", name}).status, 0);
    EXPECT_EQ(read_file(name), image_bytes("holder_breaker"));
    EXPECT_EQ(run({"policy", "--rules", "rules.json", "--breaking", name}).status, 0);
    EXPECT_EQ(run({"show", "-nr", "--columns", "idx,remaining", name}).out, "0 9s\n1 -\n");
}

}  // namespace
}  // namespace e2e
