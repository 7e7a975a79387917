// SPDX-License-Identifier: GPL-2.0-or-later
// `ckpt-lease criu-hook`, at each of CRIU's stages.
#include "hook_support.hpp"

namespace e2e {
namespace {

namespace fs = std::filesystem;

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

// A restore on a machine without ckpt-lease says nothing of what is lost there, but for the newest
// CRIU: who reads of the dump is to know.
TEST_F(Hook, SaysAtADumpWhatTheRestoreNeeds) {
    constexpr const char* kNeeds =
        "info: post-dump: 1 being broken: restore with ckpt-lease, or the time that is left is "
        "lost\n";
    const LeaseHolder holder("held");
    EXPECT_EQ(hook("post-dump", holder.pid()).status, 0);
    EXPECT_EQ(log().find(" being broken: restore"), std::string::npos) << log();
    fs::remove("img/ckpt-lease.img");
    ASSERT_LT(open("held", O_WRONLY | O_NONBLOCK), 0);
    EXPECT_EQ(hook("post-dump", holder.pid()).status, 0);
    expect_logged(kNeeds);
    EXPECT_EQ(hook("pre-resume", holder.pid()).status, 0);
    EXPECT_EQ(log().find(" being broken: restore"), log().rfind(" being broken: restore"));
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

}  // namespace
}  // namespace e2e
