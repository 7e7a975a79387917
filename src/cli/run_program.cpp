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
#include <system_error>
#include <utility>

#include "live/fd.hpp"

namespace ckpt_lease::cli {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostOutput = std::size_t{64} * 1024;

// 0 or an errno.
int start(const std::vector<std::string>& words, int out, int errors, pid_t& pid) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
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
    const int error =
        posix_spawnp(&pid, arguments[0], &actions, &attributes, arguments.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

// What a program writes into a pipe, and what was read of it.
class Output {
 public:
    Output() {
        std::array<int, 2> ends{};
        if (pipe2(ends.data(), O_CLOEXEC) == 0) {
            ours_ = live::Fd(ends[0]);
            theirs_ = live::Fd(ends[1]);
        }
    }
    [[nodiscard]] bool is_there() const { return ours_.get() >= 0; }
    [[nodiscard]] int its_end() const { return theirs_.get(); }
    void leave_to_program() { theirs_.reset(); }
    [[nodiscard]] pollfd waited() const {
        return {.fd = is_open_ ? ours_.get() : -1, .events = POLLIN, .revents = 0};
    }
    // What is there: poll(2) has said that something is.
    void read_some() {
        std::array<char, 4096> piece{};
        const ssize_t got = read(ours_.get(), piece.data(), piece.size());
        if (got > 0) {
            text_.append(piece.data(),
                         std::min(static_cast<std::size_t>(got), kMostOutput - text_.size()));
        }
        is_open_ = got > 0 || (got < 0 && errno == EINTR);
    }
    [[nodiscard]] std::string take() { return std::move(text_); }

 private:
    live::Fd ours_;
    live::Fd theirs_;
    bool is_open_ = true;
    std::string text_;
};

// Reads what is there of both, and waits a moment where nothing is. False: nothing was.
bool read_some(Output& out, Output& errors) {
    constexpr int kMoment = 2;
    std::array<pollfd, 2> waited{out.waited(), errors.waited()};
    const int ready = poll(waited.data(), waited.size(), kMoment);
    if (ready <= 0) {
        return ready < 0 && errno == EINTR;
    }
    if (waited[0].revents != 0) {
        out.read_some();
    }
    if (waited[1].revents != 0) {
        errors.read_some();
    }
    return true;
}

// Its exit status as waitpid(2) tells it; nothing if the time is over before it ends. What it has
// started may go on, and hold its output open: that is not waited for. Where SIGCHLD is ignored,
// the kernel keeps no status: then nobody knows that it was 0.
std::optional<int> read_until_it_ends(pid_t pid, Output& out, Output& errors,
                                      Clock::time_point end) {
    constexpr int kNotKnown = 0xff00;
    int status = 0;
    pid_t ended = 0;
    while ((ended = waitpid(pid, &status, WNOHANG)) == 0) {
        if (Clock::now() >= end) {
            return std::nullopt;
        }
        read_some(out, errors);
    }
    if (ended < 0) {
        status = kNotKnown;
    }
    // What it wrote last: more than a pipe holds cannot be there.
    constexpr int kMostPieces = 64;
    for (int i = 0; i < kMostPieces && read_some(out, errors); ++i) {
    }
    return status;
}

}  // namespace

Answer run_program(const std::vector<std::string>& words, milliseconds deadline) {
    constexpr milliseconds kToBeKilled{1000};
    const auto end = Clock::now() + deadline;
    Output out;
    Output errors;
    Answer answer;
    pid_t pid = 0;
    const int error = out.is_there() && errors.is_there()
                          ? start(words, out.its_end(), errors.its_end(), pid)
                          : errno;
    out.leave_to_program();
    errors.leave_to_program();
    if (error != 0) {
        answer.state = error == ENOENT ? Answer::State::not_there : Answer::State::failed;
        answer.errors = std::generic_category().message(error);
        return answer;
    }
    if (const auto status = read_until_it_ends(pid, out, errors, end)) {
        const bool is_done = WIFEXITED(*status) && WEXITSTATUS(*status) == 0;
        answer.state = is_done ? Answer::State::done : Answer::State::failed;
    } else {
        answer.state = Answer::State::no_end;
        kill(-pid, SIGKILL);
        // What is in the middle of a system call that cannot be broken off is left to init(8).
        static_cast<void>(read_until_it_ends(pid, out, errors, Clock::now() + kToBeKilled));
    }
    answer.out = out.take();
    answer.errors = errors.take();
    return answer;
}

std::optional<std::string> output_of(const std::vector<std::string>& words, milliseconds deadline) {
    Answer answer = run_program(words, deadline);
    return answer.state == Answer::State::done ? std::optional(std::move(answer.out))
                                               : std::nullopt;
}

}  // namespace ckpt_lease::cli
