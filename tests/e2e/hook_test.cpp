// SPDX-License-Identifier: GPL-2.0-or-later
// `ckpt-lease criu-hook`, at each of CRIU's stages.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>

#include "live_support.hpp"
#include "rewrite/image_file.hpp"
#include "support/criu_images.hpp"

namespace e2e {
namespace {

namespace fs = std::filesystem;

// The hook's environment is CRIU's.
class Hook : public Live {
 protected:
    void SetUp() override {
        Live::SetUp();
        fs::create_directory("img");
        write_file("img/inventory.img", test_support::criu::inventory(kUptime, ""));
    }
    // CRIU's images are those of another dump now.
    static void dump_again() {
        write_file("img/inventory.img", test_support::criu::inventory(kUptime + 10'000, ""));
    }
    void TearDown() override {
        for (const char* const name :
             {"CRTOOLS_SCRIPT_ACTION", "CRTOOLS_IMAGE_DIR", "CRTOOLS_INIT_PID", "CKPT_LEASE_STRICT",
              "CKPT_LEASE_ANY_PATH", "CKPT_LEASE_CRASHED", "CKPT_LEASE_CRIU_PID",
              "CKPT_LEASE_FROZEN"}) {
            unsetenv(name);
        }
    }
    static Result hook(const char* stage, const std::string& pid) {
        setenv("CRTOOLS_SCRIPT_ACTION", stage, 1);
        setenv("CRTOOLS_IMAGE_DIR", (fs::current_path() / "img").c_str(), 1);
        setenv("CRTOOLS_INIT_PID", pid.c_str(), 1);
        return run({"criu-hook"});
    }
    static void expect_logged(const std::string& text) {
        EXPECT_NE(log().find(text), std::string::npos) << log();
    }
    // As post-dump and criu leave a write lease in the middle of its break: criu has restored it as
    // if nobody had come yet.
    static void dump_break(const LeaseHolder& holder) {
        namespace criu = test_support::criu;
        write_file("img/filelocks.img",
                   criu::kLocksHead + criu::lock_entry(8, 6, std::stoi(holder.pid()), 7));
        ASSERT_LT(open("held", O_WRONLY | O_NONBLOCK), 0);
        ASSERT_EQ(hook("post-dump", holder.pid()).status, 0);
        expect_logged("in filelocks.img, 1 lease that criu is not to break or set\n");
        holder.retake();
        ASSERT_EQ(holder.lease(), "ACTIVE WRITE");
    }
    // The break that criu would have begun itself.
    static void expect_ordinary_break(const LeaseHolder& holder) {
        expect_logged("warning: the lease of process " + holder.pid() +
                      ", descriptor 7: an ordinary break was begun instead, as criu would have "
                      "done\n");
        EXPECT_EQ(holder.lease(), "BREAKING UNLCK");
    }
    static std::string log() { return read_file("img/ckpt-lease.log"); }

    static constexpr std::uint64_t kUptime = 12'340'000;  // microseconds
};

TEST_F(Hook, IsStartedByCriu) {
    const Result result = run({"criu-hook"});
    EXPECT_EQ(result.status, 2);
    EXPECT_EQ(result.err,
              "ckpt-lease: CRTOOLS_SCRIPT_ACTION is not set: criu starts this command (criu dump "
              "... --action-script ckpt-lease-criu-hook; by hand there are --check, --install and "
              "--uninstall)\n");
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

// As on a machine where locking the network took longer than all else.
TEST_F(Hook, TimesCountFromTheMomentOfFreezing) {
    const LeaseBreakTime usual(45);
    const LeaseHolder holder("held");
    ASSERT_LT(open("held", O_WRONLY | O_NONBLOCK), 0);
    fs::rename("img/inventory.img", "inventory");
    write_file("img/ckpt-lease.frozen", "");
    usleep(300'000);
    write_file("img/inventory.img", read_file("inventory"));
    EXPECT_EQ(hook("post-dump", holder.pid()).status, 0);
    EXPECT_FALSE(fs::exists("img/ckpt-lease.frozen"));
    const Json json = parse_valid("show", run({"show", "--json", "img/ckpt-lease.img"}).out);
    const double left = json["images"][0]["leases"][0]["remaining_seconds"];
    EXPECT_GE(left, 45 - 0.05);
}

// In nanoseconds of CLOCK_MONOTONIC, from CRIU's plugin: before any file was made.
TEST_F(Hook, TimesCountFromWhatCriusPluginHasNoted) {
    const LeaseHolder holder("held");
    const double whole = std::stod(read_file("/proc/sys/fs/lease-break-time"));
    ASSERT_LT(open("held", O_WRONLY | O_NONBLOCK), 0);
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    usleep(300'000);
    write_file("img/ckpt-lease.frozen", "");
    setenv("CKPT_LEASE_FROZEN", std::to_string(now.tv_sec * 1'000'000'000LL + now.tv_nsec).c_str(),
           1);
    EXPECT_EQ(hook("post-dump", holder.pid()).status, 0);
    EXPECT_FALSE(fs::exists("img/ckpt-lease.frozen"));
    const Json json = parse_valid("show", run({"show", "--json", "img/ckpt-lease.img"}).out);
    const double left = json["images"][0]["leases"][0]["remaining_seconds"];
    EXPECT_GE(left, whole - 0.05);
}

TEST_F(Hook, WhatHasNotComeYetIsNow) {
    const LeaseHolder holder("held");
    const double whole = std::stod(read_file("/proc/sys/fs/lease-break-time"));
    ASSERT_LT(open("held", O_WRONLY | O_NONBLOCK), 0);
    setenv("CKPT_LEASE_FROZEN", "9223372036854775807", 1);
    EXPECT_EQ(hook("post-dump", holder.pid()).status, 0);
    const Json json = parse_valid("show", run({"show", "--json", "img/ckpt-lease.img"}).out);
    const double left = json["images"][0]["leases"][0]["remaining_seconds"];
    EXPECT_LE(left, whole);
}

// CRIU itself waits for it when it notes the build-id of the file.
TEST_F(Hook, SaysThatABreakHasEndedWhileCriuWasAtWork) {
    namespace criu = test_support::criu;
    const LeaseHolder holder("held", O_RDONLY, F_UNLCK);
    write_file("img/filelocks.img",
               criu::kLocksHead + criu::lock_entry(8, 6, std::stoi(holder.pid()), 7));
    EXPECT_EQ(hook("post-dump", holder.pid()).status, 0);
    EXPECT_EQ(read_file("img/filelocks.img"), criu::kLocksHead);
    expect_logged("warning: the lease of process " + holder.pid() +
                  ", descriptor 7: its break came to an end while criu was at work, which may have "
                  "waited for that to note a build-id\n");
}

// CRIU's plugin and its action script, or two configuration files that name the script.
TEST_F(Hook, WhatIsOfThisDumpIsNotCapturedAgain) {
    const LeaseHolder holder("held");
    dump_break(holder);
    const std::string captured = read_file("img/ckpt-lease.img");
    const std::string locks = read_file("img/filelocks.img");
    setenv("CKPT_LEASE_STRICT", "1", 1);
    EXPECT_EQ(hook("post-dump", holder.pid()).status, 0);
    EXPECT_EQ(read_file("img/ckpt-lease.img"), captured);
    EXPECT_EQ(read_file("img/filelocks.img"), locks);
    expect_logged("info: post-dump: ckpt-lease.img is of this dump already\n");
    dump_again();
    EXPECT_EQ(hook("post-dump", holder.pid()).status, 0);
    EXPECT_NE(read_file("img/ckpt-lease.img"), captured);
}

// Of two that are at work, the first may have been killed in between.
TEST_F(Hook, WhatWasNotDoneToItsEndIsDoneAgain) {
    const LeaseHolder holder("held");
    dump_break(holder);
    const std::string locks = read_file("img/filelocks.img");
    ASSERT_LT(open("held", O_WRONLY | O_NONBLOCK), 0);
    namespace criu = test_support::criu;
    write_file("img/filelocks.img",
               criu::kLocksHead + criu::lock_entry(8, 6, std::stoi(holder.pid()), 7));
    EXPECT_EQ(hook("post-dump", holder.pid()).status, 0);
    EXPECT_EQ(read_file("img/filelocks.img"), locks);
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
    dump_again();
    const std::string message =
        "img/ckpt-lease.img: these leases were captured with another dump than the one that is "
        "here (if this one was dumped without CRIU's action script, remove it)\n";
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
    dump_break(holder);
    fs::rename("held", "moved");  // so that the path is not what was captured
    EXPECT_EQ(hook("pre-resume", holder.pid()).status, 0);
    expect_logged("error: lease 0 is not set: ");
    expect_logged(
        "warning: lease 0: an ordinary break was begun instead, as criu would have done\n");
    EXPECT_EQ(holder.lease(), "BREAKING UNLCK");
    setenv("CKPT_LEASE_STRICT", "1", 1);
    EXPECT_EQ(hook("pre-resume", holder.pid()).status, 5);
    expect_logged("warning: lease 0: it is being broken already, with the deadline that it has\n");
}

// Where there is no lease of ours, a file is not opened: somebody else may have one.
TEST_F(Hook, NoBreakIsBegunWhereThereIsNoLease) {
    const LeaseHolder holder("held");
    dump_break(holder);
    fs::remove("img/ckpt-lease.img");
    holder.give_up();
    EXPECT_EQ(hook("pre-resume", holder.pid()).status, 0);
    expect_logged("error: the lease of process " + holder.pid() +
                  ", descriptor 7: no ordinary break can be begun either: there is no lease\n");
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

// The dump has told criu to restore a lease that is held; its holder was signalled before.
TEST_F(Hook, WhereNothingWasCapturedABreakBecomesAnOrdinaryOne) {
    const LeaseHolder holder("held");
    dump_break(holder);
    fs::remove("img/ckpt-lease.img");
    EXPECT_EQ(hook("pre-resume", holder.pid()).status, 0);
    expect_logged(
        "error: there is no ckpt-lease.img, and the dump has left a lease to it: its state is "
        "lost\n");
    expect_ordinary_break(holder);
    setenv("CKPT_LEASE_STRICT", "1", 1);
    EXPECT_EQ(hook("post-restore", holder.pid()).status, 5);
}

TEST_F(Hook, WhereTheCapturedImageIsDamagedABreakBecomesAnOrdinaryOne) {
    const LeaseHolder holder("held");
    dump_break(holder);
    fs::resize_file("img/ckpt-lease.img", 700);
    EXPECT_EQ(hook("pre-resume", holder.pid()).status, 0);
    expect_logged("error: pre-resume: ");
    expect_ordinary_break(holder);
}

TEST_F(Hook, WhereAnotherDumpWasCapturedABreakBecomesAnOrdinaryOne) {
    const LeaseHolder holder("held");
    dump_break(holder);
    dump_again();
    EXPECT_EQ(hook("pre-resume", holder.pid()).status, 0);
    expect_logged("these leases were captured with another dump");
    expect_ordinary_break(holder);
}

// ckpt-lease-criu-hook starts it once more.
TEST_F(Hook, AfterACrashABreakBecomesAnOrdinaryOne) {
    const LeaseHolder holder("held");
    dump_break(holder);
    setenv("CKPT_LEASE_CRASHED", "11", 1);
    hook("pre-resume", holder.pid());
    expect_logged("error: pre-resume: ckpt-lease was killed by signal 11\n");
    expect_ordinary_break(holder);
    setenv("CKPT_LEASE_CRASHED", "0", 1);
    hook("post-dump", holder.pid());
    expect_logged("error: post-dump: ckpt-lease did not come to an end\n");
    EXPECT_TRUE(fs::exists("img/ckpt-lease.img")) << "nothing is tried again";
}

TEST_F(Hook, ABreakWithoutItsProcessIsNone) {
    const LeaseHolder holder("held");
    dump_break(holder);
    fs::remove("img/ckpt-lease.img");
    const LeaseHolder stranger("other");
    EXPECT_EQ(hook("pre-resume", stranger.pid()).status, 0);
    expect_logged("error: the lease of process " + holder.pid() +
                  ", descriptor 7: there is no such process\n");
}

TEST_F(Hook, FilesMayBeElsewhereIfThatIsSaid) {
    const LeaseHolder dumped("held");
    EXPECT_EQ(hook("post-dump", dumped.pid()).status, 0);
    const LeaseHolder restored("elsewhere");
    EXPECT_EQ(hook("pre-resume", restored.pid()).status, 0);
    expect_logged("error: lease 0 is not set: descriptor 7 of process " + restored.pid() +
                  " is another file: ");
    EXPECT_EQ(log().find("lease 0 is set"), std::string::npos) << log();
    setenv("CKPT_LEASE_ANY_PATH", "1", 1);
    EXPECT_EQ(hook("pre-resume", restored.pid()).status, 0);
    expect_logged("lease 0 is set");
}

// A break whose time is over has left F_RDLCK on a file that is open for writing, which fcntl(2)
// refuses: criu's whole restore would fail.
TEST_F(Hook, ADowngradedLeaseOnAFileThatIsOpenForWritingIsSetHere) {
    namespace criu = test_support::criu;
    const LeaseHolder dumped("held", O_RDWR);
    {
        const LeaseBreakTime one_second(1);
        ASSERT_LT(open("held", O_RDONLY | O_NONBLOCK), 0);
    }
    const int reader = open("held", O_RDONLY);  // which waits for the end of the break
    ASSERT_GE(reader, 0);
    close(reader);
    ASSERT_EQ(dumped.lease(), "ACTIVE READ");
    const std::string other = criu::lock_entry(1, 1, std::stoi(dumped.pid()), 7);
    write_file("img/filelocks.img",
               criu::kLocksHead + criu::lock_entry(8, 0, std::stoi(dumped.pid()), 7) + other);
    EXPECT_EQ(hook("post-dump", dumped.pid()).status, 0);
    EXPECT_TRUE(read_file("img/filelocks.img").ends_with(other)) << log();
    expect_logged("warning: the lease of process " + dumped.pid() +
                  ", descriptor 7: criu cannot restore a read lease on a file that is open for "
                  "writing: it is set at pre-resume, if nobody else has the file open then\n");
    const LeaseHolder restored("held2", O_RDWR, F_UNLCK);
    setenv("CKPT_LEASE_ANY_PATH", "1", 1);
    EXPECT_EQ(hook("pre-resume", restored.pid()).status, 0);
    expect_logged("lease 0 is set");
    EXPECT_EQ(restored.lease(), "ACTIVE READ");
    fs::remove("img/ckpt-lease.img");
    EXPECT_EQ(hook("pre-resume", restored.pid()).status, 0);
    expect_logged("error: there is no ckpt-lease.img, and the dump has left a lease to it: ");
    expect_logged("error: the lease of process " + dumped.pid() +
                  ", descriptor 7 is lost: criu could not restore it\n");
}

TEST_F(Hook, CritDecodesWhatIsLeftToUs) {
    NEEDS_CRIT();
    const LeaseHolder holder("held");
    dump_break(holder);
    ASSERT_EQ(std::system("crit decode -i img/filelocks.img -o locks.json"), 0);
    Json entry = Json::parse(read_file("locks.json"))["entries"][0];
    EXPECT_EQ(entry["type"], 1) << "a write lease that is held";
}

// It writes all bytes of an image anew, and most people change one field.
TEST_F(Hook, CritBetweenDumpAndRestoreLosesNoLease) {
    NEEDS_CRIT();
    const LeaseHolder holder("held");
    dump_break(holder);
    const std::string dumped = read_file("img/inventory.img");
    ASSERT_EQ(std::system("crit decode -i img/inventory.img -o inventory.json &&"
                          "sed -i 's/\"root_cg_set\": 1/\"root_cg_set\": 2/' inventory.json &&"
                          "crit encode -i inventory.json -o img/inventory.img"),
              0);
    ASSERT_NE(read_file("img/inventory.img"), dumped);
    const Json json = parse_valid("show", run({"show", "--json", "img"}).out);
    EXPECT_EQ(json["images"][0]["leases"].size(), 1U);
    EXPECT_EQ(run({"policy", "--set", "30", "img"}).status, 0);
    EXPECT_EQ(hook("pre-resume", holder.pid()).status, 0);
    expect_logged("lease 0 is set");
}

// A dump of an older CRIU without --track-mem: its inventory.img is that of any other.
TEST_F(Hook, WhereNoImageTellsTheDumpTheLeasesHaveToFit) {
    namespace criu = test_support::criu;
    write_file("img/inventory.img", criu::inventory(0, ""));
    const LeaseHolder holder("held");
    dump_break(holder);
    write_file("img/inventory.img", criu::inventory(0, "", 2));
    EXPECT_EQ(run({"show", "img"}).status, 0);
    write_file("img/filelocks.img",
               criu::kLocksHead + criu::lock_entry(8, 1, std::stoi(holder.pid()), 8));
    const Result result = run({"show", "img"});
    EXPECT_EQ(result.status, 2);
    EXPECT_EQ(result.err,
              "ckpt-lease: img/ckpt-lease.img: these leases do not fit the checkpoint: process " +
                  holder.pid() +
                  " holds a lease on descriptor 7, and filelocks.img has none there (if CRIU's "
                  "images were changed with crit, put back those that were dumped; this image "
                  "cannot be used with another dump)\n");
}

}  // namespace
}  // namespace e2e
