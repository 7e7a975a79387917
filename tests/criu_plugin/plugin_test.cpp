// SPDX-License-Identifier: GPL-2.0-or-later
// The plugin that CRIU loads: what it starts, and when.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "played_criu.hpp"
#include "support/criu_images.hpp"

namespace {

namespace fs = std::filesystem;
using played_criu::Loaded;
using played_criu::make_hook;
using played_criu::Tasks;
using test_support::criu::kLocksHead;
using test_support::criu::lock_entry;

std::string read_file(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

void write_file(const fs::path& path, const std::string& bytes) {
    std::ofstream(path) << bytes;
}

// What the hook program in the tests' place does: a line for each start.
constexpr const char* kSay = "echo \"$CRTOOLS_SCRIPT_ACTION of $CRTOOLS_INIT_PID\" >>said\n";

// Entries of filelocks.img: flag 8 is a lease, 2 an flock.
std::string lease_of(std::int32_t pid) {
    return lock_entry(8, 1, pid, 7);
}
std::string flock_of(std::int32_t pid) {
    return lock_entry(2, 1, pid, 7);
}

class Plugin : public ::testing::Test {
 protected:
    Plugin() { make_hook(kSay); }
    static void make_locks(const std::string& entries) {
        write_file("img/filelocks.img", kLocksHead + entries);
    }
    static std::string said() { return read_file("said"); }
    static std::string line(const char* stage, pid_t root) {
        return std::string(stage) + " of " + std::to_string(root) + "\n";
    }

 private:
    played_criu::OwnFolder folder_{"CKPT_LEASE_FROZEN", "CKPT_LEASE_DONE", "CKPT_LEASE_STRICT"};
};

// An older CRIU refuses a plugin with more hooks than it knows, and fails.
TEST_F(Plugin, HasAsManyHooksAsCriuKnows) {
    const Loaded plugin(Loaded::dump);
    EXPECT_EQ(plugin.hooks(), CRIU_VERSION >= 4 ? 12U : 10U);
}

TEST_F(Plugin, CarriesOutPostDumpWhereThereAreLeases) {
    const Tasks tasks(true);
    make_locks(flock_of(1) + lease_of(1));
    played_criu::dump(tasks);
    EXPECT_EQ(said(), line("post-dump", tasks.root()));
    EXPECT_EQ(played_criu::log(), "");
}

// With a lease that is being broken, flag 4 of its type, and with one that an action script was to
// pass over.
TEST_F(Plugin, KnowsLeasesInAllStates) {
    const Tasks tasks(false);
    make_locks(lock_entry(8, 6, 1, 7));
    played_criu::dump(tasks);
    make_locks(lease_of(0));
    played_criu::dump(tasks);
    EXPECT_EQ(said(), line("post-dump", tasks.root()) + line("post-dump", tasks.root()));
}

TEST_F(Plugin, StartsNothingWithoutLeases) {
    const Tasks tasks(true);
    played_criu::dump(tasks);  // without --file-locks
    make_locks("");
    played_criu::dump(tasks);
    make_locks(flock_of(1) + flock_of(0));
    played_criu::dump(tasks);
    EXPECT_EQ(said(), "");
    EXPECT_EQ(played_criu::log(), "");
    EXPECT_FALSE(fs::exists("img/ckpt-lease.log"));
}

TEST_F(Plugin, StartsNothingWhenADumpFailedOrIsAPreDump) {
    const Tasks tasks(true);
    make_locks(lease_of(1));
    played_criu::dump(tasks, -1);
    {
        const Loaded plugin(Loaded::pre_dump);
        plugin.checkpoint_devices(tasks.root());
        plugin.exit(0);
    }
    EXPECT_EQ(said(), "");
}

// The hook removes it.
TEST_F(Plugin, WhatAnEarlierDumpHasLeftIsNotKept) {
    const Tasks tasks(false);
    write_file("img/ckpt-lease.img", "");
    make_locks("");
    played_criu::dump(tasks);
    EXPECT_EQ(said(), line("post-dump", tasks.root()));
    fs::remove("img/filelocks.img");
    played_criu::dump(tasks);
    EXPECT_EQ(said(), line("post-dump", tasks.root())) << "without --file-locks";
}

TEST_F(Plugin, WhatItCannotReadIsForTheHook) {
    const Tasks tasks(false);
    const std::string whole = kLocksHead + lease_of(1) + flock_of(1);
    std::string expected;
    for (std::size_t size = kLocksHead.size() + 1; size < whole.size(); ++size) {
        write_file("img/filelocks.img", whole.substr(0, size));
        played_criu::dump(tasks);
        expected += line("post-dump", tasks.root());
    }
    for (const std::string& entry :
         {std::string("\x01\0\0\0\x10", 5), std::string("\xff\xff\xff\xff", 4),
          std::string("\x02\0\0\0\x08\x80", 6), std::string("\0\0\0\0", 4)}) {
        make_locks(entry);
        played_criu::dump(tasks);
        expected += line("post-dump", tasks.root());
    }
    EXPECT_EQ(said(), expected);
}

TEST_F(Plugin, FollowsNoLinkAndWaitsForNobody) {
    const Tasks tasks(false);
    write_file("elsewhere", kLocksHead);
    fs::create_symlink("../elsewhere", "img/filelocks.img");
    played_criu::dump(tasks);
    EXPECT_EQ(said(), line("post-dump", tasks.root()));
    fs::remove("img/filelocks.img");
    ASSERT_EQ(mkfifo("img/filelocks.img", 0600), 0);
    played_criu::dump(tasks);
    EXPECT_EQ(said(), line("post-dump", tasks.root()) + line("post-dump", tasks.root()));
}

TEST_F(Plugin, TellsTheRootOfTheTree) {
    const Tasks tasks(true, true);
    make_locks(lease_of(1));
    played_criu::dump(tasks);
    EXPECT_EQ(said(), line("post-dump", tasks.root()));
}

TEST_F(Plugin, TellsTheHookWhatCriuTellsActionScripts) {
    make_hook(
        "echo \"$CRTOOLS_IMAGE_DIR $PPID $CKPT_LEASE_DONE $KEPT\" >said\n"
        "echo here >$CRTOOLS_IMAGE_DIR/found\n"
        "env | grep -c CRTOOLS_SCRIPT_ACTION >>said\n");
    const Tasks tasks(true);
    make_locks(lease_of(1));
    // Of an action script.
    setenv("CRTOOLS_SCRIPT_ACTION", "network-lock", 1);
    setenv("KEPT", "kept", 1);
    {
        const Loaded plugin(Loaded::dump);
        plugin.exit(0);
        const std::string criu = std::to_string(getpid());
        EXPECT_EQ(said(), "/proc/" + criu + "/fd/" + std::to_string(played_criu::image_folder()) +
                              " " + criu + "  kept\n1\n");
    }
    EXPECT_EQ(read_file("img/found"), "here\n");
    EXPECT_STREQ(getenv("CRTOOLS_SCRIPT_ACTION"), "network-lock");
    unsetenv("CRTOOLS_SCRIPT_ACTION");
}

// CRIU has hundreds of files open, blocks signals, and heeds those of its children.
TEST_F(Plugin, TheHookHasNothingOfCriu) {
    make_hook(
        "ls /proc/self/fd | wc -l >said\n"
        "echo to the log\n"
        "echo as well >&2\n");
    static volatile std::sig_atomic_t found = 0;
    const Tasks tasks(true);
    make_locks(lease_of(1));
    const auto before = std::signal(SIGCHLD, [](int) {
        if (waitpid(-1, nullptr, WNOHANG) > 0) {
            found = 1;
        }
    });
    const int leaked = dup(STDOUT_FILENO);
    played_criu::dump(tasks);
    EXPECT_EQ(found, 0) << "CRIU has waited for the hook";
    close(leaked);
    std::signal(SIGCHLD, before);
    // The folder that ls reads is the fourth.
    EXPECT_EQ(said(), "4\n");
    EXPECT_EQ(read_file("criu.log"), "to the log\nas well\n");
}

// No shell, which would set that right.
TEST_F(Plugin, TheHookHasTheSignalsOfAProgramThatIsStarted) {
    write_file("hook", "#!/bin/cat /proc/self/status\n");
    const Tasks tasks(true);
    make_locks(lease_of(1));
    // What the tester ignores, as nohup(1) does, is not CRIU's doing.
    for (const int signal : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU}) {
        std::signal(signal, SIG_DFL);
    }
    std::signal(SIGPIPE, SIG_IGN);
    played_criu::dump(tasks);
    std::signal(SIGPIPE, SIG_DFL);
    EXPECT_NE(read_file("criu.log").find("SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"),
              std::string::npos)
        << read_file("criu.log");
}

// In nanoseconds of CLOCK_MONOTONIC. An action script, which CRIU starts, sees it too.
TEST_F(Plugin, NotesWhenTheTasksWereStopped) {
    make_hook("echo $CKPT_LEASE_FROZEN >said\n");
    const Tasks tasks(true, true);
    make_locks(lease_of(1));
    setenv("CKPT_LEASE_FROZEN", "1", 1);  // somebody else's
    const auto now = [] {
        return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch())
            .count();
    };
    const auto before = now();
    const Loaded plugin(Loaded::dump);
    plugin.checkpoint_devices(tasks.root());
    const auto after = now();
    usleep(20'000);
    plugin.checkpoint_devices(tasks.child());
    plugin.exit(0);
    if (CRIU_VERSION >= 4) {
        const auto noted = std::stoll(said());
        EXPECT_LE(before, noted);
        EXPECT_LE(noted, after);
        EXPECT_EQ(said(), std::string(getenv("CKPT_LEASE_FROZEN")) + "\n");
    } else {
        EXPECT_EQ(said(), "\n");
    }
}

TEST_F(Plugin, CarriesOutPreResumeOnce) {
    const Tasks without(false);
    const Tasks with(true, true);
    make_locks(lease_of(1));
    const Loaded plugin(Loaded::restore);
    plugin.resume_devices_late(without.root());
    EXPECT_EQ(said(), "");
    EXPECT_EQ(getenv("CKPT_LEASE_DONE"), nullptr);
    plugin.resume_devices_late(with.root());
    EXPECT_EQ(said(), line("pre-resume", with.root()));
    EXPECT_STREQ(getenv("CKPT_LEASE_DONE"), "pre-resume") << "for an action script";
    plugin.resume_devices_late(with.root());
    plugin.resume_devices_late(with.child());
    plugin.exit(0);
    EXPECT_EQ(said(), line("pre-resume", with.root()));
}

// The kernel tells of leases behind all other locks.
TEST_F(Plugin, SeesALeaseBehindManyLocks) {
    for (const int locks : {50, 62, 63, 64, 65, 66, 100, 1000}) {
        const Tasks tasks(true, false, locks);
        make_locks(lease_of(1));
        const Loaded plugin(Loaded::restore);
        plugin.resume_devices_late(tasks.root());
        plugin.exit(0);
        EXPECT_EQ(said(), line("pre-resume", tasks.root())) << locks;
        fs::remove("said");
    }
}

// An action script beside it is to do what it could not.
TEST_F(Plugin, WhatCameToNoEndIsNotDone) {
    make_hook("kill -9 $$\n");
    const Tasks tasks(true);
    make_locks(lease_of(1));
    const Loaded plugin(Loaded::restore);
    plugin.resume_devices_late(tasks.root());
    EXPECT_EQ(getenv("CKPT_LEASE_DONE"), nullptr);
    plugin.exit(0);
}

TEST_F(Plugin, RestoredWithoutFileLocksTheTasksHaveNoLeases) {
    const Tasks tasks(false);
    make_locks(lease_of(1) + lease_of(0));
    write_file("img/ckpt-lease.img", "");
    const Loaded plugin(Loaded::restore);
    plugin.resume_devices_late(tasks.root());
    plugin.exit(0);
    EXPECT_EQ(said(), "");
    EXPECT_EQ(getenv("CKPT_LEASE_DONE"), nullptr);
}

TEST_F(Plugin, ARestoreWithoutLeasesIsNotItsBusiness) {
    const Tasks tasks(true);  // criu would have restored it
    for (const std::string& entries : {std::string(), flock_of(1)}) {
        make_locks(entries);
        const Loaded plugin(Loaded::restore);
        plugin.resume_devices_late(tasks.root());
        plugin.exit(0);
    }
    EXPECT_EQ(said(), "");
}

// As the only ones: of these criu restores none, and nothing is to be seen of them.
TEST_F(Plugin, LeasesThatCriuPassesOverAreSet) {
    const Tasks tasks(false);
    make_locks(lease_of(0));
    const Loaded plugin(Loaded::restore);
    plugin.resume_devices_late(tasks.root());
    EXPECT_EQ(said(), line("pre-resume", tasks.root()));
}

TEST_F(Plugin, ARestoreTellsTheRootOfTheTreeToo) {
    const Tasks tasks(false, true);
    make_locks(lease_of(0));
    const Loaded plugin(Loaded::restore);
    plugin.resume_devices_late(tasks.child());
    EXPECT_EQ(said(), line("pre-resume", tasks.root()));
}

TEST_F(Plugin, CriuGoesOnWhateverBecomesOfTheHook) {
    const Tasks tasks(true);
    make_locks(lease_of(1));
    make_hook("kill -SEGV $$\n");
    played_criu::dump(tasks);
    EXPECT_EQ(played_criu::log(), "1 ckpt-lease: post-dump: /proc/self/cwd/hook was killed\n");
    make_hook("exit 3\n");
    played_criu::dump(tasks);
    EXPECT_EQ(played_criu::log(),
              "1 ckpt-lease: post-dump: /proc/self/cwd/hook failed: see ckpt-lease.log\n");
    make_hook("echo $$ >pid; exec sleep 1000\n");
    const auto begin = std::chrono::steady_clock::now();
    played_criu::dump(tasks);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
    EXPECT_EQ(played_criu::log(),
              "1 ckpt-lease: post-dump: /proc/self/cwd/hook does not come to an end, and was "
              "killed\n");
    EXPECT_FALSE(fs::exists("/proc/" + std::to_string(std::stoi(read_file("pid")))));
    fs::remove("hook");
    played_criu::dump(tasks);
    EXPECT_EQ(played_criu::log(),
              "1 ckpt-lease: post-dump: /proc/self/cwd/hook cannot be started: No such file or "
              "directory\n");
    write_file("hook", "no program\n");
    fs::permissions("hook", fs::perms::owner_all);
    played_criu::dump(tasks);
    EXPECT_EQ(
        played_criu::log(),
        "1 ckpt-lease: post-dump: /proc/self/cwd/hook cannot be started: Exec format error\n");
}

// CRIU heeds what init() answers, and nothing that is asked later.
TEST_F(Plugin, WithoutTheHookItFailsOnlyWhenToldTo) {
    fs::remove("hook");
    EXPECT_FALSE(Loaded(Loaded::dump).is_refused());
    setenv("CKPT_LEASE_STRICT", "1", 1);
    EXPECT_TRUE(Loaded(Loaded::dump).is_refused());
    EXPECT_EQ(played_criu::log(),
              "1 ckpt-lease: init: /proc/self/cwd/hook cannot be started: No such file or "
              "directory\n");
    make_hook(kSay);
    EXPECT_FALSE(Loaded(Loaded::dump).is_refused());
}

}  // namespace
