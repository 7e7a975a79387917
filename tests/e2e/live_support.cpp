// SPDX-License-Identifier: GPL-2.0-or-later
#include "live_support.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <sstream>

namespace e2e {

namespace {

constexpr const char* kLeaseBreakTime = "/proc/sys/fs/lease-break-time";

constexpr int kTries = 10'000;  // milliseconds

int lease_to_take = F_WRLCK;

void give_up_lease(int /*signal*/) {
    fcntl(7, F_SETLEASE, F_UNLCK);
}

void take_again(int /*signal*/) {
    fcntl(7, F_SETLEASE, F_UNLCK);
    fcntl(7, F_SETLEASE, lease_to_take);
}

}  // namespace

LeaseHolder::LeaseHolder(const std::string& path, int flags, int lease) {
    write_file(path, "data");
    int ready[2];
    EXPECT_EQ(pipe(ready), 0);
    pid_ = fork();
    if (pid_ == 0) {
        std::signal(SIGIO, SIG_IGN);
        std::signal(SIGUSR1, take_again);
        std::signal(SIGUSR2, give_up_lease);
        lease_to_take = lease;
        const int fd = open(path.c_str(), flags);
        if (fd != 7) {
            dup2(fd, 7);
            close(fd);
        }
        const bool held = fcntl(7, F_SETLEASE, lease) == 0 || lease == F_UNLCK;
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

LeaseHolder::~LeaseHolder() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
}

void LeaseHolder::give_up() const {
    kill(pid_, SIGUSR2);
    for (int i = 0; i < kTries && !lease().empty(); ++i) {
        usleep(1000);
    }
    ASSERT_EQ(lease(), "");
}

void LeaseHolder::retake() const {
    kill(pid_, SIGUSR1);
    for (int i = 0; i < kTries && lease().rfind("ACTIVE", 0) != 0; ++i) {
        usleep(1000);
    }
    ASSERT_EQ(lease().rfind("ACTIVE", 0), 0U) << lease();
}

std::string LeaseHolder::lease() const {
    std::istringstream info(read_file("/proc/" + pid() + "/fdinfo/7"));
    std::string word;
    while (info >> word) {
        if (word == "LEASE") {
            std::string state;
            std::string type;
            info >> state >> type;
            return state + " " + type;
        }
    }
    return {};
}

LeaseBreakTime::LeaseBreakTime(int seconds) {
    const int fd = open("/run/ckpt-lease-tests.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    lock_ = fcntl(fd, F_DUPFD_CLOEXEC, 100);  // out of the way: holders have their leases at 7
    close(fd);
    flock(lock_, LOCK_EX);
    before_ = read_file(kLeaseBreakTime);
    write_file(kLeaseBreakTime, std::to_string(seconds));
}

LeaseBreakTime::~LeaseBreakTime() {
    write_file(kLeaseBreakTime, before_);
    flock(lock_, LOCK_UN);  // holders have it open too
    close(lock_);
}

void Live::SetUp() {
    if (geteuid() == 0) {
        return;
    }
    const char* const ci = std::getenv("CI");
    if (ci != nullptr && std::string(ci) == "true") {
        FAIL() << "in CI this has to run: it needs root";
    }
    GTEST_SKIP() << "NOT TESTED, live processes: it needs root";
}

}  // namespace e2e
