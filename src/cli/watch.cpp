// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/watch.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <set>
#include <string>
#include <utility>

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
        if (is_breaking(lock) && remaining.has_deadline() && remaining.time() > Nanoseconds(0)) {
            const bool is_soon = remaining.time() <= 2 * kBefore;
            next =
                std::min(next, is_soon ? remaining.time() + kBehind : remaining.time() - kBefore);
        }
    });
    return next;
}

// Ends early where a signal comes.
void sleep_for(Nanoseconds span) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(span);
    timespec time{};
    time.tv_sec = seconds.count();
    time.tv_nsec = (span - seconds).count();
    static_cast<void>(clock_nanosleep(CLOCK_MONOTONIC, 0, &time, nullptr));
}

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
            if (request_.on_screen) {
                print_table();
            }
            if (!wait()) {
                return;
            }
            LiveLeases now = cli::read_again(last_, request_.tree);
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
    // False if a signal asks to stop.
    bool wait() {
        context_.out.flush();
        if (context_.environment.stop_signal() == 0) {
            sleep_for(next_look(last_, request_.interval));
        }
        return context_.environment.stop_signal() == 0;
    }

    void print_table() const {
        context_.out.write("\x1b[H\x1b[2J");
        render::ShowReport report(context_.out, {false, context_.environment.out_page},
                                  request_.table);
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

    // Each thing once, however often it is met with.
    void tell_of(const std::vector<Problem>& problems) {
        for (const Problem& problem : problems) {
            std::string text = context_.text_of(problem);
            if (told_.insert(text).second) {
                context_.note(text);
            }
        }
    }

    const Context& context_;
    const WatchRequest& request_;
    Snapshot last_;
    std::set<std::string> told_;
};

}  // namespace

void watch(const Context& context, const WatchRequest& request, LiveLeases first) {
    Watch(context, request, std::move(first)).run();
}

}  // namespace ckpt_lease::cli
