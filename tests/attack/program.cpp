// SPDX-License-Identifier: GPL-2.0-or-later
#include "program.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <stdexcept>

namespace attack {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kMost{60};

std::array<int, 2> make_pipe() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) {
        throw std::runtime_error("pipe2");
    }
    return ends;
}

[[noreturn]] void become_program(std::vector<char*>& argv, const Setting& setting,
                                 const std::array<int, 3>& standard) {
    for (int fd = 0; fd < 3; ++fd) {
        dup2(standard.at(static_cast<std::size_t>(fd)), fd);
    }
    for (const int fd : setting.closed) {
        close(fd);
    }
    for (const auto& [name, value] : setting.environment) {
        setenv(name.c_str(), value.c_str(), 1);
    }
    signal(SIGPIPE, SIG_DFL);
    execv(CKPT_LEASE_PROGRAM, argv.data());
    _exit(127);
}

// Returns whether there may be more.
bool take(int fd, std::string& into) {
    std::array<char, 65536> piece{};
    const ssize_t count = read(fd, piece.data(), piece.size());
    into.append(piece.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    return count > 0;
}

}  // namespace

Process::Process(const std::vector<std::string>& args, const Setting& setting) {
    std::vector<std::string> words{CKPT_LEASE_PROGRAM};
    words.insert(words.end(), args.begin(), args.end());
    std::vector<char*> argv;
    for (std::string& word : words) {
        argv.push_back(word.data());
    }
    argv.push_back(nullptr);
    const auto in = make_pipe();
    const auto out = make_pipe();
    const auto err = make_pipe();
    const ssize_t fed = write(in[1], setting.input.data(), setting.input.size());
    if (fed != static_cast<ssize_t>(setting.input.size())) {
        throw std::runtime_error("the input does not fit into a pipe");
    }
    pid_ = fork();
    if (pid_ == 0) {
        become_program(argv, setting, {in[0], out[1], err[1]});
    }
    for (const int fd : {in[0], in[1], out[1], err[1]}) {
        close(fd);
    }
    out_ = out[0];
    err_ = err[0];
}

Process::~Process() {
    if (pid_ > 0) {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    close(out_);
    close(err_);
}

Outcome Process::finish() {
    Outcome outcome;
    std::array<pollfd, 2> open{{{out_, POLLIN, 0}, {err_, POLLIN, 0}}};
    const auto end = begun_ + kMost;
    while ((open[0].fd >= 0 || open[1].fd >= 0) && Clock::now() < end) {
        poll(open.data(), open.size(), 100);
        for (pollfd& ready : open) {
            if (ready.revents != 0 &&
                !take(ready.fd, ready.fd == out_ ? outcome.out : outcome.err)) {
                ready.fd = -1;
            }
            ready.revents = 0;
        }
    }
    // Its descriptors may be closed long before it ends.
    int status = 0;
    while (waitpid(pid_, &status, WNOHANG) == 0) {
        if (Clock::now() >= end) {
            kill(pid_, SIGKILL);
            outcome.err += "(it hung, and was killed)";
        }
        usleep(500);
    }
    pid_ = -1;
    outcome.took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begun_);
    outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return outcome;
}

Outcome run(const std::vector<std::string>& args, const Setting& setting) {
    return Process(args, setting).finish();
}

Outcome run_hook(const std::string& stage, const std::string& folder, const std::string& pid) {
    return run({"criu-hook"}, {.environment = {{"CRTOOLS_SCRIPT_ACTION", stage},
                                               {"CRTOOLS_IMAGE_DIR", folder},
                                               {"CRTOOLS_INIT_PID", pid}}});
}

}  // namespace attack
