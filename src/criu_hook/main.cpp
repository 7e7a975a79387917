// SPDX-License-Identifier: GPL-2.0-or-later
// For criu's option --action-script, which takes a program without arguments: see
// ckpt-lease-criu-hook(1). criu starts it at every stage, most of them while the tasks are stopped:
// so it needs no library but libc, and ends at once where there is nothing to do. All else is done
// by ckpt-lease, in a process of its own: not even one that is killed makes criu fail.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string_view>

namespace {

constexpr int kFailed = 3;  // kInputOutput of cli/exit_status.hpp
#ifndef CKPT_LEASE_PATIENCE
#define CKPT_LEASE_PATIENCE 60'000
#endif
// Milliseconds: ckpt-lease ends before, but for a fault of its own.
constexpr int kPatience = CKPT_LEASE_PATIENCE;
constexpr int kToBeKilled = 1'000;  // for what does not sleep in state D
constexpr int kToFinish = 15'000;   // for processes that ckpt-lease has left at work

bool has_value(const char* variable, const char* value) {
    const char* const found = std::getenv(variable);
    return found != nullptr && std::strcmp(found, value) == 0;
}

bool is_stage(const char* name) {
    return has_value("CRTOOLS_SCRIPT_ACTION", name);
}

bool is_strict() {
    return has_value("CKPT_LEASE_STRICT", "1");
}

// CRIU's plugin has been at work, in CRIU's own process: see src/criu_plugin/plugin.c.
bool is_done_by_plugin() {
    const char* const stage = std::getenv("CKPT_LEASE_DONE");
    return stage != nullptr && is_stage(stage);
}

// The others are for somebody else. criu heeds how post-restore ends, and not pre-resume.
bool is_our_stage() {
    return is_stage("post-dump") || is_stage("pre-resume") ||
           (is_stage("post-restore") && is_strict());
}

// kFreezeMark of live/freeze_time.hpp: the moment, for ckpt-lease at post-dump. Without it, that
// takes a later one.
void mark_freeze() {
    constexpr const char* kMark = "ckpt-lease.frozen";
    const char* const folder = std::getenv("CRTOOLS_IMAGE_DIR");
    const int opened = folder == nullptr ? -1 : open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (opened >= 0) {
        unlinkat(opened, kMark, 0);  // of a dump that failed
        static_cast<void>(
            openat(opened, kMark, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    }
}

void set_number(const char* variable, int number) {
    std::array<char, 16> text{};
    static_cast<void>(std::snprintf(text.data(), text.size(), "%d", number));
    setenv(variable, text.data(), 1);
}

void complain(const char* what, const char* why) {
    static_cast<void>(std::fprintf(stderr, "ckpt-lease-criu-hook: %s: %s\n", what, why));
}

// Waits for a child, or with -1 until there is none; not longer than `milliseconds`.
bool has_ended(pid_t child, int milliseconds, int& status) {
    constexpr timespec kPause{.tv_sec = 0, .tv_nsec = 5'000'000};
    const auto process = static_cast<int>(child > 0 ? syscall(SYS_pidfd_open, child, 0) : -1);
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    const auto since = now;
    while (true) {
        const pid_t ended = waitpid(child, &status, WNOHANG);
        if (child > 0 ? ended != 0 : ended < 0) {
            return true;
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
        const auto passed =
            (now.tv_sec - since.tv_sec) * 1000 + (now.tv_nsec - since.tv_nsec) / 1'000'000;
        if (passed >= milliseconds) {
            return false;
        }
        if (process >= 0) {
            pollfd end{.fd = process, .events = POLLIN, .revents = 0};
            poll(&end, 1, static_cast<int>(milliseconds - passed));
        } else {
            nanosleep(&kPause, nullptr);
        }
    }
}

// The program that is installed beside this one, whatever links lead here.
class Program {
 public:
    bool find() {
        constexpr std::string_view kName = "ckpt-lease";
        const ssize_t length = readlink("/proc/self/exe", path_.data(), path_.size() - 1);
        if (length <= 0) {
            complain("/proc/self/exe", std::strerror(length == 0 ? ENOENT : errno));
            return false;
        }
        char* const slash = std::strrchr(path_.data(), '/');
        const std::size_t folder =
            slash == nullptr ? 0 : static_cast<std::size_t>(slash + 1 - path_.data());
        if (folder + kName.size() >= path_.size()) {
            complain("/proc/self/exe", std::strerror(ENAMETOOLONG));
            return false;
        }
        path_[folder + kName.copy(path_.data() + folder, kName.size())] = '\0';
        return true;
    }

    enum class End : std::uint8_t { exited, not_started, killed, gave_up };

    // `number`: its exit status, or the signal that killed it.
    End run(int& number) {
        std::array<char, 16> name{"ckpt-lease"};
        std::array<char, 16> command{"criu-hook"};
        const std::array<char*, 3> arguments{name.data(), command.data(), nullptr};
        pid_t child = -1;
        const int error =
            posix_spawn(&child, path_.data(), nullptr, nullptr, arguments.data(), environ);
        if (error != 0) {
            complain(path_.data(), std::strerror(error));
            return End::not_started;
        }
        int status = 0;
        if (!has_ended(child, kPatience, status)) {
            complain(path_.data(), "it does not come to an end, and is killed");
            kill(child, SIGKILL);
            static_cast<void>(has_ended(child, kToBeKilled, status));
            return End::gave_up;
        }
        number = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
        return WIFEXITED(status) ? End::exited : End::killed;
    }

 private:
    std::array<char, 4096> path_{};
};

// They set leases, and lease-break-time, and put it back: nobody else is to come between.
void wait_for_what_is_left() {
    int status = 0;
    static_cast<void>(has_ended(-1, kToFinish, status));
}

// It did not come to its end: the log is to say so, and breaks that criu leaves to us are begun by
// what needs nothing of what it may have stumbled over.
void after_crash(Program& program, int signal) {
    wait_for_what_is_left();
    set_number("CKPT_LEASE_CRASHED", signal);
    int number = 0;
    program.run(number);
}

int act() {
    Program program;
    if (!program.find()) {
        return kFailed;
    }
    set_number("CKPT_LEASE_CRIU_PID", getppid());
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    int number = 0;
    switch (program.run(number)) {
        case Program::End::exited:
            return number;
        case Program::End::not_started:
            return kFailed;
        case Program::End::killed:
            complain("ckpt-lease", strsignal(number));
            after_crash(program, number);
            return kFailed;
        case Program::End::gave_up:
            after_crash(program, 0);
            return kFailed;
    }
    return kFailed;
}

}  // namespace

int main() {
    // Started by hand, it has ckpt-lease say what this is for.
    const bool is_started_by_criu = std::getenv("CRTOOLS_SCRIPT_ACTION") != nullptr;
    if (is_stage("network-lock")) {
        mark_freeze();
    }
    if (is_started_by_criu && (!is_our_stage() || is_done_by_plugin())) {
        return 0;
    }
    signal(SIGCHLD, SIG_DFL);
    const int status = act();
    return is_strict() || !is_started_by_criu ? status : 0;
}
