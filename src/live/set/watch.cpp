// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/set/watch.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <numeric>

#include "live/abandonable.hpp"
#include "live/set/group_rules.hpp"
#include "live/set/numbers.hpp"

namespace ckpt_lease::live {
namespace {

// To close what it has open.
constexpr Nanoseconds kLongestLeaving = std::chrono::milliseconds(300);

constexpr std::string_view kTooManySilent = "too many file systems of other leases do not answer";
constexpr std::string_view kTooManyOnOneFile =
    "there are more leases on its file than a process may have descriptors (RLIMIT_NOFILE)";

// By somebody who may: as good as killed.
bool is_stopped(pid_t worker) {
    siginfo_t info{};
    return waitid(P_PID, static_cast<id_t>(worker), &info, WSTOPPED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == worker;
}

}  // namespace

void Watch::run() {
    for (const std::vector<std::size_t>& places : portions()) {
        run_portion(places);
    }
}

// As many as a worker may have open. Leases on one file belong together: a break is one for all.
std::vector<std::vector<std::size_t>> Watch::portions() const {
    std::vector<std::size_t> all(order_.wanted.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    const std::size_t most = Numbers::most(order_.wanted);
    if (all.size() <= most) {
        return {all};
    }
    // Which file it is need not be right, if only those on one file are together.
    std::map<std::uint64_t, std::vector<std::size_t>> files;
    for (const std::size_t place : all) {
        files[where_is(order_.wanted[place]).inode].push_back(place);
    }
    std::vector<std::vector<std::size_t>> portions(1);
    for (const auto& [inode, places] : files) {
        if (places.size() > most) {
            decide_rest(shared_, order_.wanted, places, kTooManyOnOneFile);
            shared_.lack(Lack::descriptors);
            continue;
        }
        if (portions.back().size() + places.size() > most) {
            portions.emplace_back();
        }
        portions.back().insert(portions.back().end(), places.begin(), places.end());
    }
    return portions;
}

void Watch::run_portion(std::span<const std::size_t> places) {
    constexpr int kMostFailed = 2;
    constexpr int kMostHung = 8;
    int failed = 0;
    int hung = 0;
    End end = End::done;
    const auto is_left = [&](std::size_t place) { return !is_decided(shared_, place); };
    while (std::any_of(places.begin(), places.end(), is_left)) {
        end = have_done(places, Duty::set, {});
        put_back(shared_.break_time);
        if (end != End::done) {
            order_.lock.release();  // until another worker needs it
        }
        failed += end == End::failed ? 1 : 0;
        hung += end == End::hung ? 1 : 0;
        if (end == End::done || failed == kMostFailed || hung == kMostHung) {
            break;
        }
    }
    const bool may_not = end == End::done && shared_.lacks[static_cast<std::size_t>(Lack::hold)];
    const std::string why = may_not             ? std::string(kNotStopped)
                            : hung == kMostHung ? std::string(kTooManySilent)
                                                : failure_;
    if (failed == kMostFailed || (may_not && std::any_of(places.begin(), places.end(), is_left))) {
        static_cast<void>(have_done(places, Duty::leave, why));
    }
    decide_rest(shared_, order_.wanted, places, why);
    order_.lock.release();
}

Watch::End Watch::have_done(std::span<const std::size_t> places, Duty duty, std::string_view why) {
    shared_.break_time.begun = kNever;
    shared_.leaving = false;
    shared_.thrown[0] = '\0';
    shared_.rest();
    const pid_t worker = order_.hooks.start_process();
    if (worker < 0) {
        failure_ = no_setter(errno);
        return End::failed;
    }
    if (worker == 0) {
        work(order_, places, duty, why);
    }
    shared_.worker = worker;
    const End end = wait_for(worker);
    shared_.worker = 0;
    const std::size_t place = shared_.touched;
    if (end != End::hung || place == kNoSlot) {
        return end == End::done ? End::done : End::failed;
    }
    if (duty == Duty::set) {
        note_silence(place);
    }
    return End::hung;
}

// However long it takes to begin a break, lease-break-time is everybody's and not left changed for
// that.
Watch::End Watch::wait_for(int worker) {
    constexpr int kLookEvery = 10;  // milliseconds
    int status = 0;
    while (!has_ended(worker, kLookEvery, status)) {
        const SteadyTime now = steady_now();
        const SteadyTime begun = shared_.break_time.begun;
        if (begun != kNever && now - begun >= kLongestBegin) {
            put_back_early(shared_.break_time);
        }
        if (is_stopped(worker)) {
            kill(worker, SIGKILL);
            continue;
        }
        const Nanoseconds silence = now - shared_.beat.load();
        const bool is_leaving = shared_.leaving;
        if (silence > (is_leaving ? kLongestLeaving : kLongestSilence)) {
            kill(worker, SIGKILL);
            static_cast<void>(has_ended(worker, kLookEvery, status));
            failure_ = setter_that("did not go on, and was killed");
            return is_leaving ? End::done : End::hung;
        }
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return End::done;
    }
    const char* const thrown = shared_.thrown.data();
    failure_ = *thrown == '\0' ? setter_that(describe_end(status)) : setter_that_threw(thrown);
    return End::failed;
}

// The lease that the worker was at, and by its mount all that would hang as well.
void Watch::note_silence(std::size_t place) {
    const std::uint64_t mount = where_is(order_.wanted[place]).mount;
    const auto free = std::find_if(shared_.silent_mounts.begin(), shared_.silent_mounts.end(),
                                   [&](const auto& silent) { return silent == 0; });
    if (free != shared_.silent_mounts.end()) {
        *free = mount;
    }
    put_back(shared_.break_time);
    const std::vector<std::size_t> only{place};
    static_cast<void>(have_done(only, Duty::leave, kSilent));
    decide_rest(shared_, order_.wanted, only, kSilent);
}

bool is_decided(const SharedRun& shared, std::size_t place) {
    const Slot& slot = shared.slots[place];
    return slot.decided || shared.slots[slot.same_as].decided;
}

void decide_rest(SharedRun& shared, std::span<const WantedLease> wanted,
                 std::span<const std::size_t> places, std::string_view why) {
    for (const std::size_t place : places) {
        Slot& slot = shared.slots[place];
        if (!slot.decided && slot.same_as == place) {
            decide_from_outside(wanted[place], slot, why);
        }
    }
}

}  // namespace ckpt_lease::live
