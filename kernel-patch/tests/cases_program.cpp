// SPDX-License-Identifier: GPL-2.0-or-later
// ckpt-lease itself on the kernel: capture tells what apply sets again, in a process that goes on
// living.
#include <sched.h>
#include <unistd.h>

#include <cerrno>

#include "runner.hpp"

namespace proof {
namespace {

// What ckpt-lease says; it has to end with this status.
std::string said(std::vector<std::string> words, int status) {
    words.insert(words.begin(), "/bin/ckpt-lease");
    const Ended ended = end_of(words);
    require_equal(ended.status, status, "exit status: " + ended.said);
    return ended.said;
}

std::string shown(Holder& holder) {
    return said({"show", "--raw", "--noheadings", "--columns=STATE,TYPE,BECOMES,FD",
                 "--pid=" + std::to_string(holder.process().pid())},
                0);
}

void require_armed(Holder& holder, const Kind& kind) {
    const lease_state state = get_state(holder);
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
    require(lease.fl_type == (kind.target | kInProgress) && lease.fl_type_prev == kind.held &&
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

// The image of a holder whose lease is being broken, with `left` seconds; the breaker is gone then.
void capture_break(const Scratch& scratch, Holder& holder, int breaker_flags, double left) {
    Breaker breaker(scratch.file, breaker_flags);
    breaker.start();
    breaker.require_waiting("a new break");
    run_ckpt_lease({"capture", "--pid=" + std::to_string(holder.process().pid()), "-o"},
                   scratch.image);
    edit_leases(scratch.image, [&](Lock& lock) { set_remaining(lock, left); });
}

// A break that waits for its breaker is not shown as one that is under way.
std::string armed_is_shown(const Scratch& scratch) {
    Holder holder(scratch.file, O_RDWR);
    holder.take(F_WRLCK);
    capture_break(scratch, holder, O_WRONLY, 1000);
    require_equal(holder.set(F_UNLCK), 0, "F_SETLEASE F_UNLCK");
    run_ckpt_lease({"apply", "--stop"}, scratch.image);
    require_armed(holder, kWriteUnlock);
    const std::string rest = format(" F_WRLCK F_UNLCK %d\n", holder.fd());
    require(shown(holder) == "armed" + rest, "show, armed: " + shown(holder));
    Breaker breaker(scratch.file, O_WRONLY);
    breaker.start();
    breaker.require_waiting("after apply");
    require(shown(holder) == "breaking" + rest, "show, resumed: " + shown(holder));
    return "armed, and breaking when the breaker has come";
}

// A capability that counts in a user namespace is not enough for more than lease-break-time: then
// the lease stays as it is.
std::string apply_in_namespace(const Scratch& scratch, double left, bool is_set) {
    Holder holder(scratch.file, O_RDWR);
    holder.process().become(Identity::root_in_namespace);
    holder.take(F_WRLCK);
    capture_break(scratch, holder, O_WRONLY, left);
    require_equal(holder.set(F_UNLCK), 0, "F_SETLEASE F_UNLCK");
    holder.want_signals();
    holder.take(F_WRLCK);
    const std::string names = format("/proc/%d/ns/user", holder.process().pid());
    const std::int64_t begin = now();
    const Ended ended =
        end_of({"/bin/ckpt-lease", "apply", "--stop", format("--begin=%.9f", seconds(begin)),
                scratch.image},
               [&] {
                   const Descriptor names_of_holder(open(names.c_str(), O_RDONLY | O_CLOEXEC));
                   if (setns(names_of_holder.get(), CLONE_NEWUSER) != 0) {
                       _exit(126);
                   }
               });
    const lease_state state = get_state(holder);
    require_equal(state.type, F_WRLCK, "type after apply: " + ended.said);
    require_equal(ended.status, is_set ? 0 : 5, "exit status: " + ended.said);
    require_equal(state.target, is_set ? F_UNLCK : F_WRLCK, "target after apply: " + ended.said);
    return is_set ? "set" : "left as it was: " + ended.said.substr(0, ended.said.find('\n'));
}

// Row 17: F_SETLEASE refuses what the kernel's own downgrade has left; this does not.
std::string apply_downgraded(const Scratch& scratch) {
    Holder holder(scratch.file, O_RDWR);
    let_downgrade(holder);
    capture_break(scratch, holder, O_WRONLY, 8);
    const std::int64_t begin = now();
    run_ckpt_lease({"apply", "--stop", format("--begin=%.9f", seconds(begin))}, scratch.image);
    holder.require_type(F_RDLCK, "after apply");
    Breaker breaker(scratch.file, O_WRONLY);
    breaker.start();
    breaker.require_waiting("after apply");
    return require_deadline(begin, breaker.in(15), 8);
}

bool has_delegations() {
    const Descriptor file(static_cast<int>(checked(open("/", O_RDONLY | O_CLOEXEC), "open /")));
    delegation none{};
    return fcntl(file.get(), F_GETDELEG, &none) == 0;
}

// A delegation is no lease: GET tells none, SET finds it in the way, and ckpt-lease shows it and
// leaves it alone.
std::string delegated(const Scratch& scratch) {
    Holder holder(scratch.file, O_RDONLY);
    holder.take(F_RDLCK);
    capture_break(scratch, holder, O_WRONLY, 8);
    require_equal(holder.set(F_UNLCK), 0, "F_SETLEASE F_UNLCK");
    const Descriptor file = descriptor_of(holder.process().pid(), holder.fd());
    delegation wanted{};
    wanted.d_type = F_RDLCK;
    require_equal(fcntl(file.get(), F_SETDELEG, &wanted), 0, "F_SETDELEG");
    lease_state state = get_state(holder);
    require_equal(state.type, F_UNLCK, "F_GETLEASE_STATE of a delegation");
    state.type = state.target = F_RDLCK;
    require_error(set_state(holder, state), EBUSY, "F_SETLEASE_STATE beside a delegation");

    require(shown(holder) == format("delegation F_RDLCK - %d\n", holder.fd()),
            "show: " + shown(holder));
    const std::string captured = said({"capture", "--pid=" + std::to_string(holder.process().pid()),
                                       "-o", scratch.folder + "/captured"},
                                      0);
    require(captured.find("a delegation (F_SETDELEG) is left alone") != std::string::npos,
            "capture: " + captured);
    require(read_image(scratch.folder + "/captured").empty(), "a delegation in an image");
    const std::string applied = said({"apply", "--stop", scratch.image}, 5);
    delegation got{};
    require_equal(fcntl(file.get(), F_GETDELEG, &got), 0, "F_GETDELEG");
    require_equal(got.d_type, F_RDLCK, "the delegation after apply: " + applied);
    return "shown, not captured, and left alone by apply";
}

}  // namespace

void add_program_cases(Cases& cases) {
    for (const Kind& kind : kAllKinds) {
        cases.push_back({std::string("capture-and-apply-") + kind.name,
                         [&kind](const Scratch& s) { return capture_and_apply(s, kind); }});
    }
    cases.push_back({"apply-row17-downgraded", apply_downgraded});
    cases.push_back({"apply-armed-is-shown", armed_is_shown});
    cases.push_back({"apply-user-namespace",
                     [](const Scratch& s) { return apply_in_namespace(s, 4.5, true); }});
    cases.push_back({"apply-user-namespace-beyond",
                     [](const Scratch& s) { return apply_in_namespace(s, 8, false); }});
    if (has_delegations()) {
        cases.push_back({"delegation", delegated});
    }
}

}  // namespace proof
