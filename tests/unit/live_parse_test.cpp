// SPDX-License-Identifier: GPL-2.0-or-later
// What the kernel prints of the leases of live processes.
#include <gtest/gtest.h>
#include <sys/sysmacros.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "live/breakers.hpp"
#include "live/look/lease_event.hpp"
#include "live/proc_text.hpp"
#include "live/process_stat.hpp"
#include "live/processes.hpp"

namespace ckpt_lease::live {
namespace {

using namespace std::chrono_literals;

TEST(Fdinfo, ALeaseThatIsHeld) {
    const auto lease =
        parse_fdinfo_line("lock:\t1: LEASE  ACTIVE    WRITE 4242 fe:00:12985598 0 EOF");
    ASSERT_TRUE(lease);
    EXPECT_EQ(*lease, (FdinfoLease{false, LockType::wrlck, {makedev(0xfe, 0), 12985598}}));
}

TEST(Fdinfo, ALeaseThatIsBeingBrokenShowsWhatItBecomes) {
    EXPECT_FALSE(is_delegation_line("lock:\t1: LEASE  ACTIVE    WRITE 4242 fe:00:12985598 0 EOF"));
    EXPECT_TRUE(is_delegation_line("lock:\t1: DELEG  ACTIVE    READ 4242 fe:00:12985598 0 EOF"));
    EXPECT_FALSE(is_delegation_line("flags:\t1: DELEG"));
    EXPECT_EQ(parse_fdinfo_line("lock:\t1: LEASE  BREAKING  READ  7 08:21:5 0 EOF"),
              (FdinfoLease{true, LockType::rdlck, {makedev(8, 0x21), 5}}));
    EXPECT_EQ(parse_fdinfo_line("lock:\t2: LEASE  BREAKING  UNLCK 7 08:21:5 0 EOF"),
              (FdinfoLease{true, LockType::unlck, {makedev(8, 0x21), 5}}));
}

TEST(Fdinfo, ADelegationIsReadAsOne) {
    EXPECT_EQ(parse_delegation_line("lock:\t1: DELEG  ACTIVE    WRITE 7 08:21:5 0 EOF"),
              (FdinfoLease{false, LockType::wrlck, {makedev(8, 0x21), 5}}));
    EXPECT_EQ(parse_delegation_line("lock:\t1: DELEG  BREAKING  UNLCK 7 08:21:5 0 EOF"),
              (FdinfoLease{true, LockType::unlck, {makedev(8, 0x21), 5}}));
    for (const char* const line : {"", "flags:\t1: DELEG  ACTIVE    READ  7 08:21:5 0 EOF",
                                   "lock:\t1: LEASE  ACTIVE    READ  7 08:21:5 0 EOF",
                                   "lock:\t1: DELEG  BREAKER   READ  7 08:21:5 0 EOF",
                                   "lock:\t1: DELEG  ACTIVE    OTHER 7 08:21:5 0 EOF"}) {
        EXPECT_FALSE(parse_delegation_line(line)) << line;
    }
}

// A folder like /proc, with one process.
class OneProcess {
 public:
    OneProcess(pid_t pid, const std::map<std::string, std::string>& fdinfo) {
        const auto folder = proc_ / std::to_string(pid) / "task" / std::to_string(pid);
        std::filesystem::create_directories(folder / "fdinfo");
        std::filesystem::create_directories(folder / "fd");
        std::ofstream(folder / "status") << "Name:\tx\n";
        std::ofstream(folder / "comm") << "smbd\n";
        for (const auto& [fd, text] : fdinfo) {
            std::ofstream(folder / "fdinfo" / fd) << text;
            std::filesystem::create_symlink("/srv/" + fd, folder / "fd" / fd);
        }
    }
    OneProcess(const OneProcess&) = delete;
    OneProcess& operator=(const OneProcess&) = delete;
    ~OneProcess() { std::filesystem::remove_all(proc_); }
    [[nodiscard]] std::string proc() const { return proc_; }

 private:
    std::string name_ = std::filesystem::temp_directory_path() / "ckpt-lease-XXXXXX";
    std::filesystem::path proc_ = mkdtemp(name_.data());
};

// A folder has delegations, too, and an open file may have one or a lease.
TEST(Process, HasDelegationsBesideItsLeases) {
    const OneProcess one(
        7,
        {{"3", "flags:\t0100002\nmnt_id:\t29\nlock:\t1: LEASE  ACTIVE    WRITE 7 08:21:5 0 EOF\n"},
         {"4", "flags:\t0100000\nmnt_id:\t30\nlock:\t1: DELEG  ACTIVE    READ  7 08:21:6 0 EOF\n"},
         {"5", "flags:\t0100000\nlock:\t1: DELEG  BREAKING  UNLCK 7 08:21:7 0 EOF\n"},
         {"6", "flags:\t0100000\nlock:\t1: POSIX  ADVISORY  WRITE 7 08:21:8 0 EOF\n"}});
    const std::vector<Process> found = read_process(7, one.proc());
    ASSERT_EQ(found.size(), 1U);
    ASSERT_EQ(found[0].descriptors.size(), 1U);
    EXPECT_EQ(found[0].descriptors[0].fd, 3);
    EXPECT_EQ(found[0].descriptors[0].path, "/srv/3");
    ASSERT_EQ(found[0].delegations.size(), 2U);
    EXPECT_EQ(found[0].delegations[0].fd, 4);
    EXPECT_EQ(found[0].delegations[0].path, "/srv/4");
    EXPECT_EQ(found[0].delegations[0].mount_id, 30);
    EXPECT_EQ(found[0].delegations[0].lease,
              (FdinfoLease{false, LockType::rdlck, {makedev(8, 0x21), 6}}));
    EXPECT_EQ(found[0].delegations[1].lease,
              (FdinfoLease{true, LockType::unlck, {makedev(8, 0x21), 7}}));
}

TEST(ProcLocks, TellsHowManyLeasesThereAreAndWhoWaits) {
    const SystemLeases found = parse_locks(
        "1: LEASE  BREAKING  UNLCK 7 08:21:5 0 EOF\n"
        "1: -> LEASE  BREAKER   WRITE 42 <none>:0 0 EOF\n"
        "1:    -> LEASE  BREAKER   READ  43 <none>:0 0 EOF\n"
        "2: LEASE  BREAKING  UNLCK 8 08:21:5 0 EOF\n"
        "3: POSIX  ADVISORY  WRITE 9 08:21:6 0 EOF\n"
        "3: -> POSIX  ADVISORY  WRITE 44 08:21:6 0 EOF\n"
        "4: DELEG  BREAKING  READ  9 08:21:7 0 EOF\n"
        "4: -> DELEG  BREAKER   READ  45 <none>:0 0 EOF\n"
        "5: LEASE  ACTIVE    READ  9 08:21:7 0 EOF\n");
    const Inode broken{makedev(8, 0x21), 5};
    const Inode held{makedev(8, 0x21), 7};
    EXPECT_EQ(found.files,
              (std::map<Inode, FileLeases>{{broken, {2, {true, LockType::unlck, broken}, true}},
                                           {held, {1, {false, LockType::rdlck, held}, true}}}));
    EXPECT_EQ(found.of(broken).count, 2U);
    EXPECT_EQ(found.of({}).count, 0U);
    ASSERT_EQ(found.breakers.size(), 2U);
    EXPECT_EQ(found.breakers[0].pid, 42);
    EXPECT_EQ(found.breakers[0].inode, broken);
    EXPECT_EQ(found.breakers[1].pid, 43);
    EXPECT_EQ(found.breakers[1].inode, broken);
}

TEST(ProcLocks, TellsWhetherAllLeasesOfAFileAreAlike) {
    const SystemLeases found = parse_locks(
        "1: LEASE  BREAKING  UNLCK 7 08:21:5 0 EOF\n"
        "2: LEASE  ACTIVE    READ  7 08:21:5 0 EOF\n"
        "3: LEASE  BREAKING  UNLCK 7 08:21:5 0 EOF\n");
    const Inode inode{makedev(8, 0x21), 5};
    EXPECT_EQ(found.of(inode), (FileLeases{3, {true, LockType::unlck, inode}, false}));
}

TEST(ProcLocks, WhoWaitsForALockHasNoLease) {
    EXPECT_EQ(parse_lock("3: LEASE  ACTIVE    READ 7 08:21:5 0 EOF"),
              (FdinfoLease{false, LockType::rdlck, {makedev(8, 0x21), 5}}));
    EXPECT_FALSE(parse_lock("3: -> LEASE  ACTIVE    READ 7 08:21:5 0 EOF"));
}

TEST(Fdinfo, NothingElseIsALease) {
    for (const char* const line :
         {"", "pos:\t0", "lock:\t1: POSIX  ADVISORY  WRITE 7 fe:00:5 0 EOF",
          "lock:\t1: FLOCK  ADVISORY  WRITE 7 fe:00:5 0 EOF",
          "lock:\t1: DELEG  ACTIVE    READ  7 fe:00:5 0 EOF",
          "lock:\t1: LEASE  BREAKER   READ  7 fe:00:5 0 EOF",
          "lock:\t1: LEASE  ACTIVE    OTHER 7 fe:00:5 0 EOF",
          "lock:\t1: LEASE  ACTIVE    READ  7 fe:00 0 EOF",
          "lock:\t1: LEASE  ACTIVE    READ  7 fe:xx:5 0 EOF"}) {
        EXPECT_FALSE(parse_fdinfo_line(line)) << line;
    }
}

TEST(ProcessStat, TellsNameStateAndStart) {
    const auto stat = parse_stat(
        "42 (a b) S 1) S 1 42 42 0 -1 4194560 1 0 0 0 3 4 0 0 20 0 1 0 12345 1000 20 1844\n");
    ASSERT_TRUE(stat);
    EXPECT_EQ(stat->comm, "a b) S 1") << "a name may hold anything";
    EXPECT_FALSE(stat->has_ended);
    EXPECT_EQ(stat->started, Nanoseconds(123450ms));
    EXPECT_TRUE(parse_stat("42 (x) Z 1 42 42 0 -1 4 1 0 0 0 3 4 0 0 20 0 1 0 1 0 0")->has_ended);
}

TEST(ProcessStat, OneThatDoesNotTellIsNone) {
    for (const char* const text :
         {"", "42 x S 1", "42 )(", "42 (x) S 1 42 42 0 -1 4 1 0 0 0 3 4 0 0 20 0 1 0",
          "42 (x) S 1 42 42 0 -1 4 1 0 0 0 3 4 0 0 20 0 1 0 soon 0",
          "42 (x) S 1 42 42 0 -1 4 1 0 0 0 3 4 0 0 20 0 1 0 9223372036854775807 0"}) {
        EXPECT_FALSE(parse_stat(text)) << text;
    }
}

TEST(Cgroup, IsThatOfTheUnifiedHierarchy) {
    EXPECT_EQ(parse_cgroup("0::/user.slice/a:b\n"), "/user.slice/a:b");
    EXPECT_EQ(parse_cgroup("4:memory:/m\n1:name=systemd:/s\n0::/u\n"), "/u");
    EXPECT_EQ(parse_cgroup("4:memory:/m\n1:name=systemd:/s\n"), "/s");
    EXPECT_EQ(parse_cgroup("4:memory:/m\n3:cpu,cpuacct:/c\n"), "/m") << "no other is better";
    EXPECT_EQ(parse_cgroup("nothing\n0:\n"), "");
}

// Those above it, beside it, and one that has ended are not in it.
TEST(Cgroup, HasTheProcessesInItAndBelowIt) {
    namespace fs = std::filesystem;
    std::string name = fs::temp_directory_path() / "ckpt-lease-XXXXXX";
    const fs::path proc = mkdtemp(name.data());
    for (const auto& [pid, cgroup] :
         {std::pair("1", "/"), {"7", "/a/b"}, {"8", "/a/b/c"}, {"9", "/a/bc"}, {"10", "/a"}}) {
        fs::create_directory(proc / pid);
        std::ofstream(proc / pid / "cgroup") << "0::" << cgroup << "\n";
    }
    fs::create_directory(proc / "11");
    EXPECT_EQ(pids_in_cgroup("/a/b", proc), (std::vector<pid_t>{7, 8}));
    EXPECT_EQ(pids_in_cgroup("/a/b/c", proc), std::vector<pid_t>{8});
    EXPECT_EQ(pids_in_cgroup("/", proc), (std::vector<pid_t>{1, 7, 8, 9, 10}));
    EXPECT_EQ(pids_in_cgroup("/b", proc), std::vector<pid_t>{});
    fs::remove_all(proc);
}

TEST(TimerList, TellsJiffies) {
    EXPECT_EQ(parse_timer_list("Timer List Version: v0.10\nHRTIMER_MAX_CLOCK_BASES: 8\n"
                               "now at 1000000000000 nsecs\n\ncpu: 0\n  .idle_jiffies   : 7\n"
                               "jiffies: 4295142296\n"),
              4295142296U);
}

TEST(TimerList, OneThatDoesNotTellIsNone) {
    EXPECT_FALSE(parse_timer_list(""));
    EXPECT_FALSE(parse_timer_list("now at 1000000000000 nsecs\n")) << "no jiffies";
    EXPECT_FALSE(parse_timer_list("jiffies: soon\n"));
}

TEST(Comm, MayHaveEndsOfLinesInIt) {
    EXPECT_EQ(comm_in("smbd\n"), "smbd");
    EXPECT_EQ(comm_in("a\nb\n"), "a\nb");
    EXPECT_EQ(comm_in("a\n\n"), "a\n");
    EXPECT_EQ(comm_in("\n"), "");
    EXPECT_EQ(comm_in(""), "");
}

}  // namespace
}  // namespace ckpt_lease::live
