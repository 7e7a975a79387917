// SPDX-License-Identifier: GPL-2.0-or-later
// While the hook waits at pre-resume, all tasks of the restore do.
#include <sys/stat.h>
#include <unistd.h>

#include "support.hpp"

namespace attack {
namespace {

namespace fs = std::filesystem;

class Waiting : public Attack {
 protected:
    // What it waits for, all in all, and what it takes beside.
    static constexpr std::chrono::seconds kPatience{5};
    static constexpr std::chrono::seconds kAtMost{8};

    Waiting() {
        alice::makes_folder("alice/img");
        for (const char* const name : {"inventory.img", "filelocks.img"}) {
            alice::writes(std::string("alice/img/") + name,
                          read_file(std::string("admin/") + name));
        }
        alice::writes("alice/img/ckpt-lease.img", image_bytes("holder_breaker.img"));
    }
    static std::string log() { return read_file("alice/img/ckpt-lease.log"); }
};

TEST_F(Waiting, ALockIsNotWaitedForWithoutEnd) {
    const alice::Lock lock("alice/img/ckpt-lease.img");
    const Outcome outcome = run_hook("pre-resume", "alice/img");
    EXPECT_EQ(outcome.status, 0);
    EXPECT_GE(outcome.took, kPatience);
    EXPECT_LE(outcome.took, kAtMost);
    EXPECT_NE(log().find("error: pre-resume: alice/img/ckpt-lease.img: another process is "
                         "rewriting the image (it was waited for, and did not end in time)\n"),
              std::string::npos)
        << log();
}

TEST_F(Waiting, NorIsOneAtTheDump) {
    const alice::Lock lock("alice/img/filelocks.img");
    const Outcome outcome = run_hook("post-dump", "alice/img", std::to_string(getpid()));
    EXPECT_EQ(outcome.status, 0);
    EXPECT_LE(outcome.took, kAtMost);
    EXPECT_NE(log().find("error: post-dump: alice/img/filelocks.img: another process is using the "
                         "image (it was waited for, and did not end in time)\n"),
              std::string::npos)
        << log();
}

TEST_F(Waiting, ALockThatIsLetGoIsWaitedFor) {
    auto lock = std::make_unique<alice::Lock>("alice/img/ckpt-lease.img");
    Process hook({"criu-hook"}, {.environment = {{"CRTOOLS_SCRIPT_ACTION", "pre-resume"},
                                                 {"CRTOOLS_IMAGE_DIR", "alice/img"},
                                                 {"CRTOOLS_INIT_PID", "1"}}});
    usleep(300'000);
    lock.reset();
    const Outcome outcome = hook.finish();
    EXPECT_LT(outcome.took, kPatience);
    EXPECT_EQ(log().find("another process"), std::string::npos) << log();
}

// A lease is a lock that the kernel waits for, in open(2), as long as lease-break-time; and it can
// be taken again.
TEST_F(Waiting, ALeaseIsNotWaitedForWithoutEnd) {
    {
        const alice::Lease lease("alice/img/ckpt-lease.img");
        const Outcome outcome = run_hook("pre-resume", "alice/img");
        EXPECT_EQ(outcome.status, 0);
        EXPECT_LE(outcome.took, kAtMost);
        EXPECT_NE(log().find("alice/img/ckpt-lease.img"), std::string::npos) << log();
    }
    for (const char* const name : {"filelocks.img", "inventory.img"}) {
        fs::remove("alice/img/ckpt-lease.log");
        const alice::Lease lease(std::string("alice/img/") + name);
        const Outcome outcome = run_hook("post-dump", "alice/img", std::to_string(getpid()));
        EXPECT_LE(outcome.took, kAtMost) << name;
        EXPECT_NE(log().find(std::string("alice/img/") + name), std::string::npos) << log();
    }
}

// Whoever rewrites an image by hand is told at once.
TEST_F(Waiting, OtherCommandsDoNotWait) {
    const alice::Lock lock("alice/img/ckpt-lease.img");
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"show", "alice/img/ckpt-lease.img"},
          {"policy", "--set", "1", "alice/img/ckpt-lease.img"},
          {"recover", "alice/img/ckpt-lease.img"}}) {
        const Outcome outcome = run(words);
        EXPECT_EQ(outcome.status, 3) << words[0];
        EXPECT_NE(outcome.err.find("(--wait waits until it is done)"), std::string::npos)
            << outcome.err;
        EXPECT_LT(outcome.took, kPatience);
    }
}

}  // namespace
}  // namespace attack
