// SPDX-License-Identifier: GPL-2.0-or-later
// When a dump says that its restore needs the plugin.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "played_criu.hpp"
#include "support/criu_images.hpp"

extern "C" {
#include "look.h"
}

namespace {

namespace fs = std::filesystem;
using played_criu::Loaded;
using played_criu::required_plugins;
using played_criu::Tasks;
using test_support::criu::kLocksHead;
using test_support::criu::lock_entry;
using Names = std::vector<std::string>;

class RequiredPlugin : public ::testing::Test {
 protected:
    RequiredPlugin() { played_criu::make_hook(""); }
    // The holder is stopped, and so keeps the lease until the kernel takes it away.
    static void begin_break() {
        EXPECT_EQ(open("leased", O_WRONLY | O_NONBLOCK | O_CLOEXEC), -1);
        EXPECT_EQ(errno, EWOULDBLOCK);
    }
    static Names in_the_inventory_of_criu() {
        return CRIU_VERSION >= 4 ? Names{"ckpt_lease"} : Names{};
    }

 private:
    played_criu::OwnFolder folder_{"CKPT_LEASE_FROZEN", "CKPT_LEASE_REQUIRE"};
};

TEST_F(RequiredPlugin, OfALeaseThatIsBeingBroken) {
    const Tasks tasks(true, true);
    begin_break();
    played_criu::dump(tasks);
    EXPECT_EQ(required_plugins(), in_the_inventory_of_criu());
}

// CRIU writes each name that it is told, as often as it is told.
TEST_F(RequiredPlugin, IsToldOnce) {
    const Tasks tasks(true);
    begin_break();
    const Loaded plugin(Loaded::dump);
    plugin.checkpoint_devices(tasks.root());
    plugin.checkpoint_devices(tasks.root());
    plugin.exit(0);
    EXPECT_EQ(required_plugins(), in_the_inventory_of_criu());
}

TEST_F(RequiredPlugin, NotOfOtherLeasesAndNotOfNone) {
    played_criu::dump(Tasks(false));
    EXPECT_EQ(required_plugins(), Names());
    played_criu::dump(Tasks(true));
    EXPECT_EQ(required_plugins(), Names()) << "CRIU restores a lease that nobody breaks";
}

TEST_F(RequiredPlugin, NotWithoutTheHookWhichCaptures) {
    const Tasks tasks(true);
    begin_break();
    fs::remove("hook");
    played_criu::dump(tasks);
    EXPECT_EQ(required_plugins(), Names());
}

TEST_F(RequiredPlugin, NotIfToldSo) {
    const Tasks tasks(true);
    begin_break();
    setenv("CKPT_LEASE_REQUIRE", "0", 1);
    played_criu::dump(tasks);
    EXPECT_EQ(required_plugins(), Names());
    setenv("CKPT_LEASE_REQUIRE", "1", 1);
    played_criu::dump(tasks);
    EXPECT_EQ(required_plugins(), in_the_inventory_of_criu());
}

// Engines hand no variables on.
TEST_F(RequiredPlugin, NotIfAFileSaysSo) {
    const Tasks tasks(true);
    begin_break();
    const std::ofstream file("not-required");
    played_criu::dump(tasks);
    EXPECT_EQ(required_plugins(), Names());
}

// CRIU asks no further plugin where one has answered.
TEST_F(RequiredPlugin, ThatIsNotAskedSaysWhatIsMissing) {
    const Tasks tasks(true);
    begin_break();
    std::ofstream("img/filelocks.img") << kLocksHead << lock_entry(8, 1, tasks.root(), 7);
    const Loaded plugin(Loaded::dump);
    plugin.exit(0);
    EXPECT_EQ(required_plugins(), Names());
    const bool is_told = played_criu::log().find("another plugin came first") != std::string::npos;
    EXPECT_EQ(is_told, CRIU_VERSION >= 4);
}

// A pre-dump has no leases, and its images are never restored.
TEST_F(RequiredPlugin, NotOfAPreDump) {
    const Tasks tasks(true);
    begin_break();
    played_criu::dump(Tasks(false));
    const Loaded plugin(Loaded::pre_dump);
    plugin.checkpoint_devices(tasks.root());
    plugin.exit(0);
    EXPECT_EQ(required_plugins(), Names());
}

TEST_F(RequiredPlugin, IsThereAtARestore) {
    const Tasks tasks(true);
    begin_break();
    played_criu::dump(tasks);
    const Loaded plugin(Loaded::restore);
    EXPECT_FALSE(plugin.is_refused());
    EXPECT_EQ(required_plugins(), Names()) << "CRIU would miss it";
    plugin.exit(0);
}

// Descriptors as /proc/PID/fdinfo of Linux 6.18 has them.
class LeaseForUs : public RequiredPlugin {
 protected:
    static bool is_found(const std::string& flags, const std::string& locks) {
        fs::create_directory("fdinfo");
        std::ofstream("fdinfo/3") << "pos:\t0\nflags:\t" << flags << "\nmnt_id:\t29\nino:\t7\n"
                                  << locks;
        const int folder = open("fdinfo", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        const bool found = has_lease_for_us(folder);
        close(folder);
        return found;
    }
    static std::string lock(const std::string& words) {
        return "lock:\t1: " + words + " 42 fe:00:7 0 EOF\n";
    }
};

TEST_F(LeaseForUs, IsOneThatIsBeingBroken) {
    EXPECT_TRUE(is_found("0100002", lock("LEASE  BREAKING  UNLCK")));
    EXPECT_TRUE(is_found("0100000", lock("LEASE  BREAKING  READ ")));
    EXPECT_FALSE(is_found("0100002", lock("DELEG  BREAKING  READ ")));
    EXPECT_FALSE(is_found("0100002", lock("POSIX  ADVISORY  WRITE")));
}

// As a break leaves it that has taken a write lease down. CRIU cannot set it.
TEST_F(LeaseForUs, IsAReadLeaseOfAFileThatIsOpenForWriting) {
    const std::string read_lease = lock("LEASE  ACTIVE    READ ");
    EXPECT_TRUE(is_found("0100002", read_lease));
    EXPECT_TRUE(is_found("0102001", read_lease));
    EXPECT_FALSE(is_found("0100000", read_lease));
    EXPECT_FALSE(is_found("0100002", lock("LEASE  ACTIVE    WRITE")));
}

TEST_F(LeaseForUs, IsFoundBehindAnyNumberOfLocks) {
    std::string locks;
    for (int i = 0; i < 500; ++i) {
        locks += lock("POSIX  ADVISORY  WRITE");
        EXPECT_TRUE(is_found("0100002", locks + lock("LEASE  ACTIVE    READ "))) << i;
    }
}

}  // namespace
