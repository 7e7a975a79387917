// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <cerrno>
#include <ctime>

#include "live/set/apply_run.hpp"
#include "live/set/course.hpp"

namespace ckpt_lease::live {
namespace {

void sleep_until(std::uint64_t time) {
    constexpr std::uint64_t kSecond = 1'000'000'000;
    const timespec until{.tv_sec = static_cast<time_t>(time / kSecond),
                         .tv_nsec = static_cast<long>(time % kSecond)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
    }
}

class Setting {
 public:
    Setting(const Group& group, std::optional<std::uint64_t> deadline, const BreakClock& clock,
            const BreakTime& break_time, const ApplyHooks& hooks)
        : clock_(clock),
          break_time_(break_time),
          hooks_(hooks),
          deadline_(deadline),
          over_(deadline && *deadline <= monotonic_now()) {
        for (const Unit& unit : group.units) {
            if (!unit.slot->decided) {
                work_.push_back({&unit, {}});
            }
        }
    }

    void run() {
        for (Work& work : work_) {
            prepare_one(work);
        }
        forget_decided();
        for (const Work& work : work_) {
            take(*work.unit);
        }
        forget_decided();
        for (const Work& work : work_) {
            if (work.course.type != LockType::unlck) {
                set(work);
            }
        }
        forget_decided();
        start_break();
        forget_decided();
        for (const Work& work : work_) {
            end_break(work);
            step(hooks_, "ended");
            finish(work);
            step(hooks_, "decided");
        }
    }

 private:
    struct Work {
        const Unit* unit;
        Course course;
    };

    void forget_decided() {
        std::erase_if(work_, [](const Work& work) { return work.unit->slot->decided.load(); });
    }

    void prepare_one(Work& work) {
        const Unit& unit = *work.unit;
        Slot& slot = *unit.slot;
        save(unit);
        step(hooks_, "saved");
        if (slot.decided) {
            return;
        }
        const LeaseNow now = lease_now(unit.fd);
        // A break that was our own has signalled the holder already, if it was to.
        if (slot.set_anew && now.breaking) {
            slot.signalled = true;
        }
        work.course = course_of(unit, over_);
        if (is_there_already(unit)) {
            decide_set(unit);
        } else if (now.held && work.course.type != LockType::unlck && work_.size() == 1) {
            check(work);
        }
    }

    // Setting a lease that is there anew is refused for the same reasons as setting it after it was
    // taken away, and does no harm: so most leases that would be lost are left alone instead. (Not
    // with several on one file: those that are being broken are in each other's way.)
    void check(const Work& work) {
        const Unit& unit = *work.unit;
        const int error = set_lease(unit.fd, unit.wanted->fd, work.course.type);
        if (error != 0) {
            unit.slot->decide(AppliedLease::Outcome::skipped, error == EAGAIN
                                                                  ? std::string(kFileInUse)
                                                                  : cannot("set the lease", error));
        }
        step(hooks_, "checked");
    }

    void take(const Unit& unit) {
        unit.slot->taken = true;
        const int error = remove_lease(unit.fd);
        if (error != 0) {
            unit.slot->decide(AppliedLease::Outcome::skipped,
                              cannot("take the lease away to set it anew", error));
        }
        step(hooks_, "taken");
    }

    void set(const Work& work) {
        const Unit& unit = *work.unit;
        // An owner that is there stays; without one, F_SETLEASE makes this process the owner.
        int error =
            work.course.breaks && work.course.silent ? 0 : put_owner(unit.fd, owner_of(unit));
        if (error == 0) {
            error = set_lease(unit.fd, unit.wanted->fd, work.course.type);
        }
        if (error != 0) {
            decide_lost(unit, error == EAGAIN ? std::string(kFileInUse)
                                              : cannot("set the lease again", error));
            return;
        }
        unit.slot->set_anew = true;
        // This process would be signalled in the holder's place: nobody is to be.
        if (work.course.breaks && (work.course.silent || owner_of(unit).id == 0)) {
            static_cast<void>(clear_owner(unit.fd));
        }
        step(hooks_, "set");
    }

    [[nodiscard]] std::optional<int> value_for(const Work& first) const {
        if (first.course.after != After::nothing) {
            // A second is the shortest that there is; unlock and downgrade need not wait for it.
            return first.course.after == After::time_out ? clock_.value_for_past().value_or(1) : 1;
        }
        if (!deadline_) {
            return 0;
        }
        const std::uint64_t now = monotonic_now();
        const std::uint64_t left = *deadline_ > now ? *deadline_ - now : 1;
        return clock_.value_for(Nanoseconds(static_cast<std::int64_t>(left)));
    }

    void start_break() {
        const auto first = std::find_if(work_.begin(), work_.end(),
                                        [](const Work& work) { return work.course.breaks; });
        if (first == work_.end()) {
            return;
        }
        const int error = start_break_of(*first);
        for (const Work& work : work_) {
            if (work.course.breaks && error == 0) {
                work.unit->slot->signalled = true;
            } else if (work.course.breaks) {
                refuse_break(*work.unit, error);
            }
        }
        step(hooks_, "broken");
    }

    [[nodiscard]] int start_break_of(const Work& first) const {
        // Somebody was faster: what has begun has the deadline of any break.
        if (lease_now(first.unit->fd).breaking) {
            return EBUSY;
        }
        const std::optional<int> value = value_for(first);
        if (!value) {
            return ERANGE;
        }
        return break_time_.during(
            *value, [&] { return begin_break(first.unit->door, first.course.target); });
    }

    static void refuse_break(const Unit& unit, int error) {
        if (!lease_now(unit.fd).held) {
            decide_lost(unit, "the lease was taken away while its break was begun");
            return;
        }
        decide_set(unit);
        unit.slot->decide(
            AppliedLease::Outcome::skipped,
            cannot("begin the break: the lease is held, but not with this deadline", error));
    }

    void end_break(const Work& work) {
        const int fd = work.unit->fd;
        switch (work.course.after) {
            case After::nothing:
                break;
            case After::unlock:
                static_cast<void>(remove_lease(fd));
                break;
            case After::downgrade:
                static_cast<void>(set_lease(fd, work.unit->wanted->fd, LockType::rdlck));
                break;
            case After::time_out:
                wait_for_downgrade(fd);
                break;
        }
    }

    // Whoever asks for a lease has the kernel look at its deadline.
    static void wait_for_downgrade(int fd) {
        constexpr std::uint64_t kPoll = 10'000'000;
        constexpr std::uint64_t kLongest = 3'000'000'000;
        const std::uint64_t start = monotonic_now();
        while (look_at_deadline(fd) && monotonic_now() - start < kLongest) {
            sleep_until(monotonic_now() + kPoll);
        }
    }

    void finish(const Work& work) {
        const Unit& unit = *work.unit;
        const LeaseState& state = unit.wanted->state;
        const LeaseNow now = lease_now(unit.fd);
        const bool gone = state.breaking && over_ && state.type == LockType::unlck;
        if (gone) {
            // As the kernel ends a break: it leaves neither owner nor signal.
            unit.slot->decide(AppliedLease::Outcome::set);
            unit.slot->taken = false;
        } else if (!now.held) {
            decide_lost(unit, "the lease was taken away while it was set");
        } else {
            decide_set(unit);
            const bool downgraded = state.breaking && over_ && state.type == LockType::rdlck;
            if (downgraded && (now.breaking || now.type != LockType::rdlck)) {
                unit.slot->decide(AppliedLease::Outcome::skipped,
                                  "the lease is held, but could not be downgraded");
            }
        }
    }

    const BreakClock& clock_;
    const BreakTime& break_time_;
    const ApplyHooks& hooks_;
    std::vector<Work> work_;
    std::optional<std::uint64_t> deadline_;
    bool over_;
};

bool needs_clock(const Group& group) {
    return std::any_of(group.units.begin(), group.units.end(), [](const Unit& unit) {
        const LeaseState& state = unit.wanted->state;
        return !unit.slot->decided &&
               (state.breaking || (unit.writable && state.type == LockType::rdlck));
    });
}

}  // namespace

void set_without_patch(const Preparation& preparation, SharedRun& shared, std::uint64_t begin,
                       const ApplyHooks& hooks) {
    const BreakTime break_time(preparation.break_time_fd, shared.break_time, hooks.step);
    const std::uint32_t hz = ticks_per_second();
    const bool wraps =
        !hooks.whole_seconds &&
        std::any_of(preparation.groups.begin(), preparation.groups.end(), needs_clock) &&
        break_time.wraps(hz);
    const BreakClock clock(hz, wraps);

    // With whole seconds, all waiting together is one second: the group whose moment comes first
    // goes first.
    struct Start {
        std::uint64_t time;
        std::optional<std::uint64_t> deadline;
        const Group* group;
    };
    std::vector<Start> starts;
    for (const Group& group : preparation.groups) {
        const auto deadline = deadline_of(group, begin);
        starts.push_back({start_of(deadline, clock), deadline, &group});
    }
    std::stable_sort(starts.begin(), starts.end(),
                     [](const Start& a, const Start& b) { return a.time < b.time; });
    for (const Start& start : starts) {
        sleep_until(start.time);
        Setting(*start.group, start.deadline, clock, break_time, hooks).run();
    }
}

}  // namespace ckpt_lease::live
