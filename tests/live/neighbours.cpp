// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <stdexcept>
#include <system_error>

#include "processes.hpp"

namespace ckpt_lease::live::test {

long checked(long result, const char* what) {
    if (result < 0) {
        throw std::system_error(errno, std::generic_category(), what);
    }
    return result;
}

void end_process(pid_t pid) {
    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, nullptr, 0);
    }
}

Neighbour::Neighbour(const std::function<void()>& what) {
    int ends[2];
    checked(pipe2(ends, O_CLOEXEC), "pipe2");
    pid_ = static_cast<pid_t>(checked(fork(), "fork"));
    if (pid_ == 0) {
        what();
        static_cast<void>(!write(ends[1], "r", 1));
        while (true) {
            pause();
        }
    }
    close(ends[1]);
    char ready = 0;
    const ssize_t got = read(ends[0], &ready, 1);
    close(ends[0]);
    if (got != 1) {
        throw std::runtime_error("the neighbour ended");
    }
}

Neighbour::~Neighbour() {
    end_process(pid_);
}

bool in_child(const std::function<bool()>& ask) {
    const auto child = static_cast<pid_t>(checked(fork(), "fork"));
    if (child == 0) {
        bool answer = false;
        try {
            answer = ask();
        } catch (const std::exception& error) {
            std::fprintf(stderr, "%s\n", error.what());
        }
        _exit(answer ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    return status == 0;
}

bool in_pid_namespace(const std::function<bool()>& ask) {
    return in_child([&] {
        checked(unshare(CLONE_NEWPID | CLONE_NEWNS), "unshare");
        return in_child([&] {
            mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
            checked(mount("proc", "/proc", "proc", 0, nullptr), "mount");
            return ask();
        });
    });
}

void keep_capabilities(std::uint64_t kept) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2]{};
    checked(syscall(SYS_capget, &header, data), "capget");
    for (unsigned i = 0; i < 2; ++i) {
        data[i].effective &= static_cast<std::uint32_t>(kept >> (32 * i));
        data[i].permitted = data[i].effective;
        data[i].inheritable = 0;
    }
    checked(syscall(SYS_capset, &header, data), "capset");
}

}  // namespace ckpt_lease::live::test
