// SPDX-License-Identifier: GPL-2.0-or-later
// Rows 8, 9, 10 and 18: checkpointed again, changed by the holder, many at once, other clocks.
#include "runner.hpp"

namespace proof {
namespace {

// What a second checkpoint has to say: what was left of `left` when it was written.
std::string require_record(const std::string& image, const Kind& kind, bool notified,
                           std::int64_t begin, const Moment& moment, double left) {
    const Lock lease = only_lease(image);
    require(lease.fl_type == (kind.target | kInProgress) && lease.fl_type_prev == kind.held &&
                lease.fl_break_notified == (notified ? 1 : 0),
            "the second record: " + describe(lease));
    const double most = left - seconds(moment.before - begin);
    const double least = left - seconds(moment.after - begin) - tick();
    const double got = seconds(remaining(lease));
    std::string text =
        format("left of %.3f s: wanted %.4f to %.4f, got %.4f", left, least, most, got);
    require(got <= most && got >= least && got > 0, text);
    return text;
}

// Row 8, before the breaker is back.
std::string armed_again(const Scratch& scratch, const Kind& kind, bool notified, Way way) {
    make_image(scratch, kind, 1.5, notified, Way::inside);
    Restart restart(scratch.image, way);
    sleep_for(0.4);
    const std::string again = scratch.folder + "/again";
    const Moment moment = checkpoint(again, {restart.holders[0].get()}, {}, way);
    std::string text = require_record(again, kind, notified, restart.begin, moment, 1.5);
    if (kind.held == F_WRLCK && kind.target == F_UNLCK && !notified) {
        run_ckpt_lease({"verify"}, again);
        scratch.report("image kernel_armed_again " + base64(read_file(again)));
    }
    restart.only().require_signals(0, "before the breaker");
    restart.only().process().kill();
    const double left = seconds(remaining(only_lease(again)));
    Restart second(again, way);
    Breaker breaker(scratch.file, kind.breaker_flags);
    breaker.start();
    text += "; then " + require_deadline(second.begin, breaker.in(10), left);
    require_equal(second.only().signals(), notified ? 0 : 1, "signals");
    return text;
}

// Row 8, after the break began again.
std::string resumed_again(const Scratch& scratch, const Kind& kind, bool notified, Way way) {
    make_image(scratch, kind, 1.5, notified, Way::inside);
    Restart restart(scratch.image, way);
    Breaker breaker(scratch.file, kind.breaker_flags);
    breaker.start();
    sleep_for(0.3);
    breaker.require_waiting("restarted");
    const std::string again = scratch.folder + "/again";
    const Moment moment = checkpoint(again, {restart.holders[0].get()}, {&breaker}, way);
    std::string text = require_record(again, kind, true, restart.begin, moment, 1.5);
    require_equal(restart.only().signals(), notified ? 0 : 1, "signals");
    breaker.require_waiting("after the second checkpoint");
    breaker.process().kill();
    restart.only().process().kill();
    const double left = seconds(remaining(only_lease(again)));
    Restart second(again, way);
    Breaker back(scratch.file, kind.breaker_flags);
    back.start();
    text += "; then " + require_deadline(second.begin, back.in(10), left);
    require_equal(second.only().signals(), 0, "signals after the second restart");
    return text;
}

// Row 8: ten restarts of 0.3 s each.
std::string ten_times(const Scratch& scratch, const Kind& kind) {
    make_image(scratch, kind, 7, true, Way::inside);
    double most = 7;
    double least = 7;
    for (int i = 0; i < 10; ++i) {
        Restart restart(scratch.image, Way::inside);
        Breaker breaker(scratch.file, kind.breaker_flags);
        if (i % 2 == 1) {
            breaker.start();
        }
        sleep_until(restart.begin + std::int64_t{300'000'000});
        const Moment moment =
            checkpoint(scratch.image, {restart.holders[0].get()}, {}, Way::inside);
        most -= seconds(moment.before - restart.begin);
        least -= seconds(moment.after - restart.begin);
        const double got = seconds(remaining(only_lease(scratch.image)));
        // To the jiffy, in all and not each time.
        require(got <= most + 1e-6 && got >= least - tick(),
                format("after %d restarts: wanted %.4f to %.4f s, got %.4f", i + 1, least - tick(),
                       most, got));
        restart.only().require_signals(0, "ever");
    }
    const double left = seconds(remaining(only_lease(scratch.image)));
    Restart last(scratch.image, Way::inside);
    Breaker breaker(scratch.file, kind.breaker_flags);
    breaker.start();
    return format("7 s less ten times 0.3 s is %.4f (%.4f to %.4f); then ", left, least, most) +
           require_deadline(last.begin, breaker.in(10), left);
}

enum class Ending { given_up, timed_out, complied_armed, set_armed };

// Row 9: the restored break is over in one way or another; the lease is taken again.
std::string over(const Scratch& scratch, const Kind& kind, Ending ending) {
    make_image(scratch, kind, 1, true, Way::inside);
    Restart restart(scratch.image, Way::inside);
    Holder& holder = restart.only();
    if (ending == Ending::given_up || ending == Ending::timed_out) {
        Breaker breaker(scratch.file, kind.breaker_flags);
        breaker.start();
        breaker.require_waiting("restarted");
        if (ending == Ending::given_up) {
            require_equal(holder.set(kind.target), 0, "F_SETLEASE to the target");
        }
        breaker.in(5);
    } else if (ending == Ending::complied_armed) {
        require_equal(holder.set(kind.target), 0, "F_SETLEASE to the target, nobody there");
    }
    // F_SETLEASE with the type it has is also a change. It needs nobody else with the file open.
    holder.want_signals();
    holder.take(kind.held);
    holder.require_signals(0, "of the restored break");
    const std::string again = scratch.folder + "/again";
    checkpoint(again, {&holder}, {}, Way::inside);
    require_equal(only_lease(again).fl_type, kind.held, "fl_type in a record of it");
    sleep_until(restart.begin + std::int64_t{1'500'000'000});
    holder.require_type(kind.held, "past the restored deadline");
    return normal_break(holder, kind);
}

// Row 10: four leases, restored one by one; all deadlines count from one moment.
std::string many(const Scratch& scratch) {
    std::vector<std::unique_ptr<Holder>> holders;
    std::vector<std::unique_ptr<Breaker>> breakers;
    std::vector<Holder*> saved;
    for (int i = 0; i < 4; ++i) {
        const std::string file = scratch.new_file(format("file%d", i));
        holders.push_back(std::make_unique<Holder>(file, O_RDWR));
        holders.back()->take(F_WRLCK);
        breakers.push_back(std::make_unique<Breaker>(file, O_WRONLY));
        breakers.back()->start();
        saved.push_back(holders.back().get());
    }
    checkpoint(scratch.image, saved, {}, Way::inside);
    holders.clear();
    breakers.clear();
    edit_leases(scratch.image, [](Lock& lock) { set_remaining(lock, 4); });
    const std::int64_t begin = now();
    for (const SavedDescriptor& descriptor : read_image(scratch.image)) {
        holders.push_back(std::make_unique<Holder>(descriptor.path, descriptor.flags));
        require_equal(restore_lease(*holders.back(), descriptor, Way::inside, begin), 0,
                      "F_SETLEASE_STATE");
        sleep_for(0.35);
    }
    require_equal(static_cast<long>(holders.size()), 4, "holders");
    std::string text = format("restored over %.1f s: ", seconds(now() - begin));
    for (const auto& holder : holders) {
        breakers.push_back(std::make_unique<Breaker>(holder->path(), O_WRONLY));
        breakers.back()->start();
    }
    for (const auto& breaker : breakers) {
        text += require_deadline(begin, breaker->in(6), 4) + "; ";
    }
    return text;
}

// Row 18: the restarter's clock is 1000 s ahead.
std::string time_namespace(const Scratch& scratch, const Kind& kind) {
    constexpr int kAhead = 1000;
    make_image(scratch, kind, 1.5, true, Way::inside);
    const SavedDescriptor saved = read_image(scratch.image).at(0);
    const std::int64_t begin = now();
    Holder holder(scratch.file, kind.holder_flags, kAhead);
    const Reply clock = holder.process().call({});
    require(clock.begin > begin + std::int64_t{999'000'000'000}, "no time namespace");
    // 0.5 s ago by its own clock
    const std::int64_t start = clock.begin - std::int64_t{500'000'000};
    require_equal(restore_lease(holder, saved, Way::inside, start), 0, "F_SETLEASE_STATE");
    const std::string again = scratch.folder + "/again";
    const std::int64_t our_start = start - std::int64_t{kAhead} * 1'000'000'000;
    const Moment moment = checkpoint(again, {&holder}, {}, Way::inside);
    std::string text = require_record(again, kind, true, our_start, moment, 1.5) + "; ";
    Breaker breaker(scratch.file, kind.breaker_flags);
    breaker.start();
    return text + require_deadline(our_start, breaker.in(5), 1.5);
}

}  // namespace

void add_again_cases(Cases& cases) {
    const auto add = [&](const std::string& name, const Kind& kind, const auto& run) {
        cases.push_back(
            {name + "-" + kind.name, [run, &kind](const Scratch& s) { return run(s, kind); }});
    };
    for (const Kind& kind : kAllKinds) {
        const std::pair<const char*, Ending> endings[] = {
            {"row09-complied", Ending::given_up},
            {"row09-timed-out", Ending::timed_out},
            {"row09-complied-armed", Ending::complied_armed},
            {"row09-set-armed", Ending::set_armed}};
        for (const auto& [name, ending] : endings) {
            add(name, kind,
                [how = ending](const Scratch& s, const Kind& k) { return over(s, k, how); });
        }
        add("row08-ten-restarts", kind, ten_times);
        for (const bool notified : {true, false}) {
            const std::string suffix = notified ? "" : "-not-notified";
            const Way way = notified ? Way::inside : Way::outside;
            add("row08-armed" + suffix, kind, [notified, way](const Scratch& s, const Kind& k) {
                return armed_again(s, k, notified, way);
            });
            add("row08-resumed" + suffix, kind, [notified, way](const Scratch& s, const Kind& k) {
                return resumed_again(s, k, notified, way);
            });
        }
        add("row18-time-namespace", kind, time_namespace);
    }
    cases.push_back({"row10-one-begin", many});
}

}  // namespace proof
