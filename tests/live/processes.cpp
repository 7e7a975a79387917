// SPDX-License-Identifier: GPL-2.0-or-later
#include "processes.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <stdexcept>

#include "live/lease_calls.hpp"
#include "live/proc_text.hpp"
#include "live/set/break_time.hpp"
#include "live/ticks.hpp"

namespace ckpt_lease::live::test {
namespace {

volatile sig_atomic_t signals_seen = 0;
volatile sig_atomic_t signal_fd = -1;

void count_signal(int /*signal*/, siginfo_t* info, void* /*context*/) {
    signals_seen = signals_seen + 1;
    signal_fd = info->si_fd;
}

struct Request {
    int what;  // 'c': fcntl, 's': signals, 'f': si_fd
    int command;
    int argument;
};

[[noreturn]] void serve(int socket, int fd) {
    Request request{};
    while (read(socket, &request, sizeof request) == sizeof request) {
        int answer = 0;
        if (request.what == 'c') {
            answer = fcntl(fd, request.command, request.argument);
            answer = answer < 0 ? -errno : answer;
        } else {
            answer =
                request.what == 's' ? static_cast<int>(signals_seen) : static_cast<int>(signal_fd);
        }
        if (write(socket, &answer, sizeof answer) != sizeof answer) {
            break;
        }
    }
    _exit(0);
}

// A file that nobody outside can name.
void make_container(const std::string& path) {
    const std::string folder = std::filesystem::path(path).parent_path();
    if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0 ||
        mount("none", folder.c_str(), "tmpfs", 0, nullptr) < 0) {
        _exit(7);
    }
    std::ofstream(path) << "contents\n";
}

// In the holder's process; what fails is its exit status.
[[noreturn]] void be_holder(int socket, const std::string& path, const HolderOptions& options) {
    const int signal = options.signal != 0 ? options.signal : SIGRTMIN;
    struct sigaction action {};
    action.sa_sigaction = count_signal;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    sigaction(signal, &action, nullptr);
    sigaction(SIGIO, &action, nullptr);
    if (options.container) {
        make_container(path);
    }
    // The descriptor may have any number, so nothing else may.
    constexpr int kFar = 500;
    socket = fcntl(socket, F_DUPFD_CLOEXEC, kFar);
    const int opened = open(path.c_str(), options.flags | O_CLOEXEC);
    if (opened < 0 || dup2(opened, options.fd) < 0) {
        _exit(2);
    }
    if (opened != options.fd) {
        close(opened);
    }
    if (options.user != 0 &&
        (fchown(options.fd, options.user, options.user) < 0 ||
         setresuid(options.user, options.user, options.is_raised ? 0 : options.user) < 0)) {
        _exit(8);
    }
    if (options.copy >= 0 && dup2(options.fd, options.copy) < 0) {
        _exit(3);
    }
    if (options.user != 0) {
        if (fcntl(options.fd, F_SETSIG, signal) < 0 || fcntl(options.fd, F_SETOWN, getpid()) < 0) {
            _exit(4);
        }
    } else if (fcntl(options.fd, F_SETSIG, signal) < 0 ||
               setresuid(options.uid, options.euid, 0) < 0 ||
               fcntl(options.fd, F_SETOWN, getpid()) < 0 ||
               setresuid(static_cast<uid_t>(-1), 0, 0) < 0 || setresuid(0, 0, 0) < 0) {
        _exit(4);
    }
    if (options.lease >= 0 && fcntl(options.fd, F_SETLEASE, options.lease) < 0) {
        _exit(5);
    }
    if (options.is_raised && setresuid(options.user, 0, 0) < 0) {
        _exit(9);
    }
    const int ready = 0;
    if (write(socket, &ready, sizeof ready) != sizeof ready) {
        _exit(6);
    }
    serve(socket, options.fd);
}

std::string state_of(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    std::getline(file, text);
    const std::size_t end = text.rfind(')');
    return end == std::string::npos ? "?" : text.substr(end + 2, 1);
}

// The holder's open file, for one question.
template <typename Ask>
auto with_descriptor(pid_t pid, int fd, Ask ask) {
    const int process = static_cast<int>(checked(syscall(SYS_pidfd_open, pid, 0), "pidfd_open"));
    const int copy = static_cast<int>(syscall(SYS_pidfd_getfd, process, fd, 0));
    close(process);
    checked(copy, "pidfd_getfd");
    auto answer = ask(copy);
    close(copy);
    return answer;
}

}  // namespace

void expect_met(double got, double wanted) {
    const double tick = 1.0 / ticks_per_second();
    EXPECT_GE(got, wanted - tick);
    EXPECT_LE(got, wanted + std::max(0.1, wanted / 100) + wheel_granule(wanted));
}

double seconds_of(Nanoseconds span) {
    return static_cast<double>(span.count()) / 1e9;
}

double seconds_since(SteadyTime begin) {
    return seconds_of(steady_now() - begin);
}

void sleep_for(double seconds) {
    timespec time{};
    time.tv_sec = static_cast<time_t>(seconds);
    time.tv_nsec = static_cast<long>((seconds - std::floor(seconds)) * 1e9);
    while (nanosleep(&time, &time) < 0 && errno == EINTR) {
    }
}

bool can_set_leases(std::string& missing) {
    if (geteuid() != 0) {
        missing = "this is not root";
    } else if (access(kBreakTimePath, W_OK) < 0) {
        missing = std::string(kBreakTimePath) + " cannot be written";
    }
    return missing.empty();
}

int lease_break_time() {
    std::ifstream file(kBreakTimePath);
    int seconds = -1;
    file >> seconds;
    return seconds;
}

LeaseBreakTime::LeaseBreakTime(int seconds) : before_(lease_break_time()) {
    std::ofstream(kBreakTimePath) << seconds;
}

LeaseBreakTime::~LeaseBreakTime() {
    std::ofstream(kBreakTimePath) << before_;
}

Folder::Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "ckpt-lease-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
        throw std::runtime_error("mkdtemp");
    }
    path_ = name;
}

Folder::~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::string Folder::file(const std::string& name) const {
    const std::filesystem::path path = path_ / name;
    std::ofstream(path) << "contents\n";
    return path.string();
}

Holder::Holder(const std::string& path, const HolderOptions& options) : fd_(options.fd) {
    int ends[2];
    checked(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), "socketpair");
    const unsigned long flags =
        SIGCHLD |
        (options.container ? static_cast<unsigned long>(CLONE_NEWPID | CLONE_NEWNS) : 0UL);
    pid_ = static_cast<pid_t>(checked(syscall(SYS_clone, flags, 0, 0, 0, 0), "clone"));
    if (pid_ == 0) {
        close(ends[0]);
        be_holder(ends[1], path, options);
    }
    close(ends[1]);
    socket_ = ends[0];
    int ready = -1;
    if (read(socket_, &ready, sizeof ready) != sizeof ready) {
        int status = 0;
        waitpid(pid_, &status, 0);
        pid_ = -1;
        throw std::runtime_error("holder ended with " + std::to_string(WEXITSTATUS(status)));
    }
}

Holder::~Holder() {
    end_process(pid_);
    close(socket_);
}

void Holder::stop() const {
    kill(pid_, SIGSTOP);
    int status = 0;
    waitpid(pid_, &status, WUNTRACED);
}

void Holder::go_on() const {
    kill(pid_, SIGCONT);
}

int Holder::ask(int what, int command, int argument) const {
    const Request request{what, command, argument};
    int answer = -1;
    if (write(socket_, &request, sizeof request) != sizeof request ||
        read(socket_, &answer, sizeof answer) != sizeof answer) {
        throw std::runtime_error("the holder does not answer");
    }
    return answer;
}

int Holder::call(int command, int argument) const {
    return ask('c', command, argument);
}

int Holder::lease() const {
    return call(F_GETLEASE);
}

int Holder::signals() const {
    return ask('s', 0, 0);
}

int Holder::last_signal_fd() const {
    return ask('f', 0, 0);
}

LeaseOwner Holder::owner() const {
    return with_descriptor(pid_, fd_, [](int fd) {
        LeaseOwner owner;
        static_cast<void>(get_owner(fd, owner));
        return owner;
    });
}

bool Holder::is_breaking() const {
    return with_descriptor(pid_, fd_, [](int fd) { return lease_now(fd).breaking; });
}

Breaker::Breaker(const std::string& path, int flags) {
    int ends[2];
    checked(pipe2(ends, O_CLOEXEC), "pipe2");
    pid_ = static_cast<pid_t>(checked(fork(), "fork"));
    if (pid_ == 0) {
        // What the machine does besides must not make it late.
        sched_param first{};
        first.sched_priority = 1;
        sched_setscheduler(0, SCHED_FIFO, &first);
        const int fd = open(path.c_str(), flags | O_CLOEXEC);
        const SteadyTime now = fd < 0 ? SteadyTime(Nanoseconds(1)) : steady_now();
        _exit(write(ends[1], &now, sizeof now) == sizeof now ? 0 : 1);
    }
    close(ends[1]);
    pipe_ = ends[0];
}

Breaker::~Breaker() {
    end_process(pid_);
    close(pipe_);
}

SteadyTime Breaker::wait(double seconds) {
    pollfd ready{.fd = pipe_, .events = POLLIN, .revents = 0};
    SteadyTime time = kNever;
    if (poll(&ready, 1, static_cast<int>(seconds * 1000)) == 1 &&
        read(pipe_, &time, sizeof time) != sizeof time) {
        throw std::runtime_error("the breaker ended");
    }
    return time;
}

std::string Breaker::name() const {
    return "process " + std::to_string(pid_) + " (" + comm_of(pid_) + ")";
}

void Breaker::wait_until_it_sleeps() const {
    const SteadyTime begin = steady_now();
    while (seconds_since(begin) < 5) {
        std::ifstream file("/proc/" + std::to_string(pid_) + "/wchan");
        std::string function;
        file >> function;
        if (state_of(pid_) == "S" && function.find("break_lease") != std::string::npos) {
            return;
        }
        sleep_for(0.001);
    }
    throw std::runtime_error("the breaker does not sleep");
}

double wheel_granule(double seconds) {
    const double hz = ticks_per_second();
    double granule = 1;
    for (double end = 63; seconds * hz >= end; end *= 8) {
        granule *= 8;
    }
    return granule / hz;
}

LeaseState held(LockType type) {
    LeaseState state;
    state.type = type;
    return state;
}

LeaseState breaking(LockType from, LockType to, Remaining remaining, bool notified) {
    LeaseState state;
    state.breaking = true;
    state.type = to;
    state.previous_type = from;
    state.remaining = remaining;
    state.notified = notified;
    return state;
}

Remaining in_seconds(double seconds) {
    return Remaining(Nanoseconds(std::llround(seconds * 1e9)));
}

WantedLease wanted(const Holder& holder, const LeaseState& state, int fd) {
    return {.pid = holder.pid(), .fd = fd, .path = {}, .state = state, .owner = {}};
}

AppliedLease apply_one(const WantedLease& lease, const ApplyHooks& hooks) {
    const std::vector<WantedLease> leases{lease};
    return apply_with(leases, {}, hooks).at(0);
}

}  // namespace ckpt_lease::live::test
