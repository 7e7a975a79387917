// SPDX-License-Identifier: GPL-2.0-or-later
// Live processes and CRIU's action script, from the command line.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "ckpt-lease/rewrite/image_file.hpp"
#include "support.hpp"
#include "support/criu_images.hpp"

namespace e2e {
namespace {

namespace fs = std::filesystem;

// A process that holds a write lease on a file through descriptor 7.
class LeaseHolder {
 public:
    explicit LeaseHolder(const std::string& path) {
        write_file(path, "data");
        int ready[2];
        EXPECT_EQ(pipe(ready), 0);
        pid_ = fork();
        if (pid_ == 0) {
            std::signal(SIGIO, SIG_IGN);
            const int fd = open(path.c_str(), O_RDONLY);
            dup2(fd, 7);
            close(fd);
            const bool held = fcntl(7, F_SETLEASE, F_WRLCK) == 0;
            static_cast<void>(!write(ready[1], held ? "y" : "n", 1));
            while (true) {
                pause();
            }
        }
        char held = 0;
        EXPECT_EQ(read(ready[0], &held, 1), 1);
        EXPECT_EQ(held, 'y');
        close(ready[0]);
        close(ready[1]);
    }
    LeaseHolder(const LeaseHolder&) = delete;
    LeaseHolder& operator=(const LeaseHolder&) = delete;
    ~LeaseHolder() {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    [[nodiscard]] std::string pid() const { return std::to_string(pid_); }

 private:
    pid_t pid_ = -1;
};

class Live : public Test {
 protected:
    void SetUp() override {
        if (geteuid() == 0) {
            return;
        }
        const char* const ci = std::getenv("CI");
        if (ci != nullptr && std::string(ci) == "true") {
            FAIL() << "in CI this has to run: it needs root";
        }
        GTEST_SKIP() << "NOT TESTED, live processes: it needs root";
    }
};

TEST_F(Live, ShowTellsOfALiveProcess) {
    const LeaseHolder holder("held");
    const Result table = run({"show", "--pid", holder.pid()});
    EXPECT_EQ(table.status, 0);
    EXPECT_EQ(table.err, "");
    EXPECT_EQ(table.out.find("process " + holder.pid() + ": live, "), 0U);
    EXPECT_NE(table.out.find("BREAKER"), std::string::npos);
    const Json json = parse_valid("show", run({"show", "--json", "--pid", holder.pid()}).out);
    const Json& image = json["images"][0];
    EXPECT_EQ(image["format"], "live");
    EXPECT_EQ(image["complete"], nullptr);
    ASSERT_EQ(image["leases"].size(), 1U);
    const Json& lease = image["leases"][0];
    EXPECT_EQ(lease["fd"], 7);
    EXPECT_EQ(lease["path"], (fs::current_path() / "held").string());
    EXPECT_EQ(lease["state"], "held");
    EXPECT_EQ(lease["type"], "F_WRLCK");
    EXPECT_EQ(lease["owner"]["id"], std::stoi(holder.pid()));
    EXPECT_EQ(lease["breakers"], Json::array());
}

TEST_F(Live, ShowNeedsAnImageOrAProcess) {
    const Result result = run({"show"});
    EXPECT_EQ(result.status, 2);
    EXPECT_EQ(result.err,
              "ckpt-lease: neither an image nor a process is given (give IMAGE, or --pid N for a "
              "live process)\n");
}

TEST_F(Live, WhatIsCapturedIsAnImage) {
    const LeaseHolder holder("held");
    EXPECT_EQ(run({"capture", "--pid", holder.pid(), "-o", "leases.img"}).status, 0);
    EXPECT_EQ(fs::status("leases.img").permissions(),
              fs::perms::owner_read | fs::perms::owner_write);
    EXPECT_EQ(run({"verify", "leases.img"}).status, 0);
    const Json json = parse_valid("show", run({"show", "--json", "leases.img"}).out);
    EXPECT_EQ(json["images"][0]["leases"][0]["tasks"][0]["pid"], std::stoi(holder.pid()));
    const Result piped = run({"capture", "--pid", holder.pid(), "-o", "-"});
    EXPECT_EQ(run({"show", "-"}, piped.out).status, 0);
}

TEST_F(Live, AProcessThatIsNotThere) {
    const Result result = run({"capture", "--pid", "99999999", "-o", "leases.img"});
    EXPECT_EQ(result.status, 3);
    EXPECT_EQ(files(), std::vector<std::string>());
    EXPECT_EQ(result.err, "ckpt-lease: process 99999999: there is no such process\n");
    const Result shown = run({"show", "--pid", "99999999", "--json"});
    EXPECT_EQ(shown.status, 3);
    EXPECT_EQ(parse_valid("show", shown.out)["images"][0]["error"], "there is no such process");
}

TEST_F(Live, ALeaseOfAnotherFileIsLeftAlone) {
    const LeaseHolder holder("held");
    const LeaseHolder stranger("other");
    EXPECT_EQ(run({"capture", "--pid", holder.pid(), "-o", "leases.img"}).status, 0);
    const Result result = run({"apply", "--json", "--pid", stranger.pid(), "leases.img"});
    EXPECT_EQ(result.status, 5);
    const Json json = parse_valid("apply", result.out);
    EXPECT_EQ(json["leases"][0]["result"], "skipped");
    EXPECT_EQ(run({"apply", "--any-path", "--pid", stranger.pid(), "leases.img"}).status, 0);
}

TEST_F(Live, ApplySetsWhatWasCaptured) {
    const LeaseHolder holder("held");
    EXPECT_EQ(run({"capture", "--pid", holder.pid(), "-o", "leases.img"}).status, 0);
    const Result dry = run({"apply", "--dry-run", "leases.img"});
    EXPECT_EQ(dry.status, 0);
    EXPECT_NE(dry.out.find("would be set"), std::string::npos) << dry.out;
    const Result done = run({"apply", "--json", "--pid", holder.pid(), "leases.img"});
    EXPECT_EQ(done.status, 0) << done.err;
    const Json json = parse_valid("apply", done.out);
    EXPECT_EQ(json["leases"][0]["result"], "set");
    EXPECT_EQ(json["leases"][0]["pid"], std::stoi(holder.pid()));
}

TEST_F(Live, ALeaseWithoutItsProcessIsSkipped) {
    {
        const LeaseHolder holder("held");
        EXPECT_EQ(run({"capture", "--pid", holder.pid(), "-o", "leases.img"}).status, 0);
    }
    const Result result = run({"apply", "--json", "leases.img"});
    EXPECT_EQ(result.status, 5);
    const Json json = parse_valid("apply", result.out);
    EXPECT_EQ(json["leases"][0]["result"], "skipped");
    EXPECT_EQ(json["leases"][0]["pid"], nullptr);
}

// The hook's environment is CRIU's.
class Hook : public Live {
 protected:
    void SetUp() override {
        Live::SetUp();
        fs::create_directory("img");
        fs::copy(fs::path(SOURCE_ROOT) / "tests/images/criu-4.2/inventory.img", "img");
    }
    void TearDown() override {
        for (const char* const name :
             {"CRTOOLS_SCRIPT_ACTION", "CRTOOLS_IMAGE_DIR", "CRTOOLS_INIT_PID", "CKPT_LEASE_STRICT",
              "CKPT_LEASE_CRIU_PID"}) {
            unsetenv(name);
        }
    }
    static Result hook(const char* stage, const std::string& pid) {
        setenv("CRTOOLS_SCRIPT_ACTION", stage, 1);
        setenv("CRTOOLS_IMAGE_DIR", (fs::current_path() / "img").c_str(), 1);
        setenv("CRTOOLS_INIT_PID", pid.c_str(), 1);
        return run({"criu-hook"});
    }
    static std::string log() { return read_file("img/ckpt-lease.log"); }
};

TEST_F(Hook, IsStartedByCriu) {
    const Result result = run({"criu-hook"});
    EXPECT_EQ(result.status, 2);
    EXPECT_EQ(result.err,
              "ckpt-lease: CRTOOLS_SCRIPT_ACTION is not set: criu starts this command (criu dump "
              "... --action-script ckpt-lease-criu-hook)\n");
}

TEST_F(Hook, NeedsToKnowTheFolder) {
    setenv("CRTOOLS_SCRIPT_ACTION", "post-dump", 1);
    const Result result = run({"criu-hook"});
    EXPECT_EQ(result.status, 2);
    EXPECT_EQ(result.err,
              "ckpt-lease: CRTOOLS_IMAGE_DIR is not set: criu starts this command (criu dump ... "
              "--action-script ckpt-lease-criu-hook)\n");
}

TEST_F(Hook, OtherStagesAreNotItsBusiness) {
    for (const char* const stage : {"pre-dump", "network-lock", "post-restore", "post-resume"}) {
        EXPECT_EQ(hook(stage, "1").status, 0);
    }
    EXPECT_FALSE(fs::exists("img/ckpt-lease.log"));
}

TEST_F(Hook, CapturesAndSets) {
    const LeaseHolder holder("held");
    EXPECT_EQ(hook("post-dump", holder.pid()).status, 0);
    EXPECT_TRUE(fs::exists("img/ckpt-lease.img")) << log();
    const Json json = parse_valid("show", run({"show", "--json", "img/ckpt-lease.img"}).out);
    EXPECT_EQ(json["images"][0]["leases"].size(), 1U);
    EXPECT_EQ(hook("pre-resume", holder.pid()).status, 0);
    EXPECT_NE(log().find("lease 0 is set"), std::string::npos) << log();
}

TEST_F(Hook, FailsOnlyWhenToldTo) {
    EXPECT_EQ(hook("post-dump", "99999999").status, 0);
    EXPECT_NE(log().find("error: post-dump: process 99999999: there is no such process"),
              std::string::npos)
        << log();
    setenv("CKPT_LEASE_STRICT", "1", 1);
    EXPECT_EQ(hook("post-dump", "99999999").status, 3);
}

TEST_F(Hook, WithoutWhatWasCapturedThereIsNothingToDo) {
    EXPECT_EQ(hook("pre-resume", std::to_string(getpid())).status, 0);
    EXPECT_NE(log().find("there is no ckpt-lease.img"), std::string::npos) << log();
}

// CRIU goes on whatever pre-resume comes to, and gives up if post-restore fails.
TEST_F(Hook, ARestoreFailsOnlyWhenToldTo) {
    const LeaseHolder holder("held");
    EXPECT_EQ(hook("post-dump", holder.pid()).status, 0);
    fs::resize_file("img/ckpt-lease.img", 700);
    EXPECT_EQ(hook("post-restore", holder.pid()).status, 0);
    EXPECT_EQ(hook("pre-resume", holder.pid()).status, 0);
    setenv("CKPT_LEASE_STRICT", "1", 1);
    EXPECT_EQ(hook("post-restore", holder.pid()).status, 3);
    fs::remove("img/ckpt-lease.img");
    EXPECT_EQ(hook("post-restore", holder.pid()).status, 5);
    EXPECT_EQ(hook("post-dump", holder.pid()).status, 0);
    EXPECT_EQ(hook("post-restore", holder.pid()).status, 0);
    EXPECT_NE(log().find("lease 0 can be set"), std::string::npos) << log();
    EXPECT_EQ(log().find("lease 0 is set"), std::string::npos) << log();
}

TEST_F(Hook, WhatAnEarlierDumpHasLeftIsNotUsed) {
    const LeaseHolder holder("held");
    EXPECT_EQ(hook("post-dump", holder.pid()).status, 0);
    // Field 8, dump_uptime, once more: as another dump would write it.
    write_file("img/inventory.img", read_file("img/inventory.img") + std::string("\x40\x01", 2));
    const std::string message =
        "img/ckpt-lease.img: these leases were captured with another dump than the one that is "
        "here (remove it: this one was dumped without --action-script ckpt-lease-criu-hook)\n";
    EXPECT_EQ(hook("pre-resume", holder.pid()).status, 0);
    EXPECT_NE(log().find(message), std::string::npos) << log();
    EXPECT_EQ(log().find("lease 0 is set"), std::string::npos) << log();
    for (const std::vector<std::string>& words : {std::vector<std::string>{"show", "img"},
                                                  {"policy", "--set", "5", "img"},
                                                  {"verify", "img"}}) {
        const Result result = run(words);
        EXPECT_EQ(result.status, 2);
        EXPECT_EQ(result.err, "ckpt-lease: " + message);
    }
    EXPECT_EQ(hook("post-dump", "99999999").status, 0);
    EXPECT_FALSE(fs::exists("img/ckpt-lease.img"));
}

TEST_F(Hook, AJournalThatAnEarlierPolicyHasLeftIsInNobodysWay) {
    const LeaseHolder holder("held");
    write_file(ckpt_lease::journal_path("img/ckpt-lease.img"), "of a policy that was killed");
    EXPECT_EQ(hook("post-dump", holder.pid()).status, 0);
    EXPECT_TRUE(fs::exists("img/ckpt-lease.img")) << log();
}

TEST_F(Hook, AnImageThatIsNoFileIsNotWaitedFor) {
    ASSERT_EQ(mkfifo("img/ckpt-lease.img", 0600), 0);
    EXPECT_EQ(hook("pre-resume", std::to_string(getpid())).status, 0);
    EXPECT_NE(log().find("img/ckpt-lease.img: this is no regular file"), std::string::npos)
        << log();
}

// CRIU found it being broken, and then it ended: it must not be broken again.
TEST_F(Hook, ALeaseThatEndedDuringTheDumpIsNotRestored) {
    namespace criu = test_support::criu;
    const LeaseHolder holder("held");
    const std::string gone = criu::lock_entry(8, 6, std::stoi(holder.pid()), 8);
    const std::string stranger = criu::lock_entry(8, 6, 1, 8);
    write_file("img/filelocks.img", criu::kLocksHead + gone + stranger);
    EXPECT_EQ(hook("post-dump", holder.pid()).status, 0);
    EXPECT_TRUE(read_file("img/filelocks.img") == criu::kLocksHead + stranger) << log();
}

// Its holder was signalled before the dump, and would keep it for ever.
TEST_F(Hook, ABreakThatCannotBeSetBecomesAnOrdinaryOne) {
    const LeaseHolder holder("held");
    ASSERT_LT(open("held", O_WRONLY | O_NONBLOCK), 0);
    EXPECT_EQ(hook("post-dump", holder.pid()).status, 0);
    fs::rename("held", "moved");  // so that the path is not what was captured
    EXPECT_EQ(hook("pre-resume", holder.pid()).status, 0);
    EXPECT_NE(log().find("error: lease 0 is not set: "), std::string::npos) << log();
    EXPECT_NE(log().find("warning: lease 0: an ordinary break was begun instead, as criu would "
                         "have done\n"),
              std::string::npos)
        << log();
    setenv("CKPT_LEASE_STRICT", "1", 1);
    EXPECT_EQ(hook("pre-resume", holder.pid()).status, 5);
}

TEST_F(Hook, TheLogIsAFileOfThatNameAndNothingElse) {
    write_file("other", "mine");
    fs::create_symlink("../other", "img/ckpt-lease.log");
    const Result linked = hook("pre-resume", "1");
    EXPECT_EQ(linked.status, 0);
    EXPECT_NE(linked.err.find("img/ckpt-lease.log cannot be written, or is no file"),
              std::string::npos)
        << linked.err;
    EXPECT_NE(linked.err.find("there is no ckpt-lease.img"), std::string::npos) << linked.err;
    EXPECT_EQ(read_file("other"), "mine");
    fs::remove("img/ckpt-lease.log");
    ASSERT_EQ(mkfifo("img/ckpt-lease.log", 0600), 0);
    EXPECT_NE(hook("pre-resume", "1").err.find("or is no file"), std::string::npos);
}

// Of a program beside it that is killed.
TEST_F(Hook, TheScriptFailsOnlyWhenToldTo) {
    fs::create_directory("bin");
    fs::copy(fs::path(SOURCE_ROOT) / "scripts/ckpt-lease-criu-hook", "bin");
    fs::create_symlink("bin/ckpt-lease-criu-hook", "link");
    write_file("bin/ckpt-lease", "#!/bin/sh\necho \"$1 $CKPT_LEASE_CRIU_PID\" >said\nkill -9 $$\n");
    fs::permissions("bin/ckpt-lease", fs::perms::owner_all);
    EXPECT_EQ(std::system("./link 2>/dev/null"), 0);
    EXPECT_NE(std::system("CKPT_LEASE_STRICT=1 ./link 2>/dev/null"), 0);
    EXPECT_EQ(read_file("said").rfind("criu-hook ", 0), 0U);
}

// Of no_deadline.img, as `capture` would leave it where it may not look into a lease.
class NotKnown : public Test {
 protected:
    NotKnown() {
        const Json truth = image_truth("no_deadline");
        std::string bytes = image_bytes("no_deadline");
        for (const Json& lease : truth) {
            if (lease["no_deadline"] == true) {
                put(bytes, lease["offset"].get<std::size_t>() + kRemLease, 4, 0xfffffffe, false);
            }
        }
        write_file("a.img", bytes);
    }
};

TEST_F(NotKnown, IsShown) {
    EXPECT_NE(run({"show", "a.img"}).out.find("not known"), std::string::npos);
    const Json json = parse_valid("show", run({"show", "--json", "a.img"}).out);
    EXPECT_EQ(json["images"][0]["leases"][0]["not_known"], true);
    EXPECT_EQ(run({"verify", "a.img"}).status, 1);
}

TEST_F(NotKnown, HasToBeSet) {
    const std::string before = read_file("a.img");
    const Result add = run({"policy", "--add", "5", "a.img"});
    EXPECT_EQ(add.status, 2);
    EXPECT_NE(add.err.find("the remaining lease is not known"), std::string::npos) << add.err;
    EXPECT_EQ(read_file("a.img"), before);
    EXPECT_EQ(run({"policy", "--set", "5", "a.img"}).status, 0);
    EXPECT_EQ(run({"verify", "a.img"}).status, 0);
}

}  // namespace
}  // namespace e2e
