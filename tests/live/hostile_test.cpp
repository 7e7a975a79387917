// SPDX-License-Identifier: GPL-2.0-or-later
// Neighbours who mean harm: file systems that do not answer, holders that stop what is sent to
// them, images that want what their holders may not.
#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "live/capture.hpp"
#include "live/fd.hpp"
#include "live/set/owner_setter.hpp"
#include "live/set/run.hpp"
#include "processes.hpp"

namespace ckpt_lease::live::test {
namespace {

// The file system of hanging_fs.cpp. Who has a file of it open can end only after it: so it is to
// be made after them, and filled with life by begin_to_hang().
class HangingFs {
 public:
    HangingFs(const Folder& folder, const char* operation, bool is_private = false)
        : folder_(folder.file("mnt") + ".d") {
        std::filesystem::create_directory(folder_);
        int ready[2];
        EXPECT_EQ(pipe(ready), 0);
        pid_ = fork();
        if (pid_ == 0) {
            dup2(ready[1], STDOUT_FILENO);
            close(ready[0]);
            close(ready[1]);
            if (is_private) {
                // Whose it is, for the kernel; it takes root to mount it.
                static_cast<void>(setresgid(kSomebody, 0, 0));
                static_cast<void>(setresuid(kSomebody, 0, 0));
            }
            execl(HANGING_FS, HANGING_FS, folder_.c_str(), operation,
                  is_private ? "private" : static_cast<char*>(nullptr), nullptr);
            _exit(127);
        }
        close(ready[1]);
        said_ = ready[0];
        is_there_ = reads('r');
    }
    HangingFs(const HangingFs&) = delete;
    HangingFs& operator=(const HangingFs&) = delete;
    // Without its program, whatever waits for it goes on.
    ~HangingFs() {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
        umount2(folder_.c_str(), MNT_DETACH);
        close(said_);
    }

    [[nodiscard]] bool is_there() const { return is_there_; }
    [[nodiscard]] std::string path() const { return folder_ + "/f"; }
    void begin_to_hang() const {
        kill(pid_, SIGUSR1);
        EXPECT_TRUE(reads('h'));
    }

    static constexpr uid_t kSomebody = 65534;

 private:
    [[nodiscard]] bool reads(char wanted) const {
        for (char said = 0; read(said_, &said, 1) == 1;) {
            if (said == wanted) {
                return true;
            }
        }
        return false;
    }

    std::string folder_;
    pid_t pid_ = -1;
    int said_ = -1;
    bool is_there_ = false;
};

// Whoever waits for a file system that does not answer would be here for ever.
constexpr double kNotForEver = 20;

struct Hostile : ApplyTest {
    void SetUp() override {
        ApplyTest::SetUp();
        if (std::string_view(HANGING_FS).empty() || access("/dev/fuse", R_OK | W_OK) < 0) {
            const char* const ci = std::getenv("CI");
            ASSERT_FALSE(ci != nullptr && std::string_view(ci) == "true")
                << "in CI this has to run";
            GTEST_SKIP() << "NOT TESTED, file systems that hang: libfuse3 or /dev/fuse is missing";
        }
    }
    static std::vector<Process> all_of(const std::vector<pid_t>& pids) {
        std::vector<Process> found;
        for (const pid_t pid : pids) {
            found.push_back(read_process(pid).front());
        }
        return found;
    }
};

TEST_F(Hostile, AFileSystemThatHangsCostsNobodyElseACapture) {
    for (const char* const operation : {"getattr", "open", "flush"}) {
        SCOPED_TRACE(operation);
        std::vector<std::unique_ptr<Holder>> holders;
        const HangingFs fs(folder, operation);
        ASSERT_TRUE(fs.is_there());
        for (const std::string& path : {fs.path(), fs.path(), folder.file("f")}) {
            holders.push_back(std::make_unique<Holder>(path, HolderOptions{.lease = F_RDLCK}));
        }
        fs.begin_to_hang();
        const SteadyTime begin = steady_now();
        const Captured found =
            capture(all_of({holders[0]->pid(), holders[1]->pid(), holders[2]->pid()}), {});
        EXPECT_LT(seconds_since(begin), kNotForEver);
        ASSERT_EQ(found.image.locks.size(), 3U);
        EXPECT_EQ(found.image.locks.at(2).lease, held(LockType::rdlck));
        EXPECT_EQ(found.image.owners[2].id, holders[2]->pid());
        // To look does not ask the file system; to have looked does.
        if (std::string_view(operation) == "flush") {
            ASSERT_EQ(found.unknown.size(), 1U);
            EXPECT_NE(found.unknown[0].message.find("does not answer: of a lease on it"),
                      std::string::npos)
                << found.unknown[0].message;
        } else {
            EXPECT_TRUE(found.unknown.empty());
        }
    }
}

TEST_F(Hostile, WhatIsLeftOnAFileSystemThatHangsIsNotGuessed) {
    std::vector<std::unique_ptr<Holder>> holders;
    const HangingFs fs(folder, "flush");
    ASSERT_TRUE(fs.is_there());
    for (int i = 0; i < 2; ++i) {
        holders.push_back(std::make_unique<Holder>(fs.path(), HolderOptions{.lease = F_RDLCK}));
    }
    ASSERT_EQ(open(fs.path().c_str(), O_WRONLY | O_NONBLOCK), -1);
    fs.begin_to_hang();
    const Captured found = capture(all_of({holders[0]->pid(), holders[1]->pid()}), {});
    ASSERT_EQ(found.image.locks.size(), 2U);
    EXPECT_TRUE(found.image.locks.at(0).lease.remaining.is_known());
    EXPECT_TRUE(found.image.locks.at(1).lease.breaking);
    EXPECT_FALSE(found.image.locks.at(1).lease.remaining.is_known());
    EXPECT_EQ(found.unknown.size(), 1U);
}

// Both have the same number for their descriptor, and so it is opened and closed for each call.
TEST_F(Hostile, AFileSystemThatHangsCostsNobodyElseALease) {
    for (const char* const operation : {"getattr", "open", "flush"}) {
        SCOPED_TRACE(operation);
        std::vector<std::unique_ptr<Holder>> holders;
        const HangingFs fs(folder, operation);
        ASSERT_TRUE(fs.is_there());
        std::vector<WantedLease> leases;
        for (const std::string& path : {fs.path(), folder.file("f")}) {
            holders.push_back(std::make_unique<Holder>(path, HolderOptions{.lease = F_WRLCK}));
            leases.push_back(wanted(*holders.back(), ten_seconds()));
        }
        fs.begin_to_hang();
        const SteadyTime begin = steady_now();
        const auto results = apply(leases, {});
        EXPECT_LT(seconds_since(begin), kNotForEver);
        EXPECT_EQ(results[1], kSet) << results[1].reason;
        EXPECT_TRUE(holders[1]->is_breaking());
        if (std::string_view(operation) == "flush") {
            EXPECT_EQ(results[0].outcome, Outcome::skipped);
            EXPECT_NE(results[0].reason.find("its file system does not answer"), std::string::npos)
                << results[0].reason;
        } else {
            EXPECT_EQ(results[0], kSet) << results[0].reason;
        }
        // And the next run is not held up by what is left of this one.
        const Holder other(folder.file("g"), {.lease = F_WRLCK});
        EXPECT_EQ(apply_one(wanted(other, ten_seconds())), kSet);
    }
}

TEST_F(Hostile, APrivateFileSystemHidesItsOwnLeaseOnly) {
    std::unique_ptr<Neighbour> somebody;
    const Holder holder(folder.file("f"), {.lease = F_WRLCK});
    const HangingFs fs(folder, "nothing", true);
    ASSERT_TRUE(fs.is_there());
    chmod(std::filesystem::path(fs.path()).parent_path().parent_path().c_str(), 0755);
    somebody = std::make_unique<Neighbour>([&] {
        static_cast<void>(setresgid(fs.kSomebody, fs.kSomebody, fs.kSomebody));
        static_cast<void>(setresuid(fs.kSomebody, fs.kSomebody, fs.kSomebody));
        const int fd = open(fs.path().c_str(), O_RDONLY);
        if (fd < 0 || fcntl(fd, F_SETLEASE, F_RDLCK) < 0) {
            _exit(1);
        }
    });
    struct stat status {};
    ASSERT_LT(stat(fs.path().c_str(), &status), 0) << "root may not look at it";
    const Captured found = capture(all_of({somebody->pid(), holder.pid()}), {});
    ASSERT_EQ(found.image.locks.size(), 2U);
    EXPECT_EQ(found.image.locks.at(0).lease, held(LockType::rdlck));
    EXPECT_EQ(found.image.locks.at(1).lease, held(LockType::wrlck));
}

using HostileHolder = ApplyTest;

// Whatever the kernel lets the holder's user stop.
TEST_F(HostileHolder, AHolderThatStopsWhatHasItsUidStopsNobody) {
    constexpr uid_t kUser = 1234;
    const Holder holder(folder.file("f"), {.lease = F_WRLCK, .uid = kUser, .euid = kUser});
    const Holder other(folder.file("g"), {.lease = F_WRLCK});
    const Neighbour stopper([] {
        if (fork() != 0) {
            return;
        }
        static_cast<void>(setresuid(kUser, kUser, kUser));
        const pid_t self = getpid();
        while (getppid() != 1) {
            DIR* const proc = opendir("/proc");
            while (const dirent* const entry = readdir(proc)) {
                const pid_t pid = std::atoi(entry->d_name);
                if (pid > 1 && pid != self) {
                    kill(pid, SIGSTOP);
                }
            }
            closedir(proc);
        }
        _exit(0);
    });
    const SteadyTime begin = steady_now();
    for (int i = 0; i < 5; ++i) {
        const std::vector<WantedLease> leases{wanted(holder, ten_seconds()),
                                              wanted(other, ten_seconds())};
        const auto results = apply(leases, {});
        EXPECT_EQ(results[1], kSet) << results[1].reason;
        if (results[0] != kSet) {
            EXPECT_EQ(results[0],
                      (AppliedLease{Outcome::skipped,
                                    "cannot set the lease's owner: the lease is set, but its "
                                    "holder may not be signalled: Connection timed out"}));
        }
    }
    EXPECT_LT(seconds_since(begin), 5 * kNotForEver);
}

pid_t only_child() {
    std::ifstream children("/proc/self/task/" + std::to_string(getpid()) + "/children");
    pid_t child = 0;
    children >> child;
    return child;
}

// It had the holder's uid for a moment, and was stopped right then. Once it stayed, and kept
// whoever read our output waiting.
TEST_F(HostileHolder, WhatWasStoppedDoesNotStayWhenTheWorkerEnds) {
    constexpr uid_t kUser = 1234;
    const std::string path = folder.file("f");
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const Fd in(ends[0]);
    Fd out(ends[1]);
    const pid_t worker = fork();
    if (worker == 0) {
        auto* const owners = new OwnerSetter([](Fd fd) { return fd; });
        const Fd file(open(path.c_str(), O_RDONLY));
        const LeaseOwner owner{.id = getpid(), .uid = kUser, .euid = kUser, .signal = SIGUSR1};
        const bool is_set = owners->put(file.get(), owner) == 0;
        const pid_t helper = only_child();
        kill(helper, SIGSTOP);
        siginfo_t info{};
        waitid(P_PID, static_cast<id_t>(helper), &info, WSTOPPED | WNOWAIT);
        _exit(is_set && info.si_code == CLD_STOPPED ? 0 : 1);
    }
    out.reset();
    int status = 0;
    ASSERT_EQ(waitpid(worker, &status, 0), worker);
    EXPECT_EQ(status, 0);
    pollfd end{.fd = in.get(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(poll(&end, 1, 5000), 1) << "somebody still has the other end open";
}

TEST_F(HostileHolder, AnOwnerThatTheHolderCouldNotSetIsRefused) {
    constexpr uid_t kUser = 1234;
    const Holder holder(folder.file("f"), {.lease = F_WRLCK, .user = kUser});
    const LeaseOwner owner = holder.owner();
    EXPECT_EQ(owner.uid, kUser);
    WantedLease lease = wanted(holder, ten_seconds());
    for (const auto& [uid, euid] : {std::pair(0U, 0U), {kUser, 0U}, {0U, kUser}, {99U, 99U}}) {
        lease.owner = LeaseOwner{.id = getpid(), .uid = uid, .euid = euid, .signal = SIGKILL};
        EXPECT_EQ(apply_one(lease),
                  (AppliedLease{Outcome::skipped, "its owner is to have been set by the uids " +
                                                      std::to_string(uid) + " and " +
                                                      std::to_string(euid) + ", which process " +
                                                      std::to_string(holder.pid()) + " has not"}));
        EXPECT_FALSE(holder.is_breaking());
        EXPECT_EQ(holder.owner(), owner);
    }
    lease.owner = LeaseOwner{.id = getpid(), .uid = kUser, .euid = kUser, .signal = SIGUSR1};
    EXPECT_EQ(apply_one(lease), kSet);
    EXPECT_EQ(holder.owner(), lease.owner);
}

// Its user keeps the descriptor over the exec(2) of su(1), say, and lets it wait for a password.
TEST_F(HostileHolder, WhatASetUserIdProgramCouldSetIsRefused) {
    constexpr uid_t kUser = 1234;
    const Holder holder(folder.file("f"), {.lease = F_WRLCK, .user = kUser, .is_raised = true});
    const LeaseOwner owner = holder.owner();
    ASSERT_EQ(owner.uid, kUser);
    WantedLease lease = wanted(holder, ten_seconds());
    lease.owner = LeaseOwner{.id = getpid(), .uid = 0, .euid = 0, .signal = SIGKILL};
    const AppliedLease result = apply_one(lease);
    EXPECT_EQ(result.outcome, Outcome::skipped);
    EXPECT_NE(result.reason.find("its owner is to have been set by the uids 0 and 0"),
              std::string::npos)
        << result.reason;
    EXPECT_EQ(holder.owner(), owner);
    lease.owner = owner;
    EXPECT_EQ(apply_one(lease), kSet) << "what it has is left to it";
}

}  // namespace
}  // namespace ckpt_lease::live::test
