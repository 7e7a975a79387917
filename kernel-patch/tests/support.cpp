// SPDX-License-Identifier: GPL-2.0-or-later
#include "support.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <sstream>

namespace proof {
namespace {

const char* const kBreakTimePath = "/proc/sys/fs/lease-break-time";

timespec to_timespec(std::int64_t ns) {
    // Their types are smaller where a program has 32 bits.
    timespec time{};
    time.tv_sec = static_cast<decltype(time.tv_sec)>(ns / 1'000'000'000);
    time.tv_nsec = static_cast<decltype(time.tv_nsec)>(ns % 1'000'000'000);
    return time;
}

}  // namespace

std::string format(const char* pattern, ...) {
    std::va_list list;
    va_start(list, pattern);
    char* text = nullptr;
    const int length = vasprintf(&text, pattern, list);
    va_end(list);
    std::string result = length < 0 ? "?" : std::string(text, static_cast<std::size_t>(length));
    if (length >= 0) {
        std::free(text);
    }
    return result;
}

void require(bool good, const std::string& text) {
    if (!good) {
        throw Failure(text);
    }
}

void require_equal(long got, long wanted, const std::string& what) {
    if (got != wanted) {
        throw Failure(format("%s: wanted %ld, got %ld", what.c_str(), wanted, got));
    }
}

void require_error(long got, int wanted, const std::string& what) {
    require(got == -wanted, what + ": wanted " + error_name(wanted) + ", got " +
                                (got < 0 ? error_name(-got) : "success"));
}

long checked(long result, const std::string& what) {
    if (result < 0) {
        const int error = errno;
        throw Failure(what + ": " + error_name(error));
    }
    return result;
}

Descriptor::~Descriptor() {
    if (fd_ >= 0) {
        close(fd_);
    }
}

std::int64_t now() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

double seconds(std::int64_t ns) {
    return static_cast<double>(ns) / 1e9;
}

void sleep_until(std::int64_t time) {
    const timespec until = to_timespec(time);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
    }
}

void sleep_for(double duration) {
    sleep_until(now() + static_cast<std::int64_t>(duration * 1e9));
}

double slowness() {
    static const bool checks_itself = access("/proc/lockdep_stats", F_OK) == 0;
    return checks_itself ? 5 : 1;
}

double at_once() {
    return 0.2 * slowness();
}

void say(const std::string& line) {
    const std::string whole = line + "\n";
    std::size_t done = 0;
    while (done < whole.size()) {
        const ssize_t n = write(STDOUT_FILENO, whole.data() + done, whole.size() - done);
        if (n <= 0 && errno != EINTR) {
            break;
        }
        done += n > 0 ? static_cast<std::size_t>(n) : 0;
    }
}

std::string type_name(long type) {
    switch (type) {
        case F_RDLCK:
            return "F_RDLCK";
        case F_WRLCK:
            return "F_WRLCK";
        case F_UNLCK:
            return "F_UNLCK";
        default:
            return type < 0 ? error_name(-type) : std::to_string(type);
    }
}

std::string error_name(long error) {
    const char* name = strerrorname_np(static_cast<int>(error));
    return name != nullptr ? name : std::to_string(error);
}

std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    require(file.good(), "cannot read " + path);
    return std::move(text).str();
}

void write_file(const std::string& path, const std::string& bytes) {
    const Descriptor file(static_cast<int>(
        checked(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), path)));
    require_equal(checked(write(file.get(), bytes.data(), bytes.size()), path),
                  static_cast<long>(bytes.size()), "write to " + path);
}

std::string base64(const std::string& bytes) {
    static const char* const digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        unsigned group = 0;
        for (std::size_t k = 0; k < 3; ++k) {
            const unsigned char byte =
                i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0;
            group = group << 8 | byte;
        }
        for (std::size_t k = 0; k < 4; ++k) {
            text += i + k <= bytes.size() ? digits[group >> (18 - 6 * k) & 63] : '=';
        }
    }
    return text;
}

Ended end_of(const std::vector<std::string>& words, const std::function<void()>& before) {
    int ends[2];
    checked(pipe2(ends, O_CLOEXEC), "pipe2");
    Descriptor out(ends[0]);
    Descriptor in(ends[1]);
    const auto child = static_cast<pid_t>(checked(fork(), "fork"));
    if (child == 0) {
        dup2(in.get(), STDOUT_FILENO);
        dup2(in.get(), STDERR_FILENO);
        std::vector<char*> arguments;
        for (const std::string& word : words) {
            arguments.push_back(const_cast<char*>(word.c_str()));
        }
        arguments.push_back(nullptr);
        if (before) {
            before();
        }
        execv(arguments[0], arguments.data());
        _exit(127);
    }
    in = Descriptor();
    std::string said;
    char piece[1024];
    for (ssize_t n = 0; (n = read(out.get(), piece, sizeof piece)) > 0;) {
        said.append(piece, static_cast<std::size_t>(n));
    }
    int status = 0;
    checked(waitpid(child, &status, 0), "waitpid");
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), std::move(said)};
}

void run_program(const std::vector<std::string>& words) {
    const Ended ended = end_of(words);
    require(ended.status == 0,
            format("%s: status %d: %s", words[0].c_str(), ended.status, ended.said.c_str()));
}

int lease_break_time() {
    return std::stoi(read_file(kBreakTimePath));
}

void set_lease_break_time(int value) {
    write_file(kBreakTimePath, std::to_string(value));
    require_equal(lease_break_time(), value, kBreakTimePath);
}

ReadOnlyBreakTime::ReadOnlyBreakTime(bool wanted) {
    if (!wanted) {
        return;
    }
    checked(mount(kBreakTimePath, kBreakTimePath, nullptr, MS_BIND, nullptr), "bind mount");
    mounted_ = true;
    checked(mount(nullptr, kBreakTimePath, nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr),
            "make the bind mount read-only");
    require(open(kBreakTimePath, O_WRONLY | O_CLOEXEC) < 0, "lease-break-time is still writable");
}

ReadOnlyBreakTime::~ReadOnlyBreakTime() {
    if (mounted_) {
        umount2(kBreakTimePath, MNT_DETACH);
    }
}

}  // namespace proof
