// SPDX-License-Identifier: GPL-2.0-or-later
#include "apply_support.hpp"

#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace e2e {

namespace {

constexpr const char* kOut = "background.out";
constexpr const char* kErr = "background.err";

void redirect(int number, const char* path, int flags) {
    const int fd = open(path, flags, 0600);
    dup2(fd, number);
    close(fd);
}

}  // namespace

bool comes_true(const std::function<bool()>& what) {
    for (int i = 0; i < 10'000; ++i) {
        if (what()) {
            return true;
        }
        usleep(1000);
    }
    return false;
}

bool is_stopped(const std::string& pid) {
    return read_file("/proc/" + pid + "/status").find("\nState:\tT") != std::string::npos;
}

LeaseBreaker::LeaseBreaker(const std::string& path) : pid_(fork()) {
    if (pid_ == 0) {
        const int fd = open(path.c_str(), O_WRONLY);
        _exit(fd < 0 ? 1 : 0);
    }
    EXPECT_TRUE(comes_true([&] { return waits(); }));
}

LeaseBreaker::~LeaseBreaker() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
}

bool LeaseBreaker::waits() const {
    return read_file("/proc/locks").find(" LEASE  BREAKER   WRITE " + pid() + " ") !=
           std::string::npos;
}

void LeaseBreaker::stop() const {
    kill(pid_, SIGSTOP);
    EXPECT_TRUE(comes_true([&] { return is_stopped(pid()); }));
}

RunLockHeld::RunLockHeld() : fd_(open("/run/ckpt-lease.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    EXPECT_EQ(flock(fd_, LOCK_EX), 0);
}

void RunLockHeld::release() {
    if (fd_ >= 0) {
        flock(fd_, LOCK_UN);
        close(fd_);
        fd_ = -1;
    }
}

Background::Background(const std::vector<std::string>& args) : pid_(fork()) {
    if (pid_ == 0) {
        redirect(STDIN_FILENO, "/dev/null", O_RDONLY);
        redirect(STDOUT_FILENO, kOut, O_WRONLY | O_CREAT | O_TRUNC);
        redirect(STDERR_FILENO, kErr, O_WRONLY | O_CREAT | O_TRUNC);
        std::vector<char*> words{const_cast<char*>(CKPT_LEASE_PROGRAM)};
        for (const std::string& arg : args) {
            words.push_back(const_cast<char*>(arg.c_str()));
        }
        words.push_back(nullptr);
        execv(words[0], words.data());
        _exit(127);
    }
}

Background::~Background() {
    if (is_running()) {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
}

bool Background::is_running() {
    int status = 0;
    if (status_ < 0 && waitpid(pid_, &status, WNOHANG) == pid_) {
        status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    return status_ < 0;
}

int Background::wait() {
    EXPECT_TRUE(comes_true([&] { return !is_running(); }));
    return status_;
}

std::string Background::err() {
    return std::filesystem::exists(kErr) ? read_file(kErr) : std::string();
}

}  // namespace e2e
