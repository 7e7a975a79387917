// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>

#include "live_support.hpp"
#include "rewrite/image_file.hpp"
#include "support/criu_images.hpp"

/// What the tests of `ckpt-lease criu-hook` share: they start it as CRIU does.
namespace e2e {

// The hook's environment is CRIU's.
class Hook : public Live {
 protected:
    void SetUp() override {
        Live::SetUp();
        std::filesystem::create_directory("img");
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
        setenv("CRTOOLS_IMAGE_DIR", (std::filesystem::current_path() / "img").c_str(), 1);
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

}  // namespace e2e
