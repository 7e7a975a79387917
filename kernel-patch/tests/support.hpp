// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

/// What all parts of lease-proof share.
namespace proof {

/// A case is not as it has to be: what was wanted, and what came.
struct Failure : std::runtime_error {
    using std::runtime_error::runtime_error;
};

std::string format(const char* pattern, ...) __attribute__((format(printf, 1, 2)));

/// Throws a Failure if `good` is false.
void require(bool good, const std::string& text);
void require_equal(long got, long wanted, const std::string& what);
/// `got`: minus errno, of a call that had to fail with `wanted`.
void require_error(long got, int wanted, const std::string& what);

/// `result` of a system call; a Failure with errno if it is negative.
long checked(long result, const std::string& what);

class Descriptor {
 public:
    explicit Descriptor(int fd = -1) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Descriptor();
    int get() const { return fd_; }

 private:
    int fd_;
};

/// CLOCK_MONOTONIC in nanoseconds.
std::int64_t now();
double seconds(std::int64_t ns);
void sleep_for(double duration);
void sleep_until(std::int64_t time);

/// 1, or how much slower everything is on a kernel that checks its own locks: what is measured is
/// given that much more slack.
double slowness();
/// What takes no longer does not wait.
double at_once();

/// One line on the standard output, in one piece.
void say(const std::string& line);

/// F_RDLCK, F_WRLCK, F_UNLCK by name.
std::string type_name(long type);
std::string error_name(long error);

std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& bytes);
std::string base64(const std::string& bytes);

struct Ended {
    int status;  ///< of exit(); a signal's number and 128 if it was one
    std::string said;
};

/// Runs a program to its end.
/// `before`: what the process does before it becomes the program.
Ended end_of(const std::vector<std::string>& words, const std::function<void()>& before = {});
/// The same; a Failure with what it said if its status is not 0.
void run_program(const std::vector<std::string>& words);

/// seconds, in /proc
int lease_break_time();
void set_lease_break_time(int value);

/// While it lives, nobody can change lease-break-time, not even root.
class ReadOnlyBreakTime {
 public:
    explicit ReadOnlyBreakTime(bool wanted);
    ReadOnlyBreakTime(const ReadOnlyBreakTime&) = delete;
    ReadOnlyBreakTime& operator=(const ReadOnlyBreakTime&) = delete;
    ~ReadOnlyBreakTime();

 private:
    bool mounted_ = false;
};

}  // namespace proof
