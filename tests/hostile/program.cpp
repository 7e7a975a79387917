// SPDX-License-Identifier: GPL-2.0-or-later
#include "program.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <thread>

namespace hostile {
namespace {

constexpr rlim_t kMostMemory = rlim_t{512} * 1024 * 1024;  // of address space
constexpr rlim_t kMostSeconds =
    300;  // only so that a test ends: what is bounded is counted elsewhere
constexpr std::size_t kKept = 16384;

struct Pipe {
    Pipe() {
        if (pipe2(ends.data(), O_CLOEXEC) != 0) {
            throw std::runtime_error("pipe2");
        }
    }
    std::array<int, 2> ends{};
};

std::uint64_t drain(int fd, std::string& into) {
    std::array<char, 65536> piece{};
    std::uint64_t size = 0;
    for (ssize_t n = 0; (n = read(fd, piece.data(), piece.size())) > 0;) {
        size += static_cast<std::uint64_t>(n);
        into.append(piece.data(), std::min(static_cast<std::size_t>(n), kKept - into.size()));
    }
    close(fd);
    return size;
}

void feed(const std::string& path, int fd) {
    const int from = path.empty() ? -1 : open(path.c_str(), O_RDONLY | O_CLOEXEC);
    std::array<char, 65536> piece{};
    for (ssize_t n = 0; from >= 0 && (n = read(from, piece.data(), piece.size())) > 0;) {
        if (write(fd, piece.data(), static_cast<std::size_t>(n)) < 0) {
            break;  // the program has seen enough
        }
    }
    if (from >= 0) {
        close(from);
    }
    close(fd);
}

void limit(__rlimit_resource_t resource, rlim_t most) {
    const struct rlimit both { most, most };
    setrlimit(resource, &both);
}

[[noreturn]] void become_program(std::vector<char*>& argv, int in, int out, int err) {
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    if (!kSanitized) {
        limit(RLIMIT_AS, kMostMemory);
    }
    limit(RLIMIT_CPU, kMostSeconds);
    execv(CKPT_LEASE_PROGRAM, argv.data());
    _exit(127);
}

}  // namespace

Outcome run(const std::vector<std::string>& args, const std::string& piped) {
    signal(SIGPIPE, SIG_IGN);
    std::vector<std::string> words{CKPT_LEASE_PROGRAM};
    words.insert(words.end(), args.begin(), args.end());
    std::vector<char*> argv;
    for (std::string& word : words) {
        argv.push_back(word.data());
    }
    argv.push_back(nullptr);
    const Pipe in;
    const Pipe out;
    const Pipe err;
    const pid_t pid = fork();
    if (pid == 0) {
        become_program(argv, in.ends[0], out.ends[1], err.ends[1]);
    }
    close(in.ends[0]);
    close(out.ends[1]);
    close(err.ends[1]);
    Outcome outcome;
    std::thread feeder([&] { feed(piped, in.ends[1]); });
    std::thread reader([&] { drain(err.ends[0], outcome.err); });
    outcome.out_size = drain(out.ends[0], outcome.out);
    feeder.join();
    reader.join();
    int status = 0;
    struct rusage usage {};
    wait4(pid, &status, 0, &usage);
    outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    outcome.peak = std::int64_t{usage.ru_maxrss} * 1024;
    return outcome;
}

}  // namespace hostile
