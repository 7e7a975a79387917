// SPDX-License-Identifier: GPL-2.0-or-later
// What is easily forgotten: other breakers than the one that was checkpointed, and changes of the
// file that are no breaks.
#include <cerrno>

#include "runner.hpp"

namespace proof {
namespace {

constexpr double kWholeBreak = 5;

// A writer wants more than the downgrade that is under way: a break of its own, with a signal.
std::string downgrade_met_by_writer(const Scratch& scratch, double left, bool notified) {
    make_image(scratch, kWriteDowngrade, left, notified, Way::inside);
    Restart restart(scratch.image, Way::inside);
    Holder& holder = restart.only();
    Breaker writer(scratch.file, O_WRONLY);
    const std::int64_t begin = now();
    writer.start();
    writer.require_waiting("a writer");
    holder.require_signals(1, "when the writer has come");
    holder.require_type(F_UNLCK, "while the writer waits");
    const std::string text = require_normal_break(begin, writer.in(11));
    holder.require_signals(1, "in all");
    holder.require_type(F_UNLCK, "when the writer is in");
    return text + ", 1 signal";
}

// Beside that writer, the reader of the restored downgrade: saved as an unlock, one deadline.
std::string both_pending(const Scratch& scratch) {
    Holder holder(scratch.file, O_RDONLY);
    holder.take(F_WRLCK);
    Breaker reader(scratch.file, O_RDONLY);
    reader.start();
    reader.require_waiting("a reader");
    holder.require_type(F_RDLCK, "while the reader waits");
    sleep_for(0.5);
    Breaker writer(scratch.file, O_WRONLY);
    const std::int64_t begin = now();
    writer.start();
    writer.require_waiting("a writer");
    const Moment moment = checkpoint(scratch.image, {&holder}, {&reader, &writer}, Way::inside);
    const Lock lease = only_lease(scratch.image);
    const double left = seconds(remaining(lease));
    require(lease.fl_type == (F_UNLCK | kInProgress) && lease.fl_type_prev == F_WRLCK &&
                left <= kWholeBreak &&
                left >= kWholeBreak - seconds(moment.after - begin) - jiffies_lag(),
            "the record: " + describe(lease));
    return "a downgrade and an unlock pending are saved as the unlock, " + describe(lease);
}

// Armed or resumed by its reader, then a writer, then a checkpoint: still the unlock.
std::string restored_both_pending(const Scratch& scratch) {
    make_image(scratch, kWriteDowngrade, 2, true, Way::inside);
    Restart restart(scratch.image, Way::inside);
    Holder& holder = restart.only();
    Breaker reader(scratch.file, O_RDONLY);
    reader.start();
    sleep_for(0.2);
    Breaker writer(scratch.file, O_WRONLY);
    const std::int64_t begin = now();
    writer.start();
    writer.require_waiting("a writer");
    holder.require_signals(1, "when the writer has come");
    const std::string again = scratch.folder + "/again";
    const Moment moment = checkpoint(again, {&holder}, {}, Way::inside);
    const Lock lease = only_lease(again);
    const double left = seconds(remaining(lease));
    require(lease.fl_type == (F_UNLCK | kInProgress) && lease.fl_type_prev == F_WRLCK &&
                lease.fl_break_notified == 1 && left <= kWholeBreak &&
                left >= kWholeBreak - seconds(moment.after - begin) - jiffies_lag(),
            "the record: " + describe(lease));
    // The reader now sleeps until the writer's deadline unless somebody looks at the lease in
    // between. So it does on a kernel without the patch.
    sleep_until(restart.begin + std::int64_t{2'100'000'000});
    reader.require_waiting("a reader, and nobody has looked");
    const std::int64_t looked = now();
    holder.require_type(F_UNLCK, "when the downgrade is over");
    std::string text = "the reader: " + require_at_once(looked, reader.in(5));
    reader.process().kill();
    text += ", the writer: " + require_normal_break(begin, writer.in(11));
    holder.require_signals(1, "in all");
    return text + ", 1 signal";
}

std::string unlock_met_by_reader(const Scratch& scratch, bool notified) {
    make_image(scratch, kWriteUnlock, 1.2, notified, Way::inside);
    Restart restart(scratch.image, Way::inside);
    Holder& holder = restart.only();
    Breaker reader(scratch.file, O_RDONLY);
    reader.start();
    reader.require_waiting("a reader");
    holder.require_type(F_UNLCK, "while the reader waits");
    const std::string text = require_deadline(restart.begin, reader.in(5), 1.2);
    holder.require_type(F_UNLCK, "when the reader is in");
    holder.require_signals(notified ? 0 : 1, "in all");
    return text + format(", F_UNLCK, %d signals", notified ? 0 : 1);
}

std::string no_conflict(const Scratch& scratch) {
    make_image(scratch, kReadUnlock, 1.2, true, Way::inside);
    Restart restart(scratch.image, Way::inside);
    Holder& holder = restart.only();
    Breaker reader(scratch.file, O_RDONLY);
    reader.require_in_at_once("a reader");
    holder.require_type(F_RDLCK, "when a reader has come");
    Breaker writer(scratch.file, O_WRONLY);
    writer.start();
    writer.require_waiting("a writer");
    const std::string text = require_deadline(restart.begin, writer.in(5), 1.2);
    holder.require_signals(0, "in all");
    return "a reader: at once; the writer: " + text + ", 0 signals";
}

std::string undisturbed(const Scratch& scratch, const Kind& kind) {
    make_image(scratch, kind, 1.5, true, Way::inside);
    Restart restart(scratch.image, Way::inside);
    Holder& holder = restart.only();
    Process other;
    Request change{.op = Request::Op::change};
    scratch.file.copy(change.path, sizeof change.path - 1);
    const auto disturb = [&] {
        const Reply reply = other.call(change);
        require(reply.value == 0, "chmod, rename or link: " + error_name(-reply.value));
        require(seconds(reply.end - reply.begin) < at_once(), "chmod, rename or link takes long");
    };
    disturb();
    holder.require_type(kind.held, "after chmod and rename");
    Breaker breaker(scratch.file, kind.breaker_flags);
    breaker.start();
    breaker.require_waiting("restarted");
    disturb();
    breaker.require_waiting("after chmod and rename");
    const std::string text = require_deadline(restart.begin, breaker.in(5), 1.5);
    holder.require_signals(0, "in all");
    return text + ", 0 signals";
}

std::string truncated(const Scratch& scratch, const Kind& kind) {
    make_image(scratch, kind, 1.2, false, Way::inside);
    Restart restart(scratch.image, Way::inside);
    Breaker breaker(scratch.file, O_WRONLY);
    breaker.start_truncate();
    breaker.require_waiting("truncate()");
    const std::string text = require_deadline(restart.begin, breaker.in(5), 1.2);
    restart.only().require_signals(1, "in all");
    restart.only().require_type(F_UNLCK, "after truncate()");
    return text + ", 1 signal";
}

// A write lease that was downgraded on request and taken again must not be demoted later.
std::string retaken(const Scratch& scratch, bool restored) {
    std::unique_ptr<Holder> holder;
    std::int64_t begin = now();
    if (restored) {
        make_image(scratch, kWriteDowngrade, 2, true, Way::inside);
        Restart restart(scratch.image, Way::inside);
        begin = restart.begin;
        holder = std::move(restart.holders[0]);
    } else {
        holder = std::make_unique<Holder>(scratch.file, O_RDONLY);
        holder->take(F_WRLCK);
    }
    {
        Breaker reader(scratch.file, O_RDONLY);
        reader.start();
        reader.require_waiting("a reader");
        holder->take(F_RDLCK);
        reader.in(5);
    }
    holder->take(F_WRLCK);
    const int signals = holder->signals();
    sleep_until(begin + std::int64_t{restored ? 3 : 6} * 1'000'000'000);
    holder->require_type(F_WRLCK, "past the old deadline");
    // Also in what a breaker finds:
    Breaker reader(scratch.file, O_RDONLY);
    require_equal(-reader.try_open(), EWOULDBLOCK, "a reader");
    require_equal(holder->signals(), signals + 1, "signals of a break");
    return "F_WRLCK past the old deadline, and broken like a new one";
}

// The lease is found through any descriptor of the struct file, and by every one the same.
std::string duplicated(const Scratch& scratch) {
    make_image(scratch, kWriteUnlock, 1.5, true, Way::inside);
    Restart restart(scratch.image, Way::inside);
    Holder& holder = restart.only();
    const auto copy = static_cast<int>(holder.process().fcntl(holder.fd(), F_DUPFD_CLOEXEC, 20));
    require_equal(copy, 20, "F_DUPFD");
    require_equal(holder.process().fcntl(copy, F_GETLEASE), F_WRLCK, "F_GETLEASE of the copy");
    holder.process().call({.op = Request::Op::close, .fd = holder.fd()});
    Breaker breaker(scratch.file, O_WRONLY);
    breaker.start();
    breaker.require_waiting("the struct file is still open");
    std::string text = require_deadline(restart.begin, breaker.in(5), 1.5);
    require_equal(holder.process().fcntl(copy, F_GETLEASE), F_UNLCK, "F_GETLEASE of the copy");
    return text;
}

}  // namespace

void add_pitfall_cases(Cases& cases) {
    const auto add = [&](const char* name, auto run) { cases.push_back({name, run}); };
    add("pitfall-downgrade-met-by-writer",
        [](const Scratch& s) { return downgrade_met_by_writer(s, 1, true); });
    add("pitfall-downgrade-met-by-writer-late",
        [](const Scratch& s) { return downgrade_met_by_writer(s, 0, true); });
    add("pitfall-downgrade-met-by-writer-not-notified",
        [](const Scratch& s) { return downgrade_met_by_writer(s, 7, false); });
    add("pitfall-retaken", [](const Scratch& s) { return retaken(s, false); });
    add("pitfall-retaken-restored", [](const Scratch& s) { return retaken(s, true); });
    add("pitfall-both-pending", both_pending);
    add("pitfall-both-pending-restored", restored_both_pending);
    add("pitfall-unlock-met-by-reader",
        [](const Scratch& s) { return unlock_met_by_reader(s, true); });
    add("pitfall-unlock-met-by-reader-not-notified",
        [](const Scratch& s) { return unlock_met_by_reader(s, false); });
    add("pitfall-read-unlock-met-by-reader", no_conflict);
    add("pitfall-duplicated", duplicated);
    for (const Kind& kind : kAllKinds) {
        cases.push_back({std::string("pitfall-chmod-rename-") + kind.name,
                         [&kind](const Scratch& s) { return undisturbed(s, kind); }});
    }
    for (const Kind* kind : {&kWriteUnlock, &kReadUnlock}) {
        cases.push_back({std::string("pitfall-truncate-") + kind->name,
                         [kind](const Scratch& s) { return truncated(s, *kind); }});
    }
}

}  // namespace proof
