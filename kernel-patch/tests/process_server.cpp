// SPDX-License-Identifier: GPL-2.0-or-later
#include "process_server.hpp"

#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>

#include "process.hpp"

namespace proof {
namespace {

constexpr uid_t kNobody = 1000;
constexpr int kSocketFd = 3;

sigset_t lease_signal() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    return set;
}

void count_signals(Reply& reply) {
    const sigset_t set = lease_signal();
    const timespec none{};
    siginfo_t info;
    while (sigtimedwait(&set, &info, &none) > 0) {
        ++reply.value;
        reply.signalled_fd = info.si_fd;
    }
}

long set_capability(unsigned capability) {
    __user_cap_header_struct head{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    __user_cap_data_struct data[2] = {};
    data[capability / 32].permitted = 1U << (capability % 32);
    data[capability / 32].effective = data[capability / 32].permitted;
    return syscall(SYS_capset, &head, data);
}

long become(Identity identity) {
    if (identity == Identity::root_in_namespace) {
        if (unshare(CLONE_NEWUSER) != 0) {
            return -1;
        }
        write_file("/proc/self/setgroups", "deny");
        write_file("/proc/self/uid_map", "0 0 1");
        write_file("/proc/self/gid_map", "0 0 1");
        return 0;
    }
    prctl(PR_SET_KEEPCAPS, identity == Identity::restorer ? 1 : 0);
    if (setgroups(0, nullptr) != 0 || setresgid(kNobody, kNobody, kNobody) != 0 ||
        setresuid(kNobody, kNobody, kNobody) != 0) {
        return -1;
    }
    return identity == Identity::restorer ? set_capability(CAP_CHECKPOINT_RESTORE) : 0;
}

// chmod(), rename() there and back, and a second name: what must not disturb a lease.
long change_names(const char* path) {
    const std::string other = std::string(path) + ".other";
    if (chmod(path, 0600) != 0 || chmod(path, 0644) != 0 || rename(path, other.c_str()) != 0 ||
        rename(other.c_str(), path) != 0 || link(path, other.c_str()) != 0) {
        return -1;
    }
    return unlink(other.c_str());
}

long perform(Request& request, Reply& reply) {
    switch (request.op) {
        case Request::Op::open:
            return open(request.path, request.command | O_CLOEXEC);
        case Request::Op::truncate:
            return truncate(request.path, 0);
        case Request::Op::change:
            return change_names(request.path);
        case Request::Op::fcntl:
            return fcntl(request.fd, request.command, request.value);
        case Request::Op::state: {
            const int result = fcntl(request.fd, request.command, &request.state);
            reply.state = request.state;
            return result;
        }
        case Request::Op::close:
            return close(request.fd);
        case Request::Op::signals:
            count_signals(reply);
            return reply.value;
        case Request::Op::become:
            return become(static_cast<Identity>(request.value));
    }
    errno = ENOSYS;
    return -1;
}

// A time namespace is for children: the one that serves is a child, this process waits for it.
void enter_time_namespace(int offset) {
    checked(unshare(CLONE_NEWTIME), "unshare a time namespace");
    write_file("/proc/self/timens_offsets", format("monotonic %d 0", offset));
    const auto child = static_cast<pid_t>(checked(fork(), "fork"));
    if (child != 0) {
        int status = 0;
        waitpid(child, &status, 0);
        _exit(0);
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

void serve_requests() {
    Reply hello{.value = getpid()};
    Request request;
    write(kSocketFd, &hello, sizeof hello);
    while (read(kSocketFd, &request, sizeof request) == sizeof request) {
        Reply reply{.begin = now()};
        write(kSocketFd, &reply, sizeof reply);
        errno = 0;
        const long result = perform(request, reply);
        reply.value = result == -1 ? -errno : result;
        reply.end = now();
        write(kSocketFd, &reply, sizeof reply);
    }
}

}  // namespace

void serve(int socket, int clock_offset) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const sigset_t set = lease_signal();
    sigprocmask(SIG_BLOCK, &set, nullptr);
    if (socket != kSocketFd) {
        dup3(socket, kSocketFd, O_CLOEXEC);
    }
    close_range(kSocketFd + 1, ~0U, 0);
    try {
        if (clock_offset != 0) {
            enter_time_namespace(clock_offset);
        }
        serve_requests();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "a child process: %s\n", error.what());
    }
    _exit(1);
}

}  // namespace proof
