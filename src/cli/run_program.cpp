// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/run_program.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <thread>

#include "live/fd.hpp"

namespace ckpt_lease::cli {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostOutput = std::size_t{64} * 1024;

std::optional<pid_t> start(const std::vector<std::string>& words, int out) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    // A group of its own, so that what it has started is killed with it.
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(&attributes, 0);
    std::vector<std::string> copies = words;
    std::vector<char*> arguments;
    std::transform(copies.begin(), copies.end(), std::back_inserter(arguments),
                   [](std::string& word) { return word.data(); });
    arguments.push_back(nullptr);
    pid_t pid = 0;
    const int error =
        posix_spawnp(&pid, arguments[0], &actions, &attributes, arguments.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error == 0 ? std::optional(pid) : std::nullopt;
}

// Reads what is there, and waits a moment where nothing is. False where no more comes.
bool read_some(int fd, std::string& text) {
    constexpr int kMoment = 2;
    std::array<char, 4096> piece{};
    pollfd waited{.fd = fd, .events = POLLIN, .revents = 0};
    if (poll(&waited, 1, kMoment) <= 0) {
        return true;
    }
    const ssize_t got = read(fd, piece.data(), piece.size());
    if (got > 0) {
        text.append(piece.data(),
                    std::min(static_cast<std::size_t>(got), kMostOutput - text.size()));
    }
    return got > 0 || (got < 0 && errno == EINTR);
}

// Its exit status as waitpid(2) tells it; nothing if the time is over before it ends. What it has
// started may go on, and hold its output open: that is not waited for.
std::optional<int> read_until_it_ends(pid_t pid, int fd, Clock::time_point end, std::string& text) {
    constexpr milliseconds kPause{2};
    bool is_open = true;
    int status = 0;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (Clock::now() >= end) {
            return std::nullopt;
        }
        is_open = is_open && read_some(fd, text);
        if (!is_open) {
            std::this_thread::sleep_for(kPause);
        }
    }
    // What it wrote last.
    for (std::size_t before = text.size() + 1; is_open && text.size() != before;) {
        before = text.size();
        is_open = read_some(fd, text);
    }
    return status;
}

}  // namespace

std::optional<std::string> output_of(const std::vector<std::string>& words, milliseconds deadline) {
    const auto end = Clock::now() + deadline;
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) {
        return std::nullopt;
    }
    const live::Fd ours(ends[0]);
    live::Fd theirs(ends[1]);
    const auto pid = start(words, theirs.get());
    theirs.reset();
    if (!pid) {
        return std::nullopt;
    }
    std::string text;
    if (const auto status = read_until_it_ends(*pid, ours.get(), end, text)) {
        return WIFEXITED(*status) && WEXITSTATUS(*status) == 0 ? std::optional(text) : std::nullopt;
    }
    kill(-*pid, SIGKILL);
    // What is in the middle of a system call that cannot be broken off is left to init(8).
    static_cast<void>(
        read_until_it_ends(*pid, ours.get(), Clock::now() + milliseconds(1000), text));
    return std::nullopt;
}

}  // namespace ckpt_lease::cli
