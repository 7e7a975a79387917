// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <optional>
#include <thread>
#include <vector>

#include "live/breakers.hpp"
#include "live/set/plan.hpp"
#include "live/set/run.hpp"
#include "live/ticks.hpp"

namespace ckpt_lease::live {
namespace {

// When the break of a file's leases is to end: the latest of their deadlines. Nothing: never.
std::optional<SteadyTime> deadline_of(const Group& group, SteadyTime begin) {
    SteadyTime latest = begin;
    for (const OpenLease& lease : group.leases) {
        const LeaseState& state = lease.wanted->state;
        if (state.breaking && !state.remaining.has_deadline()) {
            return std::nullopt;
        }
        if (state.breaking) {
            latest = std::max(latest, begin + state.remaining.time());
        }
    }
    return latest;
}

// When to begin, so that what is left is a time that the clock can set. Where it sets times finely
// there is nothing to wait for.
SteadyTime start_of(std::optional<SteadyTime> deadline, const BreakClock& clock) {
    constexpr Nanoseconds kFineEnough = std::chrono::milliseconds(50);
    const SteadyTime now = steady_now();
    if (!deadline || *deadline <= now || clock.resolution() <= kFineEnough) {
        return now;
    }
    return now + (*deadline - now) % clock.resolution();
}

// Sets the leases of one file.
class FileSetter {
 public:
    FileSetter(const Run& run, const Group& group, std::optional<SteadyTime> deadline,
               const BreakClock& clock, const BreakTime& break_time)
        : run_(run),
          clock_(clock),
          break_time_(break_time),
          deadline_(deadline),
          is_over_(deadline && *deadline <= steady_now()) {
        for (const OpenLease& lease : group.leases) {
            if (!lease.slot->decided) {
                work_.push_back({&lease, {}});
            }
        }
    }

    void run() {
        for (Work& work : work_) {
            begin_one(work);
        }
        forget_decided();
        for (const Work& work : work_) {
            take(*work.lease);
        }
        set_taken();
        start_break();
        forget_decided();
        const bool is_sound = are_all_held();
        for (const Work& work : work_) {
            run_.touch(work.lease->place);
            end_break(work);
            run_.step(Step::ended);
            finish(work, is_sound);
            run_.step(Step::decided);
        }
    }

 private:
    struct Work {
        const OpenLease* lease;
        Plan plan;
    };

    void forget_decided() {
        std::erase_if(work_, [](const Work& work) { return work.lease->slot->decided.load(); });
    }

    void begin_one(Work& work) {
        const OpenLease& lease = *work.lease;
        Slot& slot = *lease.slot;
        run_.touch(lease.place);
        save(lease);
        run_.step(Step::saved);
        if (slot.decided) {
            return;
        }
        // As it was a moment ago: the kernel goes over all leases of the file to say so.
        const LeaseNow& now = lease.found;
        // A break that was our own has signalled the holder already, if it was to.
        if (slot.set_anew && now.breaking) {
            slot.signalled = true;
        }
        work.plan = plan_for(lease, is_over_);
        const bool is_done = slot.broken && now.breaking && !is_over_;
        if (is_done || is_there_already(lease, now)) {
            decide_set(run_, lease);
        } else if (now.held && work.plan.type != LockType::unlck && work_.size() == 1) {
            check(work);
        }
    }

    // Setting a lease that is there anew is refused for the same reasons as setting it after it was
    // taken away, and does no harm: so most leases that would be lost are left alone instead. (Not
    // with several on one file: those that are being broken are in each other's way.)
    void check(const Work& work) {
        const OpenLease& lease = *work.lease;
        const int error = set_lease(lease.file.get(), lease.wanted->fd, work.plan.type);
        if (error != 0) {
            decide_refused(lease, "set the lease", error);
        }
        run_.step(Step::checked);
    }

    void take(const OpenLease& lease) {
        run_.touch(lease.place);
        lease.slot->taken = true;
        bool was_there = true;
        const int error = remove_lease(lease.file.get(), &was_there);
        is_beside_others_ = is_beside_others_ || (lease.is_counted && !was_there);
        if (error != 0) {
            lease.slot->decide(AppliedLease::Outcome::skipped,
                               cannot("take the lease away to set it anew", error));
        }
        run_.step(Step::taken);
    }

    void set_taken() {
        forget_decided();
        for (const Work& work : work_) {
            if (work.plan.type != LockType::unlck) {
                set(work);
            }
        }
        forget_decided();
    }

    void set(const Work& work) {
        const OpenLease& lease = *work.lease;
        const int fd = lease.file.get();
        run_.touch(lease.place);
        // An owner that is there stays; without one, F_SETLEASE makes this process the owner.
        int error = work.plan.breaks && work.plan.silent ? 0 : run_.owners.put(fd, owner_of(lease));
        if (error == 0) {
            error = set_lease(fd, lease.wanted->fd, work.plan.type);
        }
        if (error != 0) {
            lease.slot->in_use = error == EAGAIN;
            decide_lost(
                run_, lease,
                error == EAGAIN ? std::string(kFileInUse) : cannot("set the lease again", error));
            return;
        }
        lease.slot->set_anew = true;
        // This process would be signalled in the holder's place: nobody is to be.
        if (work.plan.breaks && (work.plan.silent || owner_of(lease).id == 0)) {
            static_cast<void>(clear_owner(fd));
        }
        run_.step(Step::set);
    }

    [[nodiscard]] std::optional<int> value_for(const Work& first) const {
        if (first.plan.after != After::nothing) {
            // A second is the shortest that there is; unlock and downgrade need not wait for it.
            return first.plan.after == After::time_out ? clock_.value_for_past().value_or(1) : 1;
        }
        if (!deadline_) {
            return 0;
        }
        return clock_.value_for(std::max(*deadline_ - steady_now(), Nanoseconds(1)));
    }

    void start_break() {
        int error = start_first();
        if (error == ETIME) {
            set_once_more();
            error = start_first();
        }
        for (const Work& work : work_) {
            if (work.plan.breaks && error == 0) {
                work.lease->slot->signalled = true;
                work.lease->slot->broken = work.plan.after == After::nothing;
            } else if (work.plan.breaks) {
                refuse_break(*work.lease, error);
            }
        }
        run_.step(Step::broken);
    }

    // One break is that of all leases of the file.
    [[nodiscard]] int start_first() const {
        const auto first = std::find_if(work_.begin(), work_.end(),
                                        [](const Work& work) { return work.plan.breaks; });
        if (first == work_.end()) {
            return 0;
        }
        run_.touch(first->lease->place);
        return start_break_of(*first);
    }

    // On a busy machine others may have had their turn while the break was begun, and it may have
    // had another deadline than was meant.
    void set_once_more() {
        for (Work& work : work_) {
            const bool breaking = lease_now(work.lease->file.get()).breaking;
            if (breaking && !work.plan.silent) {
                work.lease->slot->signalled = true;
            }
            work.plan = plan_for(*work.lease, is_over_);
            take(*work.lease);
        }
        set_taken();
    }

    [[nodiscard]] int start_break_of(const Work& first) const {
        // Somebody was faster: what has begun has the deadline of any break. Or another's lease
        // would be broken with ours.
        if (is_beside_others_ || lease_now(first.lease->file.get()).breaking) {
            return EBUSY;
        }
        const std::optional<int> value = value_for(first);
        if (!value) {
            return ERANGE;
        }
        return break_time_.during(
            *value, [&] { return begin_break(first.lease->as_breaker(), first.plan.target); });
    }

    void refuse_break(const OpenLease& lease, int error) const {
        if (!lease_now(lease.file.get()).held) {
            decide_lost(run_, lease, "the lease was taken away while its break was begun");
            return;
        }
        decide_set(run_, lease);
        lease.slot->decide(
            AppliedLease::Outcome::skipped,
            cannot("begin the break: the lease is held, but not with this deadline", error));
    }

    void end_break(const Work& work) const {
        const int fd = work.lease->file.get();
        switch (work.plan.after) {
            case After::nothing:
                break;
            case After::unlock:
                static_cast<void>(remove_lease(fd));
                break;
            case After::downgrade:
                static_cast<void>(set_lease(fd, work.lease->wanted->fd, LockType::rdlck));
                break;
            case After::time_out:
                wait_for_downgrade(*work.lease);
                break;
        }
    }

    // Whoever asks for a lease has the kernel look at its deadline.
    void wait_for_downgrade(const OpenLease& lease) const {
        constexpr std::chrono::milliseconds kPoll(10);
        constexpr std::chrono::seconds kLongest(3);
        const SteadyTime start = steady_now();
        while (look_at_deadline(lease.file.get()) && steady_now() - start < kLongest) {
            std::this_thread::sleep_for(kPoll);
            run_.touch(lease.place);
        }
    }

    // Many read leases on one file, of which each takes the kernel as long to tell about as there
    // are: a look at the number of all will do, mostly.
    [[nodiscard]] bool are_all_held() const {
        if (work_.size() < kManyOnOneFile || is_over_) {
            return false;
        }
        const LeaseNow first = lease_now(work_.front().lease->file.get());
        return first.held && read_locks().of(first.inode).count == work_.size();
    }

    // `is_sound`: the lease is known to be held.
    void finish(const Work& work, bool is_sound) const {
        const OpenLease& lease = *work.lease;
        const LeaseState& state = lease.wanted->state;
        const LeaseNow now = is_sound ? LeaseNow{.held = true} : lease_now(lease.file.get());
        const bool gone = state.breaking && is_over_ && state.type == LockType::unlck;
        if (gone) {
            // As the kernel ends a break: it leaves neither owner nor signal.
            lease.slot->decide(AppliedLease::Outcome::set);
            lease.slot->taken = false;
        } else if (!now.held) {
            decide_lost(run_, lease, "the lease was taken away while it was set");
        } else {
            decide_set(run_, lease);
            const bool downgraded = state.breaking && is_over_ && state.type == LockType::rdlck;
            if (downgraded && (now.breaking || now.type != LockType::rdlck)) {
                lease.slot->decide(AppliedLease::Outcome::skipped,
                                   "the lease is held, but could not be downgraded");
            }
        }
    }

    const Run& run_;
    const BreakClock& clock_;
    const BreakTime& break_time_;
    std::vector<Work> work_;
    std::optional<SteadyTime> deadline_;
    bool is_over_;
    bool is_beside_others_ = false;  // somebody else's lease was counted as one of ours
};

bool needs_clock(const Group& group) {
    return std::any_of(group.leases.begin(), group.leases.end(), [](const OpenLease& lease) {
        const LeaseState& state = lease.wanted->state;
        return !lease.slot->decided &&
               (state.breaking || (lease.writable && state.type == LockType::rdlck));
    });
}

}  // namespace

bool needs_break_time(const Preparation& preparation) {
    return !preparation.kernel_restores &&
           std::any_of(preparation.groups.begin(), preparation.groups.end(), needs_clock);
}

void set_without_patch(const Run& run, const Preparation& preparation) {
    const BreakTime break_time(preparation.break_time_file.get(), run.shared.break_time,
                               run.hooks.step);
    const std::uint32_t hz = ticks_per_second();
    const bool wraps =
        !run.hooks.whole_seconds && needs_break_time(preparation) && break_time.wraps(hz);
    const BreakClock clock(hz, wraps);

    // With whole seconds, all waiting together is one second: the group whose moment comes first
    // goes first.
    struct Start {
        SteadyTime time;
        std::optional<SteadyTime> deadline;
        const Group* group;
    };
    std::vector<Start> starts;
    const SteadyTime begin = run.begin();
    for (const Group& group : preparation.groups) {
        const auto deadline = deadline_of(group, begin);
        starts.push_back({start_of(deadline, clock), deadline, &group});
    }
    std::stable_sort(starts.begin(), starts.end(),
                     [](const Start& a, const Start& b) { return a.time < b.time; });
    for (const Start& start : starts) {
        run.rest();
        std::this_thread::sleep_until(start.time);
        if (!run.begin_setting()) {
            return;
        }
        FileSetter(run, *start.group, start.deadline, clock, break_time).run();
        run.end_setting();
    }
}

}  // namespace ckpt_lease::live
