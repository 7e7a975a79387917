// SPDX-License-Identifier: GPL-2.0-or-later
// Hints can be followed: with the command that gives them, of the subject that it is about.
#include <cstdlib>

#include "support.hpp"
#include "support/fed_pipe.hpp"

namespace e2e {
namespace {

namespace fs = std::filesystem;

class Hints : public Test {
 protected:
    Hints() { copy("holder_breaker"); }

    static test_support::FedPipe fed_pipe() { return {"pipe", read_file("holder_breaker.img")}; }
};

TEST_F(Hints, OfAPipeThatHasAName) {
    const test_support::FedPipe pipe = fed_pipe();
    const Result edit = run({"edit", "pipe", "--index", "0", "--remaining", "30"});
    EXPECT_EQ(edit.status, 3);
    EXPECT_EQ(edit.err,
              "ckpt-lease: pipe: only regular files can be rewritten by name (save the image and "
              "give its name; rewrite it on its way with policy -o OUT)\n");
    const Result elsewhere =
        run({"edit", "pipe", "--index", "0", "--remaining", "30", "-o", "out.img"});
    EXPECT_EQ(elsewhere.status, 2);
    EXPECT_EQ(elsewhere.err,
              "ckpt-lease: pipe: what comes through a pipe is read only once, and this needs to be "
              "read again (save the image and give its name)\n");
}

TEST_F(Hints, APipeThatHasANameIsNoTroubleIfItIsNotRewritten) {
    {
        const test_support::FedPipe pipe = fed_pipe();
        const Result dry = run({"policy", "--set", "7", "-n", "--json", "pipe"});
        EXPECT_EQ(dry.status, 0) << dry.err;
        const Json image = parse_valid("policy", dry.out)["images"][0];
        EXPECT_EQ(image["path"], "pipe");
        EXPECT_EQ(image["changed"], 1);
    }
    const test_support::FedPipe pipe = fed_pipe();
    EXPECT_EQ(run({"policy", "--set", "7", "-o", "out.img", "pipe"}).status, 0);
    EXPECT_EQ(run({"policy", "--set", "7", "holder_breaker.img"}).status, 0);
    EXPECT_EQ(read_file("out.img"), read_file("holder_breaker.img"));
}

TEST_F(Hints, OfAFolderThatKeepsNoFilesWithoutNames) {
    ASSERT_EQ(std::system("tar -czf job.tar.gz -C " SOURCE_ROOT "/tests/images criu-4.2"), 0);
    ASSERT_EQ(setenv("TMPDIR", "/proc", 1), 0);
    const Result result = run({"policy", "--favor-breaker", "-"}, read_file("job.tar.gz"));
    ASSERT_EQ(unsetenv("TMPDIR"), 0);
    EXPECT_EQ(result.status, 3);
    EXPECT_EQ(
        result.err,
        "ckpt-lease: /proc: cannot open: Operation not supported (an archive from a pipe is "
        "kept in $TMPDIR, or /var/tmp, while it is rewritten: name another folder there, with "
        "room for it)\n");
}

TEST_F(Hints, OfAnUndoFileThatCannotBeMade) {
    const std::string before = read_file("holder_breaker.img");
    const Result result =
        run({"policy", "--set", "2", "--undo-file", "/sys/u", "holder_breaker.img"});
    EXPECT_EQ(result.status, 3);
    EXPECT_EQ(
        result.err,
        "ckpt-lease: /sys/u: cannot create a file beside it: Permission denied (run as a user "
        "who may, or keep the undo file in another folder)\n");
    EXPECT_EQ(read_file("holder_breaker.img"), before);
}

// Once that was said to be a folder without a checkpoint.
TEST_F(Hints, OfAFolderThatCannotBeLookedInto) {
    fs::copy(fs::path(SOURCE_ROOT) / "tests/images/criu-4.2", "img");
    const int status =
        std::system("(ulimit -n 6; exec " CKPT_LEASE_PROGRAM " show img) >out 2>err");
    EXPECT_EQ(WEXITSTATUS(status), 3);
    EXPECT_EQ(read_file("out"), "");
    EXPECT_NE(read_file("err").find("Too many open files"), std::string::npos) << read_file("err");
}

TEST_F(Hints, UndoAndRecoverHaveNoOtherOutput) {
    EXPECT_EQ(run({"policy", "--set", "7", "--undo-file", "u", "holder_breaker.img"}).status, 0);
    fs::create_hard_link("holder_breaker.img", "other");
    const Result result = run({"undo", "u"});
    EXPECT_EQ(result.status, 3);
    EXPECT_EQ(result.err.find(" -o"), std::string::npos) << result.err;
    EXPECT_NE(result.err.find("has several names (hard links)"), std::string::npos) << result.err;
}

TEST_F(Hints, OfAReportThatCannotBeWritten) {
    const std::string full =
        "ckpt-lease: standard output: cannot write: No space left on device (free some space";
    for (const char* const command : {"show", "verify", "records"}) {
        const Result result = run_to("/dev/full", {command, "holder_breaker.img"});
        EXPECT_EQ(result.status, 3);
        EXPECT_EQ(result.err, full + ")\n");
    }
    const Result dry =
        run_to("/dev/full", {"policy", "--set", "7", "-n", "--json", "holder_breaker.img"});
    EXPECT_EQ(dry.err, full + ")\n");
    const Result result =
        run_to("/dev/full", {"policy", "--set", "7", "--json", "holder_breaker.img"});
    EXPECT_EQ(result.status, 3);
    EXPECT_EQ(result.err, full + "; only the report is lost: holder_breaker.img was changed)\n");
    EXPECT_NE(read_file("holder_breaker.img"), image_bytes("holder_breaker"));
}

// It fails again and again, in the middle of images that have nothing to do with it.
TEST_F(Hints, OfALongReportThatCannotBeWrittenIsToldOnce) {
    for (const char* const form : {"--json", "--all"}) {
        std::vector<std::string> words{"show", form};
        words.insert(words.end(), 400, "holder_breaker.img");
        const Result result = run_to("/dev/full", words);
        EXPECT_EQ(result.status, 3);
        EXPECT_EQ(result.err,
                  "ckpt-lease: standard output: cannot write: No space left on device (free some "
                  "space)\n");
    }
}

TEST_F(Hints, OfAReportThatCannotBeWrittenSayWhatWasChanged) {
    const auto full = [](std::vector<std::string> words) {
        words.emplace_back("--json");
        const Result result = run_to("/dev/full", words);
        EXPECT_EQ(result.status, 3);
        const std::size_t begin = result.err.find("only the report is lost: ");
        return begin == std::string::npos ? "" : result.err.substr(begin + 25);
    };
    const std::string image = "holder_breaker.img";
    fs::copy_file(image, "other.img");
    write_file("cut.img", read_file(image).substr(0, 100));
    EXPECT_EQ(full({"policy", "--set", "7", image, "cut.img"}), image + " was changed)\n");
    EXPECT_EQ(full({"policy", "--set", "8", image, "other.img"}),
              "other.img was changed, and 1 before it)\n");
    EXPECT_EQ(full({"policy", "--keep", image}), "") << "nothing was";
    EXPECT_EQ(full({"policy", "--set", "9", "-o", "out.img", image}), "out.img was written)\n");
    EXPECT_EQ(full({"edit", "--index", "0", "--remaining", "3", "--undo-file", "undo", image}),
              image + " was changed)\n");
    EXPECT_EQ(full({"undo", "undo"}), (fs::current_path() / image).string() + " was changed)\n");
    EXPECT_EQ(full({"undo", "undo"}), "") << "it is as before already";
}

// diff(1) has no other status for trouble.
TEST_F(Hints, DiffEndsWithTwoWhereItsOutputIsLost) {
    copy("no_deadline");
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"diff", "holder_breaker.img", "no_deadline.img"},
          {"diff", "--json", "holder_breaker.img", "no_deadline.img"}}) {
        const Result result = run_to("/dev/full", words);
        EXPECT_EQ(result.status, 2);
        EXPECT_NE(result.err.find("No space left on device"), std::string::npos) << result.err;
    }
}

TEST_F(Hints, WithoutCapturedLeasesThereAreNoRecords) {
    fs::copy(fs::path(SOURCE_ROOT) / "tests/images/criu-4.2", "bare");
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"records", "bare"},
          {"edit", "bare", "--index", "0", "--notified", "no"}}) {
        const Result result = run(words);
        EXPECT_EQ(result.status, 2);
        EXPECT_EQ(result.err,
                  "ckpt-lease: bare: no leases were captured with this checkpoint: there is no "
                  "ckpt-lease.img (dump with the plugin or the action script that 'ckpt-lease "
                  "criu-hook --check' looks for; without them there are policy --favor-holder and "
                  "--favor-breaker)\n");
    }
}

TEST_F(Hints, OfWhatCannotBeOpenedNoFormatIsKnown) {
    const Result result = run({"show", "--json", "nothing.img"});
    EXPECT_EQ(result.status, 3);
    const Json image = parse_valid("show", result.out)["images"][0];
    EXPECT_TRUE(image["format"].is_null());
    EXPECT_TRUE(image["layout"].is_null());
    EXPECT_TRUE(image["complete"].is_null());
    EXPECT_EQ(image["error"], "cannot open: No such file or directory");
}

}  // namespace
}  // namespace e2e
