// SPDX-License-Identifier: GPL-2.0-or-later
#include "process.hpp"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "process_server.hpp"

namespace proof {
namespace {

constexpr double kCallLimit = 20;

void set_path(Request& request, const std::string& path) {
    require(path.size() < sizeof request.path, "too long: " + path);
    std::memcpy(request.path, path.c_str(), path.size() + 1);
}

Request request_path(Request::Op op, const std::string& path, int flags = 0) {
    Request request{.op = op, .command = flags};
    set_path(request, path);
    return request;
}

}  // namespace

Process::Process(int clock_offset) {
    int ends[2];
    checked(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "socketpair");
    socket_ = Descriptor(ends[0]);
    const Descriptor other(ends[1]);
    child_ = static_cast<pid_t>(checked(fork(), "fork"));
    if (child_ == 0) {
        serve(other.get(), clock_offset);
    }
    pid_ = static_cast<pid_t>(receive(kCallLimit).value);
}

void Process::kill() {
    if (child_ == 0) {
        return;
    }
    ::kill(pid_, SIGKILL);
    // Where the worker is a grandchild, its parent ends when it has.
    waitpid(child_, nullptr, 0);
    child_ = 0;
}

Reply Process::receive(double limit) {
    pollfd one{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    const std::int64_t until = now() + static_cast<std::int64_t>(limit * 1e9);
    int ready = 0;
    do {
        const std::int64_t left = until - now();
        ready = poll(&one, 1, left > 0 ? static_cast<int>(left / 1'000'000) + 1 : 0);
    } while (ready < 0 && errno == EINTR);
    require(ready > 0, format("no answer from a process after %.3f s", limit));
    Reply reply;
    require_equal(read(socket_.get(), &reply, sizeof reply), sizeof reply, "a process's answer");
    return reply;
}

Reply Process::call(const Request& request) {
    start(request);
    return finish(kCallLimit);
}

void Process::start(const Request& request) {
    require_equal(write(socket_.get(), &request, sizeof request), sizeof request, "a request");
    receive(kCallLimit);  // it has begun
    waiting();
}

bool Process::waiting() {
    pollfd one{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    const std::int64_t until = now() + std::int64_t{5} * 1'000'000'000;
    const std::string stat = format("/proc/%d/stat", pid_);
    while (poll(&one, 1, 0) == 0) {
        const std::string text = read_file(stat);
        if (text.substr(text.rfind(')') + 2, 1) == "S") {
            // It also sleeps after it has answered.
            return poll(&one, 1, 0) == 0;
        }
        require(now() < until, "a process neither sleeps nor gets ready");
        sleep_for(0.001);
    }
    return false;
}

Reply Process::finish(double limit) {
    return receive(limit);
}

long Process::open(const std::string& path, int flags) {
    return call(request_path(Request::Op::open, path, flags)).value;
}

long Process::fcntl(int fd, int command, long value) {
    return call({.op = Request::Op::fcntl, .fd = fd, .command = command, .value = value}).value;
}

Reply Process::state(int fd, int command, const lease_state& state) {
    return call({.op = Request::Op::state, .fd = fd, .command = command, .state = state});
}

void Process::become(Identity identity) {
    require_equal(call({.op = Request::Op::become, .value = static_cast<long>(identity)}).value, 0,
                  "to become another user");
}

Holder::Holder(const std::string& path, int flags, int clock_offset)
    : Holder(path, flags, -1, clock_offset) {}

Holder::Holder(const std::string& path, int flags, int fd, int clock_offset)
    : process_(clock_offset), path_(path), flags_(flags) {
    fd_ = static_cast<int>(process_.open(path, flags));
    require(fd_ >= 0, "open " + path + ": " + error_name(-fd_));
    if (fd >= 0 && fd != fd_) {
        require_equal(process_.fcntl(fd_, F_DUPFD_CLOEXEC, fd), fd, "the descriptor's number");
        process_.call({.op = Request::Op::close, .fd = fd_});
        fd_ = fd;
    }
    want_signals();
}

void Holder::want_signals() {
    require_equal(process_.fcntl(fd_, F_SETSIG, SIGRTMIN), 0, "F_SETSIG");
    require_equal(process_.fcntl(fd_, F_SETOWN, process_.pid()), 0, "F_SETOWN");
}

long Holder::set(int type) {
    const long result = process_.fcntl(fd_, F_SETLEASE, type);
    expected_fd_ = result == 0 ? -1 : expected_fd_;
    return result;
}

void Holder::take(int type) {
    const long result = set(type);
    require(result == 0, "F_SETLEASE " + type_name(type) + ": " + error_name(-result));
    require_type(type, "after F_SETLEASE");
}

void Holder::require_type(int wanted, const char* when) {
    const long got = type();
    require(got == wanted, format("F_GETLEASE %s: wanted %s, got %s", when,
                                  type_name(wanted).c_str(), type_name(got).c_str()));
}

int Holder::signals() {
    const Reply reply = process_.call({.op = Request::Op::signals});
    signals_ += static_cast<int>(reply.value);
    if (reply.value > 0) {
        require_equal(reply.signalled_fd, expected_fd_ >= 0 ? expected_fd_ : fd_, "si_fd");
    }
    return signals_;
}

void Holder::require_signals(int wanted, const char* when) {
    require_equal(signals(), wanted, std::string("signals ") + when);
}

void Breaker::start() {
    process_.start(request_path(Request::Op::open, path_, flags_));
}

void Breaker::start_truncate() {
    process_.start(request_path(Request::Op::truncate, path_));
}

void Breaker::require_waiting(const char* when) {
    require(waiting(), format("%s: the breaker does not wait", when));
}

std::int64_t Breaker::in(double limit) {
    const Reply reply = process_.finish(limit);
    require(reply.value >= 0, "the breaker's open(): " + error_name(-reply.value));
    return reply.end;
}

void Breaker::require_in_at_once(const char* when) {
    const Reply reply = process_.call(request_path(Request::Op::open, path_, flags_));
    const double took = seconds(reply.end - reply.begin);
    require(reply.value >= 0 && took < at_once(),
            format("%s: wanted open() at once (%.1f s), got %s after %.3f s", when, at_once(),
                   reply.value < 0 ? error_name(-reply.value).c_str() : "in", took));
}

long Breaker::try_open() {
    const Reply reply = process_.call(request_path(Request::Op::open, path_, flags_ | O_NONBLOCK));
    const double took = seconds(reply.end - reply.begin);
    require(took < at_once(), format("open() with O_NONBLOCK took %.3f s", took));
    return reply.value;
}

Descriptor descriptor_of(pid_t pid, int fd) {
    const Descriptor pidfd(
        static_cast<int>(checked(syscall(SYS_pidfd_open, pid, 0), "pidfd_open")));
    return Descriptor(
        static_cast<int>(checked(syscall(SYS_pidfd_getfd, pidfd.get(), fd, 0), "pidfd_getfd")));
}

}  // namespace proof
