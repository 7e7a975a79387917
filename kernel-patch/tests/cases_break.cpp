// SPDX-License-Identifier: GPL-2.0-or-later
// Rows 2 to 7, 11 and 16: a break goes on with what its record says.
#include <cerrno>

#include "runner.hpp"

namespace proof {
namespace {

const char* way_name(Way way) {
    return way == Way::inside ? "inside" : "outside";
}

// Rows 2, 3, 4, 6: the breaker gets in at the deadline.
std::string at_deadline(const Scratch& scratch, const Kind& kind, double left, bool notified,
                        Way way) {
    make_image(scratch, kind, left, notified, way);
    Breaker breaker(scratch.file, kind.breaker_flags);
    Restart restart(scratch.image, way);
    Holder& holder = restart.only();
    holder.require_type(kind.held, "after the restart");
    // Signals come with the breaker, not with the restart.
    sleep_for(0.1);
    require_equal(holder.signals(), 0, "signals before the breaker");
    breaker.start();
    breaker.require_waiting("restarted");
    const int signals = notified ? 0 : 1;
    holder.require_signals(signals, "when the breaker has come");
    holder.require_type(kind.target, "while the breaker waits");
    const std::int64_t in = breaker.in(left * 1.2 + 5);
    holder.require_type(kind.target, "when the breaker is in");
    holder.require_signals(signals, "in all");
    return require_deadline(restart.begin, in, left) + format(", %d signals", signals);
}

// Row 2: or as soon as the holder complies.
std::string complied(const Scratch& scratch, const Kind& kind, bool by_close) {
    make_image(scratch, kind, 4, true, Way::inside);
    Restart restart(scratch.image, Way::inside);
    Holder& holder = restart.only();
    Breaker breaker(scratch.file, kind.breaker_flags);
    breaker.start();
    sleep_for(0.4);
    breaker.require_waiting("restarted");
    const std::int64_t begin = now();
    if (by_close) {
        holder.process().call({.op = Request::Op::close, .fd = holder.fd()});
    } else {
        require_equal(holder.set(kind.target), 0, "F_SETLEASE to the target");
    }
    const std::string text = require_at_once(begin, breaker.in(5));
    if (!by_close) {
        holder.require_type(kind.target, "when the breaker is in");
    }
    holder.require_signals(0, "in all");
    return text + " after the holder complied, 4 s were left; 0 signals";
}

// Row 5: nothing is left, by the record or by the time at which the breaker comes.
std::string past(const Scratch& scratch, const Kind& kind, double left, double wait, double ago,
                 bool notified) {
    make_image(scratch, kind, left, notified, Way::inside);
    Restart restart(scratch.image, Way::inside, now() - static_cast<std::int64_t>(ago * 1e9));
    Holder& holder = restart.only();
    holder.require_type(kind.held, "after the restart");
    sleep_for(wait);
    holder.require_type(kind.held, "past the deadline, but nobody came");
    holder.require_signals(0, "before the breaker");
    Breaker breaker(scratch.file, kind.breaker_flags);
    const std::int64_t begin = now();
    breaker.start();
    const std::string text = require_at_once(begin, breaker.in(10));
    holder.require_type(kind.target, "when the breaker is in");
    holder.require_signals(notified ? 0 : 1, "in all");
    return text + format(", %d signals", notified ? 0 : 1);
}

// Row 7: nobody comes. Then somebody does, before the deadline or after it.
std::string alone(const Scratch& scratch, const Kind& kind, double left) {
    make_image(scratch, kind, left, true, Way::inside);
    Restart restart(scratch.image, Way::inside);
    Holder& holder = restart.only();
    for (int i = 1; i <= 12; ++i) {
        sleep_until(restart.begin + i * std::int64_t{100'000'000});
        holder.require_type(kind.held, "while nobody comes");
    }
    Breaker breaker(scratch.file, kind.breaker_flags);
    const std::int64_t begin = now();
    breaker.start();
    const std::int64_t in = breaker.in(10);
    holder.require_type(kind.target, "when the breaker is in");
    holder.require_signals(0, "in all");
    const std::string text =
        left < 1 ? require_at_once(begin, in) : require_deadline(restart.begin, in, left);
    return format("%s held for 1.2 s of %.1f s, then: ", type_name(kind.held).c_str(), left) + text;
}

// Row 11, by a record: also longer than lease-break-time, which is not 0 now.
std::string never(const Scratch& scratch, const Kind& kind) {
    make_image(scratch, kind, 0, true, Way::inside);
    edit_leases(scratch.image, [](Lock& lock) { lock.fl_rem_lease = kNoDeadline; });
    Restart restart(scratch.image, Way::inside);
    Breaker breaker(scratch.file, kind.breaker_flags);
    breaker.start();
    sleep_until(restart.begin + std::int64_t{7'000'000'000});
    breaker.require_waiting("without a deadline");
    restart.only().require_signals(0, "in all");
    const std::int64_t begin = now();
    require_equal(restart.only().set(kind.target), 0, "F_SETLEASE to the target");
    return "waits for 7 s, and when the holder complies: " + require_at_once(begin, breaker.in(5));
}

// Row 16, and what O_NONBLOCK meets before the deadline.
std::string nonblock(const Scratch& scratch, const Kind& kind) {
    make_image(scratch, kind, 2, true, Way::inside);
    Restart restart(scratch.image, Way::inside);
    Holder& holder = restart.only();
    Breaker breaker(scratch.file, kind.breaker_flags);
    const long early = breaker.try_open();
    require(early == -EWOULDBLOCK, "before the deadline: wanted EWOULDBLOCK, got " +
                                       (early < 0 ? error_name(-early) : "a descriptor"));
    holder.require_type(kind.target, "during the break that O_NONBLOCK resumed");
    sleep_until(restart.begin + std::int64_t{2'300'000'000});
    require(breaker.try_open() >= 0, "resumed, past the deadline: O_NONBLOCK does not get in");
    holder.require_signals(0, "in all");
    holder.require_type(kind.target, "when the breaker is in");

    // And with nobody before it: the first to come is past the deadline.
    breaker.process().kill();
    holder.process().kill();
    Restart later(scratch.image, Way::inside);
    sleep_until(later.begin + std::int64_t{2'300'000'000});
    Breaker first(scratch.file, kind.breaker_flags);
    const long late = first.try_open();
    require(late >= 0, "armed, past the deadline: O_NONBLOCK gets " + error_name(-late));
    later.only().require_type(kind.target, "when the breaker is in");
    return "2 s left: EWOULDBLOCK; past it: in, whether the break was resumed before or not";
}

// Lease-break-time is 0 while this runs: the kernel itself writes the record of row 11.
std::string no_deadline(const Scratch& scratch, const Kind& kind, Way way) {
    make_broken_image(scratch, kind, 0, way);
    if (kind.held == F_WRLCK && kind.target == F_UNLCK) {
        run_ckpt_lease({"verify"}, scratch.image);
        scratch.report("image kernel_no_deadline " + base64(read_file(scratch.image)));
    }
    Restart restart(scratch.image, way);
    Holder& holder = restart.only();
    Breaker breaker(scratch.file, kind.breaker_flags);
    breaker.start();
    const std::string again = scratch.folder + "/again";
    checkpoint(again, {&holder}, {&breaker}, way);
    require_equal(only_lease(again).fl_rem_lease, kNoDeadline, "the second record");
    sleep_until(restart.begin + std::int64_t{3'000'000'000});
    breaker.require_waiting("without a deadline");
    require_equal(holder.signals(), 0, "signals");
    const std::int64_t begin = now();
    require_equal(holder.set(kind.target), 0, "F_SETLEASE to the target");
    return "fl_rem_lease 4294967295, twice; waits for 3 s, and when the holder complies: " +
           require_at_once(begin, breaker.in(5));
}

}  // namespace

void add_break_cases(Cases& cases) {
    const auto add = [&](const std::string& name, const Kind& kind, const auto& run) {
        cases.push_back(
            {name + "-" + kind.name, [run, &kind](const Scratch& s) { return run(s, kind); }});
    };
    for (const Kind& kind : kAllKinds) {
        add("row11-never", kind, never);
        add("row06-long", kind, [](const Scratch& s, const Kind& k) {
            return at_deadline(s, k, 7, true, Way::outside);
        });
        for (const Way way : {Way::inside, Way::outside}) {
            const char* const row = kind.target == F_RDLCK ? "row04-" : "row02-";
            add(row + std::string(way_name(way)), kind, [way](const Scratch& s, const Kind& k) {
                return at_deadline(s, k, way == Way::inside ? 1.5 : 1.0, true, way);
            });
            add(std::string("row03-") + way_name(way), kind,
                [way](const Scratch& s, const Kind& k) {
                    return at_deadline(s, k, 1.1, false, way);
                });
        }
        add("row02-complied", kind,
            [](const Scratch& s, const Kind& k) { return complied(s, k, false); });
        add("row02-closed", kind,
            [](const Scratch& s, const Kind& k) { return complied(s, k, true); });
        add("row05-nothing-left", kind,
            [](const Scratch& s, const Kind& k) { return past(s, k, 0, 0, 0, true); });
        add("row05-breaker-late", kind,
            [](const Scratch& s, const Kind& k) { return past(s, k, 0.3, 0.8, 0, true); });
        add("row05-begin-long-ago", kind,
            [](const Scratch& s, const Kind& k) { return past(s, k, 1, 0, 2, true); });
        add("row05-not-notified", kind,
            [](const Scratch& s, const Kind& k) { return past(s, k, 0.2, 0.4, 0, false); });
        add("row07-past-deadline", kind,
            [](const Scratch& s, const Kind& k) { return alone(s, k, 0.4); });
        add("row07-before-deadline", kind,
            [](const Scratch& s, const Kind& k) { return alone(s, k, 2.5); });
        add("row16-nonblock", kind, nonblock);
    }
}

void add_no_deadline_cases(Cases& cases) {
    for (const Kind& kind : kAllKinds) {
        cases.push_back({std::string("row11-break-time-0-") + kind.name, [&kind](const Scratch& s) {
                             return no_deadline(s, kind,
                                                kind.held == F_RDLCK ? Way::outside : Way::inside);
                         }});
    }
}

}  // namespace proof
