// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/stopped.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <filesystem>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "ckpt-lease/base/problem.hpp"
#include "io/file.hpp"
#include "live/abandonable.hpp"
#include "live/set/stop_list.hpp"
#include "live/shared_array.hpp"

namespace ckpt_lease::live {
namespace {

// Of those that wait for leases: with more, nothing is done.
constexpr std::size_t kMostBreakers = 4096;

// The guard is given up if it is not done with stopping by then: it may have been stopped itself.
constexpr int kLongestToStop = 10'000;  // milliseconds
constexpr int kLongestToLetGo = 2'000;  // milliseconds

// Both ends can be written to, and nobody gets SIGPIPE for that.
struct Pair {
    Fd of_guard;
    Fd of_caller;
};

Pair make_pair() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
        io::fail({}, "make a pair of sockets", -errno);
    }
    return {Fd(ends[0]), Fd(ends[1])};
}

void tell(const Fd& end) {
    static_cast<void>(!send(end.get(), "x", 1, MSG_NOSIGNAL));
}

// Images are not trusted: one that names a process with another file has it neither stopped nor
// changed.
bool is_the_file(const WantedLease& lease) {
    constexpr std::string_view kDeleted = " (deleted)";
    std::error_code error;
    const std::string found =
        std::filesystem::read_symlink(fmt::format("{}/{}/fd/{}", kProc, lease.pid, lease.fd), error)
            .native();
    return !error && (lease.path.empty() || found == lease.path ||
                      (lease.path.ends_with(kDeleted) && found.ends_with(kDeleted)));
}

std::vector<WantedLease> of_their_files(std::span<const WantedLease> leases) {
    std::vector<WantedLease> found;
    std::copy_if(leases.begin(), leases.end(), std::back_inserter(found), is_the_file);
    return found;
}

std::vector<ToStop> holders_of(std::span<const WantedLease> leases,
                               std::span<const Process> processes) {
    std::map<pid_t, const Process*> by_pid;
    for (const Process& process : processes) {
        by_pid.emplace(process.pid, &process);
    }
    std::set<pid_t> known;
    std::vector<ToStop> holders;
    for (const WantedLease& lease : leases) {
        const auto found = by_pid.find(lease.pid);
        if (found != by_pid.end() && found->second->started && known.insert(lease.pid).second) {
            const Process& process = *found->second;
            holders.push_back({process.leader, process.pid, *process.started});
        }
    }
    return holders;
}

class Guard {
 public:
    Guard(StopShared& shared, std::span<const WantedLease> leases, pid_t caller,
          const StopPatience& patience)
        : shared_(shared), leases_(leases), caller_(caller), patience_(patience) {}

    // The caller is told when all are stopped. It says something, or ends, when they are to be let
    // go.
    [[noreturn]] void run(const std::vector<ToStop>& holders, const Fd& caller) {
        stand_apart();
        const SteadyTime begin = steady_now();
        try {
            Stopping(shared_, leases_, caller_).stop_all(holders);
        } catch (const std::exception& error) {
            const std::string_view text = error.what();
            shared_.error[text.copy(shared_.error.data(), shared_.error.size() - 1)] = '\0';
            let_go(shared_);
        }
        tell(caller);
        if (!wait_for(caller, begin)) {
            shared_.hold.end(patience_.to_finish);
        }
        let_go(shared_);
        _exit(0);
    }

 private:
    static void stand_apart() {
        setsid();
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, nullptr);
    }

    // False if it takes too long. What apply() has started has the caller's end open, too, and may
    // hang in the kernel with it.
    [[nodiscard]] bool wait_for(const Fd& caller, SteadyTime begin) const {
        constexpr int kLookEvery = 20;  // milliseconds
        SteadyTime alone = kNever;
        pollfd end{.fd = caller.get(), .events = POLLIN, .revents = 0};
        while (poll(&end, 1, kLookEvery) <= 0) {
            const SteadyTime now = steady_now();
            if (alone == kNever && getppid() != caller_) {
                alone = now;
            }
            if (now - begin > patience_.in_all - patience_.to_finish ||
                (alone != kNever && now - alone > patience_.behind_caller - patience_.to_finish)) {
                return false;
            }
        }
        return true;
    }

    StopShared& shared_;
    std::span<const WantedLease> leases_;
    pid_t caller_;
    const StopPatience& patience_;
};

}  // namespace

class Stopped::Caller {
 public:
    Caller(std::span<const WantedLease> leases, const std::vector<ToStop>& holders,
           const StopPatience& patience)
        : entries_(holders.size() + kMostBreakers) {
        shared().entries = entries_.values();
        block_terminal_stop();
        try {
            start(leases, holders, patience);
        } catch (...) {
            finish();
            throw;
        }
    }
    Caller(const Caller&) = delete;
    Caller& operator=(const Caller&) = delete;
    ~Caller() { finish(); }

    [[nodiscard]] StopShared& shared() const { return shared_[0]; }

 private:
    void start(std::span<const WantedLease> leases, const std::vector<ToStop>& holders,
               const StopPatience& patience) {
        Pair pair = make_pair();
        const pid_t self = getpid();
        guard_ = fork();
        if (guard_ < 0) {
            io::fail({}, "start a process", -errno);
        }
        if (guard_ == 0) {
            pair.of_caller.reset();
            Guard(shared(), leases, self, patience).run(holders, pair.of_guard);
        }
        end_ = std::move(pair.of_caller);
        pair.of_guard.reset();
        pollfd end{.fd = end_.get(), .events = POLLIN, .revents = 0};
        char said = 0;
        int found = 0;
        do {
            found = poll(&end, 1, kLongestToStop);
        } while (found < 0 && errno == EINTR);
        if (found <= 0 || read(end_.get(), &said, 1) != 1) {
            fail("the process that was to stop the others did not do it: nothing was changed");
        }
        if (shared().error[0] != '\0') {
            fail(shared().error.data());
        }
    }

    [[noreturn]] static void fail(std::string message) {
        throw Error(Error::Kind::io, {.message = std::move(message)});
    }

    // By the guard, or here if that was killed.
    void finish() {
        if (guard_ > 0) {
            tell(end_);
            end_.reset();
            int status = 0;
            if (!has_ended(guard_, kLongestToLetGo, status)) {
                kill(guard_, SIGKILL);
                static_cast<void>(has_ended(guard_, kLongestToLetGo, status));
            }
            guard_ = -1;
            let_go(shared());
        }
        sigprocmask(SIG_SETMASK, &before_, nullptr);
    }

    void block_terminal_stop() {
        sigset_t stop;
        sigemptyset(&stop);
        sigaddset(&stop, SIGTSTP);
        sigprocmask(SIG_BLOCK, &stop, &before_);
    }

    SharedArray<StopShared> shared_{1};
    SharedArray<StopEntry> entries_;
    sigset_t before_{};
    Fd end_;
    pid_t guard_ = -1;
};

Stopped::Stopped(std::span<const WantedLease> leases, std::span<const Process> processes,
                 const StopPatience& patience) {
    const std::vector<WantedLease> found = of_their_files(leases);
    caller_ = std::make_unique<Caller>(found, holders_of(found, processes), patience);
}

Stopped::~Stopped() = default;

StopHold& Stopped::hold() const {
    return caller_->shared().hold;
}

}  // namespace ckpt_lease::live
