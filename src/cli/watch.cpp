// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/watch.hpp"

#include <poll.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <set>
#include <string>
#include <utility>

#include "cli/advice.hpp"
#include "io/file.hpp"
#include "lease/events.hpp"
#include "live/steady_time.hpp"
#include "render/watch.hpp"

namespace ckpt_lease::cli {
namespace {

using std::chrono::milliseconds;

// A look shortly before the time of a lease is over, and one behind: what becomes of it then can be
// told from what has become of it before.
Nanoseconds next_look(const Snapshot& snapshot, Nanoseconds interval) {
    constexpr Nanoseconds kBefore = milliseconds(100);
    constexpr Nanoseconds kBehind = milliseconds(20);
    Nanoseconds next = interval;
    snapshot.locks.for_each([&](const Lock& lock) {
        const Remaining& remaining = lock.lease.remaining;
        if (is_breaking(lock) && !lock.lease.armed && remaining.has_deadline() &&
            remaining.time() > Nanoseconds(0)) {
            const bool is_soon = remaining.time() <= 2 * kBefore;
            next =
                std::min(next, is_soon ? remaining.time() + kBehind : remaining.time() - kBefore);
        }
    });
    return next;
}

timespec timespec_of(Nanoseconds span) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(span);
    timespec time{};
    time.tv_sec = static_cast<std::time_t>(seconds.count());
    time.tv_nsec = static_cast<decltype(time.tv_nsec)>((span - seconds).count());
    return time;
}

volatile std::sig_atomic_t g_resized = 0;

void note_resized(int /*signal*/) {
    g_resized = 1;
}

// While one of these lives, SIGWINCH only comes in wait(): none is missed.
class SizeSignal {
 public:
    SizeSignal() {
        struct sigaction action {};
        action.sa_handler = note_resized;
        sigaction(SIGWINCH, &action, &action_before_);
        sigset_t signals;
        sigemptyset(&signals);
        sigaddset(&signals, SIGWINCH);
        sigprocmask(SIG_BLOCK, &signals, &before_);
        waiting_ = before_;
        sigdelset(&waiting_, SIGWINCH);
    }
    SizeSignal(const SizeSignal&) = delete;
    SizeSignal& operator=(const SizeSignal&) = delete;
    ~SizeSignal() {
        sigprocmask(SIG_SETMASK, &before_, nullptr);
        sigaction(SIGWINCH, &action_before_, nullptr);
    }

    // Ends early where a signal comes, and where nobody reads standard output any more: returns
    // what poll(2) says of it.
    [[nodiscard]] short wait(Nanoseconds span) const {
        pollfd out{.fd = STDOUT_FILENO, .events = 0, .revents = 0};
        const timespec time = timespec_of(std::max(span, Nanoseconds(0)));
        const int found = ppoll(&out, 1, &time, &waiting_);
        return found > 0 ? out.revents : short{0};
    }
    // True once for each change.
    [[nodiscard]] static bool was_resized() { return std::exchange(g_resized, 0) != 0; }

 private:
    struct sigaction action_before_ {};
    sigset_t before_{};
    sigset_t waiting_{};
};

class Watch {
 public:
    Watch(const Context& context, const WatchRequest& request, LiveLeases first)
        : context_(context), request_(request), last_(std::move(first.snapshot)) {
        tell_of(first.unknown);
    }

    void run() {
        const StopSignals stop_signals;
        spdlog::info("{}: {} locks; watching", last_.origin.name, last_.locks.size());
        live::SteadyTime looked = live::steady_now();
        while (!last_.processes.empty()) {
            if (!wait()) {
                return;
            }
            LiveLeases now = cli::read_again(last_, request_.choice);
            const live::SteadyTime before = std::exchange(looked, live::steady_now());
            tell_of(now.unknown);
            if (!request_.on_screen) {
                print_events(now.snapshot, looked - before);
            }
            last_ = std::move(now.snapshot);
        }
        if (request_.on_screen) {
            context_.out.print("{}: gone\n", last_.origin.name);
        }
    }

 private:
    // Until the next look. False if a signal asks to stop.
    bool wait() {
        const live::SteadyTime next = live::steady_now() + next_look(last_, request_.interval);
        bool is_drawn = false;
        do {
            if (request_.on_screen && (SizeSignal::was_resized() || !is_drawn)) {
                print_table();
                is_drawn = true;
            }
            context_.out.flush();
            if (context_.environment.stop_signal() != 0) {
                return false;
            }
            if ((size_signal_.wait(next - live::steady_now()) & (POLLERR | POLLHUP)) != 0) {
                fail_unread();
            }
        } while (context_.environment.stop_signal() == 0 && live::steady_now() < next);
        return context_.environment.stop_signal() == 0;
    }

    // As when it writes: SIGPIPE ends it, unless that is ignored. A terminal that is gone sends
    // SIGHUP, too.
    [[noreturn]] void fail_unread() const {
        if (!context_.environment.out_is_terminal) {
            static_cast<void>(raise(SIGPIPE));
        }
        io::fail("standard output", "write", context_.environment.out_is_terminal ? -EIO : -EPIPE);
    }

    void print_table() const {
        context_.out.write("\x1b[H\x1b[2J");
        render::Page page = context_.environment.out_page;
        page.width = context_.environment.out_width();
        render::ShowReport report(context_.out, {false, page}, request_.table);
        report.snapshot(last_, request_.filter);
        report.end();
    }

    void print_events(const Snapshot& now, Nanoseconds passed) const {
        render::WatchReport report(context_.out, request_.json);
        const Moment time = context_.environment.now();
        for (const LeaseEvent& event : events_between(last_, now, passed)) {
            const Snapshot& of_lock = event.is_before ? last_ : now;
            if (!event.lock || request_.filter.matches(*event.lock, of_lock.locks.ownership())) {
                report.event(event, of_lock, time);
            }
        }
    }

    // Each thing once, however often it is met with, and whatever numbers stand in it by now.
    void tell_of(const std::vector<Problem>& problems) {
        for (const Problem& problem : problems) {
            const std::string text = context_.text_of(problem);
            Problem uncounted = problem;
            std::erase_if(uncounted.message, [](char c) { return c >= '0' && c <= '9'; });
            if (!told_.insert(context_.text_of(uncounted)).second) {
                continue;
            }
            if (request_.json) {
                render::WatchReport(context_.out, true)
                    .warning({last_.origin.name, in_words(problem, context_.command)},
                             context_.environment.now());
            }
            context_.note(text);
        }
    }

    const Context& context_;
    const WatchRequest& request_;
    Snapshot last_;
    SizeSignal size_signal_;
    std::set<std::string> told_;
};

}  // namespace

void watch(const Context& context, const WatchRequest& request, LiveLeases first) {
    Watch(context, request, std::move(first)).run();
}

}  // namespace ckpt_lease::cli
