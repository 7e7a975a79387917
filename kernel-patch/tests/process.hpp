// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <string>

#include "kernel_interface.hpp"
#include "support.hpp"

namespace proof {

/// What a child process is asked to do. Which members count depends on `op`.
struct Request {
    enum class Op { open, truncate, change, fcntl, state, close, signals, become };
    Op op = Op::signals;
    int fd = -1;
    int command = 0;
    long value = 0;
    lease_state state{};
    char path[128] = {};
};

struct Reply {
    long value = 0;  ///< the system call's result, or minus errno
    std::int64_t begin = 0;
    std::int64_t end = 0;
    lease_state state{};
    int signalled_fd = -1;
};

/// Whom a child can become, by Request::Op::become.
enum class Identity : long {
    nobody,            ///< a user without capabilities
    restorer,          ///< the same with CAP_CHECKPOINT_RESTORE
    root_in_namespace  ///< root of a user namespace of its own
};

/// A child process that does one system call after the other, as it is told. It inherits no
/// descriptor but the standard ones: one that is left over would keep a lease alive.
class Process {
 public:
    /// `clock_offset`: seconds by which its CLOCK_MONOTONIC is ahead, in a time namespace.
    explicit Process(int clock_offset = 0);
    ~Process() { kill(); }
    Process(Process&&) = delete;

    pid_t pid() const { return pid_; }
    Reply call(const Request& request);

    long open(const std::string& path, int flags);
    long fcntl(int fd, int command, long value = 0);
    /// F_GETLEASE_STATE or F_SETLEASE_STATE
    Reply state(int fd, int command, const lease_state& state);
    void become(Identity identity);

    /// Has a call begin that may take long; returns when it is over, or asleep in the kernel.
    void start(const Request& request);
    /// Is it asleep in there?
    bool waiting();
    /// Its result. A Failure if it takes longer than that many seconds from now.
    Reply finish(double limit);

    void kill();

 private:
    Reply receive(double limit);

    pid_t pid_ = 0;    ///< who works
    pid_t child_ = 0;  ///< our child: that one, or (time namespace) its parent
    Descriptor socket_;
};

/// A process with a file open, and ready to be told when its lease is broken: by a real-time
/// signal, since those are counted. It's its own owner.
class Holder {
 public:
    Holder(const std::string& path, int flags, int clock_offset = 0);
    /// The same on a descriptor that has this number.
    Holder(const std::string& path, int flags, int fd, int clock_offset);

    Process& process() { return process_; }
    const std::string& path() const { return path_; }
    int flags() const { return flags_; }
    int fd() const { return fd_; }

    /// F_SETSIG and F_SETOWN: they are lost when a lease is given up.
    void want_signals();
    void take(int type);
    /// F_SETLEASE, from now on signals name fd()
    long set(int type);
    long type() { return process_.fcntl(fd_, F_GETLEASE); }
    void require_type(int wanted, const char* when);
    /// How many signals came since the process began; they have to name the right descriptor.
    int signals();
    void require_signals(int wanted, const char* when);
    /// Which descriptor the signals name, if it isn't fd(): that of the holder whose owner this is.
    void expect_signals_for(int fd) { expected_fd_ = fd; }

 private:
    Process process_;
    std::string path_;
    int flags_;
    int fd_;
    int signals_ = 0;
    int expected_fd_ = -1;
};

/// A process that opens a file, which may take a while.
class Breaker {
 public:
    explicit Breaker(const std::string& path, int flags) : path_(path), flags_(flags) {}
    const std::string& path() const { return path_; }
    int flags() const { return flags_; }
    Process& process() { return process_; }

    void start();
    void start_truncate();
    bool waiting() { return process_.waiting(); }
    void require_waiting(const char* when);
    /// When the call returned.
    std::int64_t in(double limit);
    /// The open() returns at once, with a descriptor.
    void require_in_at_once(const char* when);
    /// The result of an open() that doesn't wait: a descriptor, or minus errno.
    long try_open();

 private:
    Process process_;
    std::string path_;
    int flags_;
};

/// A descriptor of another process, as one of our own.
Descriptor descriptor_of(pid_t pid, int fd);

}  // namespace proof
