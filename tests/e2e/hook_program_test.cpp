// SPDX-License-Identifier: GPL-2.0-or-later
// CRIU's action script, ckpt-lease-criu-hook: the small program that starts ckpt-lease.
#include <sys/wait.h>

#include <cstdlib>

#include "support.hpp"

namespace e2e {
namespace {

namespace fs = std::filesystem;

// The program that criu starts, beside one in the place of ckpt-lease.
class HookProgram : public Test {
 protected:
    void SetUp() override {
        fs::create_directory("bin");
        fs::copy(CKPT_LEASE_CRIU_HOOK, "bin/ckpt-lease-criu-hook");
        fs::create_symlink("bin/ckpt-lease-criu-hook", "link");
    }
    static void make_program(const std::string& script) {
        write_file("bin/ckpt-lease", "#!/bin/sh\n" + script);
        fs::permissions("bin/ckpt-lease", fs::perms::owner_all);
    }
    static int start(const std::string& variables) {
        const int status = std::system((variables + " ./link 2>err").c_str());
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
};

TEST_F(HookProgram, StartsCkptLeaseAtItsStages) {
    make_program("echo \"$1 $CRTOOLS_SCRIPT_ACTION\" >>said\n");
    for (const char* const stage :
         {"pre-dump", "post-dump", "network-lock", "pre-restore", "setup-namespaces",
          "post-restore", "pre-resume", "post-resume", "orphan-pts-master", "one of tomorrow"}) {
        EXPECT_EQ(start("CRTOOLS_SCRIPT_ACTION='" + std::string(stage) + "'"), 0) << stage;
    }
    EXPECT_EQ(read_file("said"), "criu-hook post-dump\ncriu-hook pre-resume\n");
    EXPECT_EQ(start("CKPT_LEASE_STRICT=1 CRTOOLS_SCRIPT_ACTION=post-restore"), 0);
    EXPECT_EQ(read_file("said"),
              "criu-hook post-dump\ncriu-hook pre-resume\ncriu-hook post-restore\n");
}

// Which says so to CRIU's children.
TEST_F(HookProgram, LeavesOutWhatCriusPluginHasDone) {
    make_program("echo \"$CRTOOLS_SCRIPT_ACTION\" >>said\n");
    EXPECT_EQ(start("CKPT_LEASE_DONE=pre-resume CRTOOLS_SCRIPT_ACTION=pre-resume"), 0);
    EXPECT_FALSE(fs::exists("said"));
    EXPECT_EQ(start("CKPT_LEASE_DONE=pre-resume CRTOOLS_SCRIPT_ACTION=post-dump"), 0);
    EXPECT_EQ(read_file("said"), "post-dump\n");
}

// CRIU locks the network when the tasks are stopped, and then writes images.
TEST_F(HookProgram, MarksTheMomentOfFreezing) {
    fs::create_directory("img");
    write_file("target", "mine");
    fs::create_symlink("../target", "img/ckpt-lease.frozen");
    EXPECT_EQ(start("CRTOOLS_SCRIPT_ACTION=network-lock CRTOOLS_IMAGE_DIR=img"), 0);
    EXPECT_TRUE(fs::is_regular_file(fs::symlink_status("img/ckpt-lease.frozen")));
    EXPECT_EQ(read_file("img/ckpt-lease.frozen"), "");
    EXPECT_EQ(read_file("target"), "mine");
    EXPECT_EQ(start("CRTOOLS_SCRIPT_ACTION=network-lock CRTOOLS_IMAGE_DIR=nowhere"), 0);
}

TEST_F(HookProgram, TellsWhoCriuIs) {
    make_program("echo $CKPT_LEASE_CRIU_PID >said\n");
    // The shell is its parent.
    EXPECT_EQ(std::system("echo $$ >shell; CRTOOLS_SCRIPT_ACTION=post-dump ./link; exit 0"), 0);
    EXPECT_EQ(read_file("said"), read_file("shell"));
}

TEST_F(HookProgram, FailsOnlyWhenToldTo) {
    make_program("exit 5\n");
    EXPECT_EQ(start("CRTOOLS_SCRIPT_ACTION=post-dump"), 0);
    EXPECT_EQ(start("CKPT_LEASE_STRICT=1 CRTOOLS_SCRIPT_ACTION=post-dump"), 5);
    fs::remove("bin/ckpt-lease");
    EXPECT_EQ(start("CRTOOLS_SCRIPT_ACTION=post-dump"), 0);
    EXPECT_NE(read_file("err").find("bin/ckpt-lease: No such file or directory\n"),
              std::string::npos)
        << read_file("err");
    EXPECT_EQ(start("CKPT_LEASE_STRICT=1 CRTOOLS_SCRIPT_ACTION=post-dump"), 3);
}

TEST_F(HookProgram, HoldsWhenCkptLeaseIsKilled) {
    make_program(
        "echo \"$CRTOOLS_SCRIPT_ACTION $CKPT_LEASE_CRASHED\" >>said\n"
        "[ -n \"$CKPT_LEASE_CRASHED\" ] || kill -9 $$\n");
    EXPECT_EQ(start("CRTOOLS_SCRIPT_ACTION=pre-resume"), 0);
    EXPECT_EQ(read_file("said"), "pre-resume \npre-resume 9\n");
    EXPECT_EQ(read_file("err"), "ckpt-lease-criu-hook: ckpt-lease: Killed\n");
    EXPECT_EQ(start("CKPT_LEASE_STRICT=1 CRTOOLS_SCRIPT_ACTION=post-dump"), 3);
    // What it has left at work comes to its end before anything else is done.
    make_program(
        "[ -n \"$CKPT_LEASE_CRASHED\" ] && echo again >>order && exit\n"
        "(sleep 0.3; echo done >>order) &\n"
        "kill -9 $$\n");
    EXPECT_EQ(start("CRTOOLS_SCRIPT_ACTION=pre-resume"), 0);
    EXPECT_EQ(read_file("order"), "done\nagain\n");
    make_program("kill -9 $$\n");
    EXPECT_EQ(start("CRTOOLS_SCRIPT_ACTION=pre-resume"), 0) << "killed again";
}

// With half a second in the place of a minute.
TEST_F(HookProgram, WaitsForNothingForEver) {
    fs::remove("bin/ckpt-lease-criu-hook");
    fs::copy(CKPT_LEASE_IMPATIENT_HOOK, "bin/ckpt-lease-criu-hook");
    make_program(
        "echo \"$CKPT_LEASE_CRASHED\" >>said\n"
        "[ -n \"$CKPT_LEASE_CRASHED\" ] || exec sleep 1000\n");
    EXPECT_EQ(start("CRTOOLS_SCRIPT_ACTION=pre-resume"), 0);
    EXPECT_EQ(read_file("said"), "\n0\n");
    EXPECT_NE(read_file("err").find("it does not come to an end, and is killed\n"),
              std::string::npos);
}

TEST_F(HookProgram, StartedByHandItHasCkptLeaseSayWhatItIsFor) {
    make_program("exit 2\n");
    EXPECT_EQ(start("env"), 2);
}

}  // namespace
}  // namespace e2e
