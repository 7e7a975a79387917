// SPDX-License-Identifier: GPL-2.0-or-later
// Rows 1, 15 and 17: leases that nobody was breaking.
#include <cerrno>

#include "runner.hpp"

namespace proof {
namespace {

void save_idle(const Scratch& scratch, const Kind& kind, Way way) {
    Holder holder(scratch.file, kind.holder_flags);
    holder.take(kind.held);
    checkpoint(scratch.image, {&holder}, {}, way);
    holder.require_type(kind.held, "after a checkpoint");
    holder.require_signals(0, "after a checkpoint");
    const Lock lease = only_lease(scratch.image);
    require_equal(lease.fl_type, kind.held, "fl_type of a lease that nobody breaks");
}

// Row 1
std::string idle(const Scratch& scratch, const Kind& kind, Way way) {
    save_idle(scratch, kind, way);
    Restart restart(scratch.image, way);
    restart.only().require_type(kind.held, "after the restart");
    restart.only().require_signals(0, "after the restart");
    sleep_for(0.4);
    restart.only().require_type(kind.held, "some time after the restart");
    return normal_break(restart.only(), kind);
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
        let_downgrade(holder);
        checkpoint(scratch.image, {&holder}, {}, Way::inside);
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
    return "F_RDLCK, then a writer: " + normal_break(restart.only(), kReadUnlock);
}

// But not if somebody else has it open for writing.
std::string downgraded_refused(const Scratch& scratch) {
    save_idle(scratch, kReadUnlock, Way::inside);
    const SavedDescriptor saved = read_image(scratch.image).at(0);
    Breaker writer(scratch.file, O_WRONLY);
    writer.require_in_at_once("a writer");
    for (const int flags : {O_RDONLY, O_RDWR}) {
        Holder holder(scratch.file, flags);
        require_error(restore_lease(holder, saved, Way::inside, 0), EAGAIN,
                      "a read lease beside a writer");
        holder.require_type(F_UNLCK, "after that");
    }
    return "EAGAIN for a read lease, where another has the file open for writing";
}

// For the tests of ckpt-lease: a holder of a lease that nobody breaks, and one without any.
std::string nothing(const Scratch& scratch) {
    Holder idle(scratch.file, O_RDONLY);
    idle.take(F_RDLCK);
    Holder none(scratch.new_file("none"), O_RDWR);
    checkpoint(scratch.image, {&idle, &none}, {}, Way::inside, true);
    const auto saved = read_image(scratch.image);
    require_equal(static_cast<long>(saved.size()), 2, "lists of locks");
    require_equal(static_cast<long>(saved[0].locks.size()), 1, "locks of the first");
    require_equal(static_cast<long>(saved[1].locks.size()), 0, "locks of the second");
    scratch.report("image kernel_idle " + base64(read_file(scratch.image)));
    return "one record and none, ckpt-lease finds nothing wrong";
}

}  // namespace

void add_idle_cases(Cases& cases) {
    for (const Kind& kind : kAllKinds) {
        for (const Way way : {Way::inside, Way::outside}) {
            const char* const name = way == Way::inside ? "inside" : "outside";
            cases.push_back({format("row01-idle-%s-%s", name, kind.name),
                             [&kind, way](const Scratch& s) { return idle(s, kind, way); }});
        }
    }
    cases.push_back({"row17-downgraded", downgraded});
    cases.push_back({"row17-other-writer", downgraded_refused});
    cases.push_back({"image-idle", nothing});
}

void add_unpatched_cases(Cases& cases) {
    for (const Kind& kind : kAllKinds) {
        cases.push_back({format("row15-%s", kind.name),
                         [&kind](const Scratch& s) { return untouched(s, kind); }});
    }
}

}  // namespace proof
