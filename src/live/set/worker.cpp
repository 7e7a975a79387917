// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/set/worker.hpp"

#include <exception>

#include "live/set/group_rules.hpp"
#include "live/set/numbers.hpp"

namespace ckpt_lease::live {
namespace {

void decide_as_wished(const Run& run, std::span<const std::size_t> places) {
    for (const std::size_t place : places) {
        Slot& slot = run.shared.slots[place];
        if (!slot.decided && slot.same_as == place) {
            slot.decide(AppliedLease::Outcome::set);
        }
    }
}

// The setting is everybody's: it is locked for as long as it may be another, and no longer.
void set_all(const Order& order, const Run& run, const Preparation& preparation) {
    const bool locks = needs_break_time(preparation);
    if (locks) {
        order.lock.take(order.shared.lock_waits, [&] { run.shared.rest(); });
    }
    if (preparation.kernel_restores) {
        set_with_patch(run, preparation);
    } else {
        set_without_patch(run, preparation);
    }
    if (locks) {
        order.lock.release();
    }
    name_who_came_between(run, preparation);
}

// What is open here already must be in no holder's way.
void make_way(const Order& order, Numbers& numbers) {
    for (Fd* const fd : {&order.lock.file(), &order.lock.machine(), &order.end}) {
        *fd = numbers.out_of_the_way(std::move(*fd));
    }
}

// Descriptors are closed by ending, which may hang: whoever waits knows by now all there is.
[[noreturn]] void leave(const Order& order, OwnerSetter& owners) {
    owners.end();
    order.shared.rest();
    order.shared.leaving = true;
    _exit(0);
}

void do_duty(const Order& order, std::span<const std::size_t> places, Duty duty,
             std::string_view why) {
    Numbers numbers(order.wanted, places);
    numbers.raise_limit();
    make_way(order, numbers);
    OwnerSetter owners([&](Fd fd) { return numbers.out_of_the_way(std::move(fd)); });
    const Run run{order.wanted, order.shared, order.hooks, owners, order.lock, order.hold};
    if (duty != Duty::set) {
        mend(run, places, numbers, why);
        leave(order, owners);
    }
    Preparation preparation = prepare(run, places, numbers);
    run.step(Step::prepared);
    if (order.dry_run) {
        decide_as_wished(run, places);
    } else {
        set_all(order, run, preparation);
    }
    leave(order, owners);
}

}  // namespace

void work(const Order& order, std::span<const std::size_t> places, Duty duty,
          std::string_view why) {
    try {
        do_duty(order, places, duty, why);
    } catch (const std::exception& error) {
        // Nothing may be thrown past a fork().
        const std::string_view text = error.what();
        auto& thrown = order.shared.thrown;
        thrown[text.copy(thrown.data(), thrown.size() - 1)] = '\0';
        for (const std::size_t place : places) {
            Slot& slot = order.shared.slots[place];
            if (!slot.decided && slot.same_as == place && !slot.taken) {
                slot.decide(AppliedLease::Outcome::skipped, setter_that_threw(text));
            }
        }
    }
    _exit(1);
}

}  // namespace ckpt_lease::live
