// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "live_support.hpp"

namespace e2e {

/// Waits until it is so, but not for ever: 10 s.
bool comes_true(const std::function<bool()>& what);

/// By a signal, as /proc says of its first thread.
bool is_stopped(const std::string& pid);

/// A process that waits in open() for a lease, from when it is made.
class LeaseBreaker {
 public:
    explicit LeaseBreaker(const std::string& path);
    LeaseBreaker(const LeaseBreaker&) = delete;
    LeaseBreaker& operator=(const LeaseBreaker&) = delete;
    ~LeaseBreaker();
    [[nodiscard]] std::string pid() const { return std::to_string(pid_); }
    [[nodiscard]] bool waits() const;
    void stop() const;

 private:
    pid_t pid_ = -1;
};

/// What one run of `apply` has locked while it may change lease-break-time.
class RunLockHeld {
 public:
    RunLockHeld();
    RunLockHeld(const RunLockHeld&) = delete;
    RunLockHeld& operator=(const RunLockHeld&) = delete;
    ~RunLockHeld() { release(); }
    void release();

 private:
    int fd_ = -1;
};

/// The program, running beside the test.
class Background {
 public:
    explicit Background(const std::vector<std::string>& args);
    Background(const Background&) = delete;
    Background& operator=(const Background&) = delete;
    ~Background();
    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] bool is_running();
    /// Its exit status, or 128 + N if signal N ended it.
    int wait();
    [[nodiscard]] static std::string err();

 private:
    pid_t pid_ = -1;
    int status_ = -1;
};

}  // namespace e2e
