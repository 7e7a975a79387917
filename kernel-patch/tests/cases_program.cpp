// SPDX-License-Identifier: GPL-2.0-or-later
// ckpt-lease itself on the kernel: capture tells what apply sets again, in a process that goes on
// living.
#include "runner.hpp"
#include "state.hpp"

namespace proof {
namespace {

void require_armed(Holder& holder, const Kind& kind) {
    if (interface() != Interface::states) {
        return;
    }
    const lease_state state = call_state(holder, Way::inside, F_GETLEASE_STATE, {}).state;
    require_equal(state.flags, LEASE_STATE_NOTIFIED | LEASE_STATE_ARMED, "flags after apply");
    require_equal(state.type, kind.held, "type after apply");
    require_equal(state.target, kind.target, "target after apply");
    require_equal(state.fd, holder.fd(), "si_fd after apply");
}

std::string capture_and_apply(const Scratch& scratch, const Kind& kind) {
    const std::string pid = "--pid=";
    Holder holder(scratch.file, kind.holder_flags, 40, 0);
    holder.take(kind.held);
    {
        Breaker breaker(scratch.file, kind.breaker_flags);
        breaker.start();
        breaker.require_waiting("a new break");
        run_ckpt_lease({"capture", pid + std::to_string(holder.process().pid()), "-o"},
                       scratch.image);
    }
    holder.require_signals(1, "of the break");
    const Lock lease = only_lease(scratch.image);
    require(lease.fl_type == (kind.target | CKPT_F_INPROGRESS) && lease.fl_type_prev == kind.held &&
                lease.fl_break_notified == 1,
            "the captured record: " + describe(lease));
    const double left = seconds(remaining(lease));
    require(left > 0 && left <= lease_break_time(), "the captured record: " + describe(lease));
    require_equal(holder.set(F_UNLCK), 0, "F_SETLEASE F_UNLCK");

    // Enough for a program that takes its time on an emulated machine.
    constexpr double kLeft = 8;
    edit_leases(scratch.image, [](Lock& lock) { set_remaining(lock, kLeft); });
    const std::int64_t begin = now();
    run_ckpt_lease({"apply", "--stop", format("--begin=%.9f", seconds(begin))}, scratch.image);
    holder.require_type(kind.held, "after apply");
    require_armed(holder, kind);
    Breaker breaker(scratch.file, kind.breaker_flags);
    breaker.start();
    breaker.require_waiting("after apply");
    const std::string text = require_deadline(begin, breaker.in(kLeft * 1.2 + 5), kLeft);
    holder.require_type(kind.target, "when the breaker is in");
    holder.require_signals(1, "in all");
    return text + ", no second signal";
}

}  // namespace

void add_program_cases(Cases& cases) {
    for (const Kind& kind : kAllKinds) {
        cases.push_back({std::string("capture-and-apply-") + kind.name,
                         [&kind](const Scratch& s) { return capture_and_apply(s, kind); }});
    }
}

}  // namespace proof
