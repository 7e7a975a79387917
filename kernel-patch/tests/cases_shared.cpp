// SPDX-License-Identifier: GPL-2.0-or-later
// Row 14 and its pitfalls: several leases on one file, each with its own deadline.
#include <algorithm>

#include "runner.hpp"

namespace proof {
namespace {

// An image of as many holders of read leases as there are times, one file, one breaker.
void make_shared_image(const Scratch& scratch, const std::vector<double>& left, bool notified) {
    std::vector<std::unique_ptr<Holder>> holders;
    std::vector<Holder*> saved;
    for (std::size_t i = 0; i < left.size(); ++i) {
        holders.push_back(std::make_unique<Holder>(scratch.file, O_RDONLY));
        holders.back()->take(F_RDLCK);
        saved.push_back(holders.back().get());
    }
    Breaker breaker(scratch.file, O_WRONLY);
    breaker.start();
    breaker.require_waiting("a new break");
    for (const auto& holder : holders) {
        holder->require_signals(1, "of a new break");
    }
    checkpoint(scratch.image, saved, {&breaker}, Way::outside);
    std::size_t i = 0;
    edit_leases(scratch.image, [&](Lock& lock) {
        set_remaining(lock, left.at(i++));
        lock.fl_break_notified = notified ? 1 : 0;
    });
    require_equal(static_cast<long>(i), static_cast<long>(left.size()), "leases in the image");
}

std::string latest(const Scratch& scratch, const std::vector<double>& left, bool notified) {
    make_shared_image(scratch, left, notified);
    Breaker breaker(scratch.file, O_WRONLY);
    Restart restart(scratch.image, Way::inside);
    breaker.start();
    breaker.require_waiting("restarted");
    const double last = *std::max_element(left.begin(), left.end());
    const std::string text = require_deadline(restart.begin, breaker.in(last * 1.2 + 5), last);
    for (const auto& holder : restart.holders) {
        holder->require_signals(notified ? 0 : 1, "in all");
        holder->require_type(F_UNLCK, "when the breaker is in");
    }
    return text + format(", %d signals each", notified ? 0 : 1);
}

// The lease of `which` is given up at `when`; then it's the others that count.
std::string given_up(const Scratch& scratch, const std::vector<double>& left, std::size_t which,
                     double when) {
    make_shared_image(scratch, left, true);
    Restart restart(scratch.image, Way::inside);
    Breaker breaker(scratch.file, O_WRONLY);
    breaker.start();
    sleep_until(restart.begin + static_cast<std::int64_t>(when * 1e9));
    breaker.require_waiting("restarted");
    const std::int64_t begin = now();
    require_equal(restart.holders[which]->set(F_UNLCK), 0, "F_SETLEASE F_UNLCK");
    double last = 0;
    for (std::size_t i = 0; i < left.size(); ++i) {
        last = i == which ? last : std::max(last, left[i]);
    }
    const std::int64_t in = breaker.in(last * 1.2 + 5);
    for (const auto& holder : restart.holders) {
        holder->require_signals(0, "in all");
        holder->require_type(F_UNLCK, "when the breaker is in");
    }
    return last < when ? require_at_once(begin, in) : require_deadline(restart.begin, in, last);
}

// One holder was being asked, the other got its lease after the restart: a break of its own.
std::string restored_and_new(const Scratch& scratch) {
    make_shared_image(scratch, {1}, true);
    Restart restart(scratch.image, Way::inside);
    Holder other(scratch.file, O_RDONLY);
    other.take(F_RDLCK);
    Breaker breaker(scratch.file, O_WRONLY);
    const std::int64_t begin = now();
    breaker.start();
    breaker.require_waiting("restarted");
    other.require_signals(1, "to the holder of the new lease");
    sleep_until(restart.begin + std::int64_t{1'300'000'000});
    breaker.require_waiting("when only the restored lease is over");
    const std::string text = require_normal_break(begin, breaker.in(11));
    restart.only().require_signals(0, "to the holder of the restored lease");
    other.require_signals(1, "in all");
    return text + ", 0 signals for the restored lease, 1 for the new one";
}

// Two breakers of one restored break.
std::string two_breakers(const Scratch& scratch) {
    make_image(scratch, kWriteUnlock, 1, false, Way::inside);
    Restart restart(scratch.image, Way::inside);
    Breaker writer(scratch.file, O_WRONLY);
    Breaker reader(scratch.file, O_RDONLY);
    reader.start();
    writer.start();
    reader.require_waiting("a reader");
    writer.require_waiting("a writer");
    restart.only().require_signals(1, "for both");
    std::string text = "reader: " + require_deadline(restart.begin, reader.in(5), 1);
    text += ", writer: " + require_deadline(restart.begin, writer.in(5), 1);
    restart.only().require_signals(1, "in all");
    return text + ", 1 signal";
}

// The breaker is killed while it waits, and another comes: the same break.
std::string breaker_killed(const Scratch& scratch, const Kind& kind) {
    make_image(scratch, kind, 1.5, true, Way::inside);
    Restart restart(scratch.image, Way::inside);
    Breaker first(scratch.file, kind.breaker_flags);
    first.start();
    sleep_for(0.2);
    first.require_waiting("restarted");
    first.process().kill();
    restart.only().require_type(kind.target, "when the breaker was killed");
    Breaker second(scratch.file, kind.breaker_flags);
    second.start();
    const std::string text = require_deadline(restart.begin, second.in(5), 1.5);
    restart.only().require_signals(0, "in all");
    return text + " for the second breaker, 0 signals";
}

// For the tests of ckpt-lease: each of two leases on one file has its record.
std::string two_readers(const Scratch& scratch) {
    Holder first(scratch.file, O_RDONLY);
    Holder second(scratch.file, O_RDONLY);
    first.take(F_RDLCK);
    second.take(F_RDLCK);
    Breaker breaker(scratch.file, O_WRONLY);
    breaker.start();
    breaker.require_waiting("a new break");
    sleep_for(0.3);
    checkpoint(scratch.image, {&first, &second}, {&breaker}, Way::inside, true);
    const auto saved = read_image(scratch.image);
    require_equal(static_cast<long>(saved.size()), 2, "descriptors with locks");
    for (const SavedDescriptor& descriptor : saved) {
        require_equal(static_cast<long>(descriptor.locks.size()), 1, "locks of each");
        require(descriptor.locks[0].fl_type == (F_UNLCK | kInProgress),
                "a record: " + describe(descriptor.locks[0]));
    }
    scratch.report("image kernel_two_readers " + base64(read_file(scratch.image)));
    return "two records, ckpt-lease finds nothing wrong";
}

}  // namespace

void add_shared_cases(Cases& cases) {
    const auto add = [&](const char* name, auto run) { cases.push_back({name, run}); };
    add("row14-latest-last", [](const Scratch& s) { return latest(s, {0.4, 0.9, 1.8}, true); });
    add("row14-latest-first", [](const Scratch& s) { return latest(s, {1.8, 0.9, 0.4}, true); });
    add("row14-latest-middle-not-notified", [](const Scratch& s) {
        return latest(s, {0, 1.8, 0.9, 0.9}, false);
    });
    add("pitfall-first-given-up-second-past", [](const Scratch& s) {
        return given_up(s, {5, 0.5}, 0, 1);
    });
    add("pitfall-second-given-up-first-past", [](const Scratch& s) {
        return given_up(s, {0.5, 5}, 1, 1);
    });
    add("pitfall-first-given-up-second-later", [](const Scratch& s) {
        return given_up(s, {5, 1.8}, 0, 1);
    });
    add("pitfall-long-one-of-three-given-up", [](const Scratch& s) {
        return given_up(s, {0.5, 5, 0.7}, 1, 1.2);
    });
    add("pitfall-restored-beside-new", restored_and_new);
    add("pitfall-two-breakers", two_breakers);
    add("image-two-readers", two_readers);
    for (const Kind& kind : kAllKinds) {
        cases.push_back({std::string("pitfall-breaker-killed-") + kind.name,
                         [&kind](const Scratch& s) { return breaker_killed(s, kind); }});
    }
}

}  // namespace proof
