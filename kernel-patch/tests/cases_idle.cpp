// SPDX-License-Identifier: GPL-2.0-or-later
// Rows 1, 15 and 17: leases that nobody was breaking.
#include <cerrno>
#include <csignal>

#include "runner.hpp"

namespace proof {
namespace {

// A break of `holder`'s lease begins now, and is one like any other.
std::string normal_break(Holder& holder, const std::string& file, int breaker_flags, int target) {
    const int before = holder.signals();
    Breaker breaker(file, breaker_flags);
    const std::int64_t begin = now();
    breaker.start();
    breaker.require_waiting("a normal break");
    require_equal(holder.signals(), before + 1, "signals of a normal break");
    holder.require_type(target, "during a normal break");
    const std::int64_t in = breaker.in(11);
    holder.require_signals(before + 1, "of a normal break");
    holder.require_type(target, "after a normal break");
    return require_normal_break(begin, in) + ", 1 signal";
}

void save_idle(const Scratch& scratch, const Kind& kind, Way way) {
    Holder holder(scratch.file, kind.holder_flags);
    holder.take(kind.held);
    checkpoint(scratch.image, {&holder}, {}, way);
    holder.require_type(kind.held, "after a checkpoint");
    holder.require_signals(0, "after a checkpoint");
    const Lock lease = only_lease(scratch.image);
    require_equal(lease.fl_type, kind.held, "fl_type of a lease that nobody breaks");
}

// Row 1. The time in the record, which means nothing there, is put to `left`.
std::string idle(const Scratch& scratch, const Kind& kind, Way way, double left) {
    save_idle(scratch, kind, way);
    edit_leases(scratch.image, [&](Lock& lock) {
        set_remaining(lock, left);
        lock.fl_type_prev = F_UNLCK;
        lock.fl_break_notified = 1;
    });
    Restart restart(scratch.image, way);
    restart.only().require_type(kind.held, "after the restart");
    restart.only().require_signals(0, "after the restart");
    sleep_for(0.4);
    restart.only().require_type(kind.held, "some time after the restart");
    return normal_break(restart.only(), scratch.file, kind.breaker_flags, kind.target);
}

// Without F_SETOWN, the caller becomes the owner; without F_SETSIG it's SIGIO.
std::string without_owner(const Scratch& scratch) {
    make_image(scratch, kWriteUnlock, 3, false, Way::inside);
    const SavedDescriptor saved = read_image(scratch.image).at(0);
    Holder holder(scratch.file, O_RDWR);
    require_equal(holder.process().fcntl(holder.fd(), F_SETOWN, 0), 0, "F_SETOWN");
    require_equal(holder.process().fcntl(holder.fd(), F_GETOWN), 0, "F_GETOWN before");
    require_equal(restore_locks(holder, scratch.image, saved.locks_at, Way::inside, 0), 1,
                  "F_RESTORE_LOCKS");
    require_equal(holder.process().fcntl(holder.fd(), F_GETOWN), holder.process().pid(),
                  "F_GETOWN after");
    Breaker breaker(scratch.file, O_WRONLY);
    breaker.start();
    breaker.require_waiting("restarted");
    holder.require_signals(1, "to the caller");
    return "the caller owns the lease, 1 signal";
}

// What was set before stays, also if it is another process.
std::string with_owner(const Scratch& scratch) {
    make_image(scratch, kWriteUnlock, 3, false, Way::inside);
    const SavedDescriptor saved = read_image(scratch.image).at(0);
    Holder holder(scratch.file, O_RDWR);
    Holder other(scratch.new_file("other"), O_RDWR);
    require_equal(holder.process().fcntl(holder.fd(), F_SETOWN, other.process().pid()), 0,
                  "F_SETOWN");
    require_equal(restore_locks(holder, scratch.image, saved.locks_at, Way::inside, 0), 1,
                  "F_RESTORE_LOCKS");
    require_equal(holder.process().fcntl(holder.fd(), F_GETOWN), other.process().pid(), "F_GETOWN");
    require_equal(holder.process().fcntl(holder.fd(), F_GETSIG), SIGRTMIN, "F_GETSIG");
    Breaker breaker(scratch.file, O_WRONLY);
    breaker.start();
    breaker.require_waiting("restarted");
    require_equal(holder.signals(), 0, "signals to the caller");
    other.expect_signals_for(holder.fd());
    require_equal(other.signals(), 1, "signals to the owner");
    return "owner and signal that were set before are kept, 1 signal";
}

// Row 15: leases that F_SETLEASE sets.
std::string untouched(const Scratch& scratch, const Kind& kind) {
    Holder holder(scratch.file, kind.holder_flags);
    holder.take(kind.held);
    Breaker hurried(scratch.file, kind.breaker_flags);
    const std::int64_t begin = now();
    require_equal(-hurried.try_open(), EWOULDBLOCK, "O_NONBLOCK");
    Breaker second(scratch.file, kind.breaker_flags);
    second.start();
    second.require_waiting("a normal break");
    holder.require_signals(1, "of a normal break with two breakers");
    const std::string text = require_normal_break(begin, second.in(10));
    holder.require_type(kind.target, "after a normal break");
    Process& process = holder.process();
    require_equal(-process.fcntl(holder.fd(), 1024 + 66), EINVAL, "an unknown command");
    Holder writer(scratch.new_file("writer"), O_RDWR);
    require_equal(-writer.set(F_RDLCK), EAGAIN, "F_SETLEASE F_RDLCK where it is open for writing");
    return text + ", 1 signal for two breakers";
}

// Row 17: the kernel downgrades, on a file that the holder has open for writing.
std::string downgraded(const Scratch& scratch) {
    {
        Holder holder(scratch.file, O_RDWR);
        holder.take(F_WRLCK);
        Breaker reader(scratch.file, O_RDONLY);
        reader.start();
        reader.in(10);
        holder.require_type(F_RDLCK, "when the kernel has downgraded it");
        checkpoint(scratch.image, {&holder}, {&reader}, Way::inside);
    }
    require_equal(only_lease(scratch.image).fl_type, F_RDLCK, "fl_type");
    {
        Holder refused(scratch.file, O_RDWR);
        require_equal(-refused.set(F_RDLCK), EAGAIN, "F_SETLEASE F_RDLCK");
    }
    run_ckpt_lease({"verify"}, scratch.image);
    scratch.report("image kernel_downgraded " + base64(read_file(scratch.image)));
    Restart restart(scratch.image, Way::inside);
    restart.only().require_type(F_RDLCK, "after the restart");
    Breaker reader(scratch.file, O_RDONLY);
    reader.require_in_at_once("another reader");
    return "F_RDLCK, then a writer: " +
           normal_break(restart.only(), scratch.file, O_WRONLY, F_UNLCK);
}

// But not if somebody else has it open for writing.
std::string downgraded_refused(const Scratch& scratch) {
    save_idle(scratch, kReadUnlock, Way::inside);
    const SavedDescriptor saved = read_image(scratch.image).at(0);
    Breaker writer(scratch.file, O_WRONLY);
    writer.require_in_at_once("a writer");
    for (const int flags : {O_RDONLY, O_RDWR}) {
        Holder holder(scratch.file, flags);
        require_equal(-restore_locks(holder, scratch.image, saved.locks_at, Way::inside, 0), EAGAIN,
                      "a read lease beside a writer");
        holder.require_type(F_UNLCK, "after that");
    }
    return "EAGAIN for a read lease, where another has the file open for writing";
}

}  // namespace

void add_idle_cases(Cases& cases) {
    for (const Kind& kind : kAllKinds) {
        for (const Way way : {Way::inside, Way::outside}) {
            const bool inside = way == Way::inside;
            cases.push_back({format("row01-idle-%s-%s", inside ? "inside" : "outside", kind.name),
                             [&kind, way, inside](const Scratch& s) {
                                 return idle(s, kind, way, inside ? 0 : 1.0);
                             }});
        }
    }
    cases.push_back({"row17-downgraded", downgraded});
    cases.push_back({"row17-other-writer", downgraded_refused});
    cases.push_back({"owner-default", without_owner});
    cases.push_back({"owner-kept", with_owner});
}

void add_unpatched_cases(Cases& cases) {
    for (const Kind& kind : kAllKinds) {
        cases.push_back({format("row15-%s", kind.name),
                         [&kind](const Scratch& s) { return untouched(s, kind); }});
    }
}

}  // namespace proof
