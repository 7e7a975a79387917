// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "live_support.hpp"

namespace e2e {

inline constexpr int kPatience = 20'000;  // milliseconds, for what comes at once

/// 'ckpt-lease show --watch' while it runs, from the moment on at which it has looked first.
class Watcher {
 public:
    enum class AtBrokenPipe : bool { ends, fails };

    explicit Watcher(std::vector<std::string> args,
                     AtBrokenPipe at_broken_pipe = AtBrokenPipe::ends) {
        args.insert(args.begin(), {CKPT_LEASE_PROGRAM, "show", "-v"});
        std::vector<char*> argv;
        for (std::string& arg : args) {
            argv.push_back(arg.data());
        }
        argv.push_back(nullptr);
        int out[2];
        int err[2];
        EXPECT_EQ(pipe2(out, O_CLOEXEC) | pipe2(err, O_CLOEXEC), 0);
        posix_spawn_file_actions_t actions{};
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
        posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
        // What other tests ignore is ignored here only if that is asked for.
        sigset_t ends;
        sigemptyset(&ends);
        sigaddset(&ends, SIGPIPE);
        posix_spawnattr_t attributes{};
        posix_spawnattr_init(&attributes);
        if (at_broken_pipe == AtBrokenPipe::fails) {
            std::signal(SIGPIPE, SIG_IGN);
        } else {
            posix_spawnattr_setsigdefault(&attributes, &ends);
            posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
        }
        EXPECT_EQ(posix_spawn(&pid_, argv[0], &actions, &attributes, argv.data(), environ), 0);
        posix_spawnattr_destroy(&attributes);
        posix_spawn_file_actions_destroy(&actions);
        close(out[1]);
        close(err[1]);
        out_ = out[0];
        err_ = err[0];
        EXPECT_NE(line_of(err_).find("; watching"), std::string::npos);
    }
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;
    ~Watcher() {
        kill(pid_, SIGKILL);
        end();
        close(out_);
        close(err_);
    }

    // The next line that it prints; empty if it has ended.
    std::string line() { return line_of(out_); }
    // The next event, of JSON.
    Json event() {
        const std::string text = line();
        if (text.empty()) {
            throw std::runtime_error("it has ended");
        }
        return parse_valid("watch", text);
    }
    // Nobody reads its lines any more.
    void close_output() {
        close(out_);
        out_ = -1;
    }
    // The next line of its messages.
    std::string message() { return line_of(err_); }
    void signal(int number) const { kill(pid_, number); }
    // Waits until it ends, and returns its status; 128 + N if signal N ended it.
    int end() {
        int status = 0;
        if (!status_ && waitpid(pid_, &status, 0) == pid_) {
            status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
        return status_.value_or(-1);
    }

 private:
    static std::string line_of(int fd) {
        std::string text;
        for (char next = 0; next != '\n';) {
            pollfd input{.fd = fd, .events = POLLIN, .revents = 0};
            if (poll(&input, 1, kPatience) != 1) {
                ADD_FAILURE() << "nothing comes behind '" << text << "'";
                return {};
            }
            if (read(fd, &next, 1) != 1) {
                return text;
            }
            text += next;
        }
        return text;
    }

    pid_t pid_ = -1;
    int out_ = -1;
    int err_ = -1;
    std::optional<int> status_;
};

/// Begins a break, and does not wait.
inline void break_lease(const std::string& path, int flags = O_WRONLY) {
    EXPECT_EQ(open(path.c_str(), flags | O_NONBLOCK), -1);
    EXPECT_EQ(errno, EWOULDBLOCK);
}

inline std::vector<std::string> watch(const LeaseHolder& holder,
                                      std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"--pid", holder.pid(), "--watch", "0.1"});
    return more;
}

}  // namespace e2e
