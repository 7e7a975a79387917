// SPDX-License-Identifier: GPL-2.0-or-later
#include "criu_tree.hpp"

#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <sstream>

namespace proof {
namespace {

void note(const std::string& path, const std::string& text) {
    const Descriptor file(
        static_cast<int>(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)));
    const std::string line = text + "\n";
    if (write(file.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
        _exit(1);
    }
}

[[noreturn]] void live_as_holder(const Scratch& scratch, const Kind& kind) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    const int fd = open(scratch.file.c_str(), kind.holder_flags | O_CLOEXEC);
    if (fd < 0 || fcntl(fd, F_SETSIG, SIGRTMIN) != 0 || fcntl(fd, F_SETOWN, getpid()) != 0 ||
        fcntl(fd, F_SETLEASE, kind.held) != 0) {
        note(scratch.folder + "/trouble", "the lease: " + error_name(errno));
        _exit(1);
    }
    note_time(scratch.folder + "/held");
    for (;;) {
        siginfo_t info;
        if (sigwaitinfo(&set, &info) > 0) {
            note(scratch.folder + "/signals", info.si_fd == fd ? "good" : "wrong si_fd");
        }
    }
}

[[noreturn]] void live_as_breaker(const Scratch& scratch, const Kind& kind) {
    note_time(scratch.folder + "/begin");
    const int fd = open(scratch.file.c_str(), kind.breaker_flags | O_CLOEXEC);
    note_time(scratch.folder + (fd >= 0 ? "/in" : "/trouble"));
    for (;;) {
        pause();
    }
}

// The root of what is dumped, with a holder and a breaker as its children. A session of its own,
// and no descriptor that anything outside has a part in.
[[noreturn]] void live_as_root(const Scratch& scratch, const Kind& kind) {
    setsid();
    const int null = open("/dev/null", O_RDWR);
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        dup2(null, fd);
    }
    close_range(STDERR_FILENO + 1, ~0U, 0);
    if (fork() == 0) {
        live_as_holder(scratch, kind);
    }
    noted_time(scratch.folder + "/held");
    if (fork() == 0) {
        live_as_breaker(scratch, kind);
    }
    for (;;) {
        pause();
    }
}

void change_root() {
    checked(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "a private /");
    checked(chdir(kContainerRoot), kContainerRoot);
    checked(syscall(SYS_pivot_root, ".", "."), "pivot_root");
    checked(umount2(".", MNT_DETACH), "umount the old root");
    checked(chdir("/"), "/");
    checked(mount("proc", "/proc", "proc", 0, nullptr), "mount /proc");
}

}  // namespace

double wall_clock() {
    timespec time{};
    clock_gettime(CLOCK_REALTIME, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

void note_time(const std::string& path) {
    note(path, format("%.6f", wall_clock()));
}

std::vector<std::string> lines_of(const std::string& path) {
    std::vector<std::string> lines;
    if (access(path.c_str(), F_OK) == 0) {
        std::istringstream text(read_file(path));
        for (std::string line; std::getline(text, line);) {
            lines.push_back(line);
        }
    }
    return lines;
}

double noted_time(const std::string& path, double limit) {
    const std::int64_t until = now() + static_cast<std::int64_t>(limit * slowness() * 1e9);
    while (lines_of(path).empty()) {
        require(now() < until, format("%s: not there after %.1f s", path.c_str(), limit));
        sleep_for(0.005);
    }
    return std::stod(lines_of(path)[0]);
}

void live_as_tree(const std::string& folder, const std::string& kind) {
    Scratch scratch;
    scratch.folder = folder;
    scratch.file = folder + "/data";
    for (const Kind& one : kAllKinds) {
        if (one.name == kind) {
            live_as_root(scratch, one);
        }
    }
}

Tree::Tree(const Scratch& scratch, const Kind& kind, bool container) {
    // What CRIU restores has no parent when CRIU has ended.
    checked(prctl(PR_SET_CHILD_SUBREAPER, 1), "PR_SET_CHILD_SUBREAPER");
    // As fork(), which cannot do this.
    const long flags = SIGCHLD | (container ? CLONE_NEWPID | CLONE_NEWNS : 0);
    root_ = static_cast<pid_t>(checked(syscall(SYS_clone, flags, 0, 0, 0, 0), "clone"));
    if (root_ == 0) {
        if (container) {
            change_root();
            // So that the program is one of the container's files.
            execl("/init", "/init", kTreeWord, scratch.folder.c_str(), kind.name, nullptr);
            _exit(1);
        }
        live_as_root(scratch, kind);
    }
}

Tree::~Tree() {
    kill(-root_, SIGKILL);
    reap();
}

void Tree::reap() {
    while (waitpid(-root_, nullptr, 0) > 0) {
    }
}

}  // namespace proof
