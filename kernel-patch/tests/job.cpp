// SPDX-License-Identifier: GPL-2.0-or-later
#include "job.hpp"

#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <ctime>

namespace proof {

const Kind kWriteUnlock{"write-unlock", F_WRLCK, F_UNLCK, O_RDWR, O_WRONLY};
// A holder that has the file open for writing could not comply with a downgrade.
const Kind kWriteDowngrade{"write-downgrade", F_WRLCK, F_RDLCK, O_RDONLY, O_RDONLY};
const Kind kReadUnlock{"read-unlock", F_RDLCK, F_UNLCK, O_RDONLY, O_WRONLY};
const std::vector<Kind> kAllKinds{kWriteUnlock, kWriteDowngrade, kReadUnlock};

lease_state broken(const Kind& kind, std::uint64_t remaining) {
    lease_state state{};
    state.remaining_ns = remaining;
    state.type = static_cast<std::uint16_t>(kind.held);
    state.target = static_cast<std::uint16_t>(kind.target);
    state.flags = LEASE_STATE_NOTIFIED;
    state.fd = -1;
    return state;
}

std::string Scratch::new_file(const std::string& name) const {
    const std::string path = folder + "/" + name;
    write_file(path, "some data\n");
    return path;
}

Moment checkpoint(const std::string& path, const std::vector<Holder*>& holders,
                  const std::vector<Breaker*>& breakers, Way way, bool verify) {
    ImageWriter image(path, static_cast<unsigned>(holders.size() + breakers.size()));
    Moment moment;
    for (Holder* holder : holders) {
        image.begin_task("holder", 1);
        image.descriptor(holder->fd(), holder->path(), holder->flags());
        const std::int64_t begin = now();
        const long result = write_lease(*holder, image, way);
        require(result >= 0, "F_GETLEASE_STATE: " + error_name(-result));
        moment.before = moment.before == 0 ? begin : moment.before;
        moment.after = now();
        image.end_task();
    }
    for (std::size_t i = 0; i < breakers.size(); ++i) {
        image.begin_task("breaker", 1);
        image.descriptor(0, "/dev/null", O_RDWR);
        image.end_task();
    }
    image.finish();
    if (verify) {
        run_ckpt_lease({"verify"}, path);
        run_ckpt_lease({"show"}, path);
    }
    return moment;
}

Restart::Restart(const std::string& image, Way way, std::int64_t begin_ns) : begin(begin_ns) {
    const std::vector<SavedDescriptor> all = read_image(image);
    for (const SavedDescriptor& saved : all) {
        holders.push_back(std::make_unique<Holder>(saved.path, saved.flags, saved.number, 0));
    }
    require(!holders.empty(), "no locks in the image");
    // A machine that is busy takes its time to start processes, and a short deadline would be over.
    begin = begin == 0 ? now() : begin;
    for (std::size_t i = 0; i < all.size(); ++i) {
        const long result = restore_lease(*holders[i], all[i], way, begin);
        require(result == 0, "F_SETLEASE_STATE: " + error_name(-result));
    }
}

Holder& Restart::only() {
    require_equal(static_cast<long>(holders.size()), 1, "holders in the image");
    return *holders[0];
}

void run_ckpt_lease(std::vector<std::string> arguments, const std::string& image) {
    const char* path = std::getenv("CKPT_LEASE");
    arguments.insert(arguments.begin(), path != nullptr ? path : "/bin/ckpt-lease");
    arguments.push_back(image);
    // One at a time: it is a big program for an emulated machine, and others measure times.
    const Descriptor turn(static_cast<int>(
        checked(open("..", O_RDONLY | O_DIRECTORY | O_CLOEXEC), "the folder of all cases")));
    checked(flock(turn.get(), LOCK_EX), "flock");
    run_program(arguments);
}

void make_broken_image(const Scratch& scratch, const Kind& kind, double used, Way way) {
    Holder holder(scratch.file, kind.holder_flags);
    holder.take(kind.held);
    Breaker breaker(scratch.file, kind.breaker_flags);
    const std::int64_t begin = now();
    breaker.start();
    const std::int64_t begun = now();
    breaker.require_waiting("a new break");
    holder.require_signals(1, "after a new break");
    holder.require_type(kind.target, "during a break");
    sleep_until(begin + static_cast<std::int64_t>(used * 1e9));
    const Moment moment = checkpoint(scratch.image, {&holder}, {&breaker}, way);
    holder.require_signals(1, "after a checkpoint");
    breaker.require_waiting("after a checkpoint");

    const Lock lease = only_lease(scratch.image);
    const int whole = lease_break_time();
    require(lease.fl_type == (kind.target | kInProgress) && lease.fl_type_prev == kind.held &&
                lease.fl_break_notified == 1 && lease.fl_start == 0 && lease.fl_end == INT64_MAX,
            "the record of a break: " + describe(lease));
    if (whole == 0) {
        require_equal(lease.fl_rem_lease, kNoDeadline, "fl_rem_lease");
        return;
    }
    const double left = seconds(remaining(lease));
    // This break counts in jiffies, which lag behind where the timer's interrupts are late.
    const double most = whole - seconds(moment.before - begun) + jiffies_lag();
    const double least = whole - seconds(moment.after - begin) - jiffies_lag();
    require(left <= whole && left <= most && left >= least,
            format("time left in the record: wanted %.3f to %.3f s, got %.9f", least, most, left));
}

void make_image(const Scratch& scratch, const Kind& kind, double left, bool notified, Way way) {
    make_broken_image(scratch, kind, 0, way);
    edit_leases(scratch.image, [&](Lock& lock) {
        set_remaining(lock, left);
        lock.fl_break_notified = notified ? 1 : 0;
    });
}

void let_downgrade(Holder& holder) {
    holder.take(F_WRLCK);
    Breaker reader(holder.path(), O_RDONLY);
    reader.start();
    reader.in(10);
    holder.require_type(F_RDLCK, "when the kernel has downgraded it");
}

std::string normal_break(Holder& holder, const Kind& kind) {
    const int before = holder.signals();
    Breaker breaker(holder.path(), kind.breaker_flags);
    const std::int64_t begin = now();
    breaker.start();
    breaker.require_waiting("a normal break");
    require_equal(holder.signals(), before + 1, "signals of a normal break");
    holder.require_type(kind.target, "during a normal break");
    const lease_state told = get_state(holder);
    const double least = lease_break_time() - seconds(now() - begin) - jiffies_lag();
    const double left = static_cast<double>(told.remaining_ns) / 1e9;
    require(told.type == kind.held && told.target == kind.target &&
                told.flags == LEASE_STATE_NOTIFIED && left <= lease_break_time() && left >= least,
            format("what is told of a normal break: type %d, target %d, flags %u, %.4f s, at least "
                   "%.4f wanted",
                   told.type, told.target, told.flags, left, least));
    const std::int64_t in = breaker.in(11);
    holder.require_signals(before + 1, "of a normal break");
    holder.require_type(kind.target, "after a normal break");
    return "a normal break: " + require_normal_break(begin, in) + ", 1 signal";
}

double tick() {
    timespec resolution{};
    clock_getres(CLOCK_MONOTONIC_COARSE, &resolution);
    return static_cast<double>(resolution.tv_nsec) / 1e9;
}

double jiffies_lag() {
    return 2 * tick() + 0.05 * slowness();
}

double lateness(double left) {
    return tick() + left / 8 + 0.05 * slowness();
}

std::string require_deadline(std::int64_t begin, std::int64_t in, double left) {
    const double got = seconds(in - begin);
    std::string text =
        format("wanted %.4f s, measured %.4f (-0.001 to +%.3f)", left, got, lateness(left));
    require(got >= left - 0.001 && got <= left + lateness(left), text);
    return text;
}

std::string require_normal_break(std::int64_t begin, std::int64_t in) {
    const double left = lease_break_time();
    const double got = seconds(in - begin);
    std::string text = format("wanted %.3f s, measured %.3f (-%.3f to +%.3f)", left, got,
                              jiffies_lag(), lateness(left));
    require(got >= left - jiffies_lag() && got <= left + lateness(left), text);
    return text;
}

std::string require_at_once(std::int64_t begin, std::int64_t in) {
    const double got = seconds(in - begin);
    std::string text = format("wanted at once (%.1f s), measured %.3f s", at_once(), got);
    require(got >= 0 && got <= at_once(), text);
    return text;
}

}  // namespace proof
