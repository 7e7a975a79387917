// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/apply.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <numeric>
#include <utility>

#include "ckpt-lease/base/text.hpp"
#include "io/file.hpp"
#include "live/abandonable.hpp"
#include "live/set/run_lock.hpp"
#include "live/set/watch.hpp"
#include "live/shared_array.hpp"

namespace ckpt_lease::live {
namespace {

// Three processes work together. The caller waits. The watch, its child, waits for the worker, its
// own child, which alone looks at anything and changes anything. If the worker is killed, the watch
// puts lease-break-time back and starts another, which carries on from what stands in the shared
// memory. If the watch is killed, the worker finishes; if both are, the caller puts
// lease-break-time back and starts another watch; and if the caller is, nobody minds.

constexpr int kWatches = 2;

// Out of reach of what is meant for the caller: signals of the terminal, of its process group, of
// whoever is to be told about leases.
void stand_apart() {
    setsid();
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, nullptr);
    signal(SIGCHLD, SIG_DFL);
}

struct Loss {
    Lack lack;
    const char* what;
    const char* loss;
};
constexpr std::array kLosses = {
    Loss{Lack::break_time, "/proc/sys/fs/lease-break-time cannot be written, as in a container",
         "leases that are being broken cannot be set, on a kernel without the ckpt-lease patch"},
    Loss{Lack::lease, "CAP_LEASE is missing", "leases on files of others cannot be set"},
    Loss{Lack::uids, "CAP_SETUID is missing",
         "leases whose owner was set by another user cannot be set"},
    Loss{Lack::ptrace,
         "the processes may not be traced (it takes CAP_SYS_PTRACE, and a security module may "
         "forbid "
         "it)",
         "their leases cannot be reached"},
    Loss{Lack::descriptors,
         "the limit of descriptors (RLIMIT_NOFILE) is too low, and CAP_SYS_RESOURCE to raise it is "
         "missing",
         "leases beyond it cannot be set"},
    Loss{Lack::trace, "tracefs cannot be used in this pid namespace (it takes CAP_SYS_ADMIN)",
         "whether others have leases on a file is not known, and read leases that are being broken "
         "cannot be set"},
    Loss{Lack::restore, "CAP_CHECKPOINT_RESTORE is missing", "the kernel does not restore leases"},
    Loss{Lack::hold, "the time for which processes are kept stopped was over",
         "leases that were not set by then are left as they are"},
    Loss{Lack::hold_late,
         "the time for which processes are kept stopped was over while a lease was being set",
         "its holder may have gone on without it for a moment"},
};

class Caller {
 public:
    Caller(std::span<const WantedLease> wanted, const ApplyOptions& options,
           const ApplyHooks& hooks)
        : wanted_(wanted),
          options_(options),
          hooks_(hooks),
          slots_(wanted.size()),
          lock_(!options.dry_run,
                hooks.lock_path.empty() ? std::string(kRunLockPath) : hooks.lock_path),
          all_(wanted.size()) {
        std::iota(all_.begin(), all_.end(), std::size_t{0});
        for (const std::size_t place : all_) {
            slots_[place].same_as = place;
        }
        shared().slots = slots_.values();
        shared().begin = options.begin.value_or(kNever);
    }

    std::vector<AppliedLease> run() {
        if (options_.hold != nullptr && options_.hold->is_over()) {
            throw Error(Error::Kind::io,
                        {.message = "the time for which processes are kept stopped was over before "
                                    "a lease could be set: nothing was changed"});
        }
        std::string why = setter_that("was killed");
        for (int i = 0; i < kWatches && !is_all_decided(); ++i) {
            if (const int error = run_watch(); error != 0) {
                // Later, leases may have been changed: what is said of each of them must get out.
                if (i == 0) {
                    io::fail({}, "start a process", -error);
                }
                why = no_setter(error);
            }
            put_back(shared().break_time);
        }
        decide_rest(shared(), wanted_, all_, why);
        lock_.release();
        tell_about_lock();
        tell_what_was_missing();
        return results();
    }

 private:
    [[nodiscard]] SharedRun& shared() const { return shared_[0]; }

    [[nodiscard]] bool is_all_decided() const {
        return std::all_of(all_.begin(), all_.end(),
                           [&](std::size_t place) { return is_decided(shared(), place); });
    }

    // 0, or the errno of why there is none.
    [[nodiscard]] int run_watch() {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) < 0) {
            return errno;
        }
        Fd here(ends[0]);
        Fd there(ends[1]);
        shared().rest();
        const pid_t watch = hooks_.start_process();
        if (watch < 0) {
            return errno;
        }
        if (watch == 0) {
            here.reset();
            be_watch(there);
        }
        there.reset();
        wait_for(watch, here.get());
        return 0;
    }

    [[noreturn]] void be_watch(Fd& end) {
        stand_apart();
        try {
            const Order order{wanted_, shared(),         hooks_,       lock_,
                              end,     options_.dry_run, options_.hold};
            Watch(order).run();
        } catch (const std::exception& error) {
            give_up(error.what());
        }
        shared().finished = true;
        _exit(0);
    }

    // Nothing may be thrown past a fork(): what is not decided here is decided by the caller.
    void give_up(const char* why) noexcept {
        try {
            decide_rest(shared(), wanted_, all_, setter_that_threw(why));
        } catch (const std::exception&) {
            _exit(1);
        }
    }

    // Nobody writes to the pipe: it ends when nobody is left who could. What hangs in the kernel
    // may keep it open for ever, and is not waited for.
    void wait_for(pid_t watch, int pipe_end) {
        constexpr int kLookEvery = 50;  // milliseconds
        constexpr std::chrono::seconds kLongest(30);
        pollfd end{.fd = pipe_end, .events = POLLIN, .revents = 0};
        while (poll(&end, 1, kLookEvery) <= 0 && !shared().finished) {
            tell_about_lock();
            const bool is_watched = kill(watch, 0) == 0 && !is_zombie(watch);
            const Nanoseconds silence = steady_now() - shared().beat.load();
            if (silence > (is_watched ? Nanoseconds(kLongest) : kLongestSilence)) {
                kill_worker();
                break;
            }
        }
        constexpr int kToEnd = 1000;  // milliseconds
        int status = 0;
        if (!has_ended(watch, shared().finished ? kToEnd : 0, status)) {
            kill(watch, SIGKILL);
            static_cast<void>(has_ended(watch, kToEnd, status));
        }
    }

    static bool is_zombie(pid_t watch) {
        siginfo_t info{};
        return waitid(P_PID, static_cast<id_t>(watch), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
               info.si_pid == watch;
    }

    // The watch is gone, or does nothing.
    void kill_worker() const {
        const int worker = shared().worker;
        if (worker > 0) {
            kill(worker, SIGKILL);
        }
    }

    void tell(Problem problem) const {
        problem.severity = Problem::Severity::warning;
        if (options_.tell) {
            options_.tell(problem);
        }
    }

    void tell_about_lock() {
        const LockWaits& waits = shared().lock_waits;
        if (waits.waited_for.known && !std::exchange(told_who_, true)) {
            tell({.file = kRunLockPath,
                  .message =
                      fmt::format("{} has had it locked for a second", shown(waits.waited_for)),
                  .hint = "leases are set by one ckpt-lease at a time"});
        }
        if (waits.passed_over.known && !std::exchange(told_passed_over_, true)) {
            tell({.file = kRunLockPath,
                  .message = fmt::format(
                      "{} {}, and is not waited for", shown(waits.passed_over),
                      waits.is_stuck ? "did not get on for 5 s" : "has it locked after 30 s"),
                  .hint = waits.is_stuck ? "see whether it hangs" : "see what it does"});
        }
    }

    static std::string shown(const LockHolder& holder) {
        if (holder.pid == 0) {
            return "a process that cannot be seen from here";
        }
        return holder.comm[0] == '\0'
                   ? fmt::format("process {}, or one that it has started,", holder.pid)
                   : fmt::format("process {} ({})", holder.pid, escape(holder.comm.data()));
    }

    void tell_what_was_missing() const {
        for (const Loss& loss : kLosses) {
            if (shared().lacks[static_cast<std::size_t>(loss.lack)]) {
                tell({.file = {}, .message = fmt::format("{}: {}", loss.what, loss.loss)});
            }
        }
    }

    [[nodiscard]] std::vector<AppliedLease> results() const {
        std::vector<AppliedLease> results;
        results.reserve(wanted_.size());
        for (const std::size_t place : all_) {
            const Slot& own = slots_[place];
            const Slot& slot = own.decided ? own : slots_[own.same_as];
            results.push_back({slot.outcome, slot.reason.data()});
        }
        return results;
    }

    std::span<const WantedLease> wanted_;
    const ApplyOptions& options_;
    const ApplyHooks& hooks_;
    SharedArray<SharedRun> shared_{1};
    SharedArray<Slot> slots_;
    RunLock lock_;
    std::vector<std::size_t> all_;
    bool told_who_ = false;
    bool told_passed_over_ = false;
};

}  // namespace

std::vector<AppliedLease> apply_with(std::span<const WantedLease> leases,
                                     const ApplyOptions& options, const ApplyHooks& hooks) {
    if (leases.empty()) {
        return {};
    }
    if (options.begin && *options.begin > steady_now()) {
        refuse("the start of the restart lies in the future", "it is a time of CLOCK_MONOTONIC");
    }
    return Caller(leases, options, hooks).run();
}

std::vector<AppliedLease> apply(std::span<const WantedLease> leases, const ApplyOptions& options) {
    return apply_with(leases, options, {});
}

}  // namespace ckpt_lease::live
