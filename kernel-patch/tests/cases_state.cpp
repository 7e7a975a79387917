// SPDX-License-Identifier: GPL-2.0-or-later
// What struct lease_state tells and is told: rows 7, 9a and 9b, owners and descriptors.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "runner.hpp"

namespace proof {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

std::string armed_is_told(const Scratch& scratch, const Kind& kind) {
    Holder holder(scratch.file, kind.holder_flags);
    require_equal(get_state(holder).type, F_UNLCK, "type without a lease");
    const std::int64_t begin = now();
    require_equal(set_state(holder, broken(kind, 4 * kSecond)), 0, "F_SETLEASE_STATE");
    const lease_state armed = get_state(holder);
    require_equal(armed.flags, LEASE_STATE_NOTIFIED | LEASE_STATE_ARMED, "flags, armed");
    require_equal(armed.type, kind.held, "type, armed");
    require_equal(armed.target, kind.target, "target, armed");
    Breaker breaker(scratch.file, kind.breaker_flags);
    breaker.start();
    breaker.require_waiting("restarted");
    const lease_state resumed = get_state(holder, Way::outside);
    require_equal(resumed.flags, LEASE_STATE_NOTIFIED, "flags, resumed");
    require_equal(resumed.type, kind.held, "type, resumed");
    require_equal(resumed.target, kind.target, "target, resumed");
    require(resumed.remaining_ns <= armed.remaining_ns, "more was left when it was resumed");
    return require_deadline(begin, breaker.in(6), 4);
}

// The line of the lease in /proc/locks or fdinfo, in the words in which lslocks and CRIU read it.
std::string line_of(const std::string& text, const std::string& file) {
    struct stat status {};
    checked(stat(file.c_str(), &status), "stat");
    const std::string inode = format(":%llu ", static_cast<unsigned long long>(status.st_ino));
    std::size_t begin = 0;
    for (std::size_t end = 0; begin < text.size(); begin = end + 1) {
        end = text.find('\n', begin);
        const std::string line = text.substr(begin, end - begin);
        if (line.find("LEASE") != std::string::npos && line.find(inode) != std::string::npos) {
            return line;
        }
        if (end == std::string::npos) {
            break;
        }
    }
    throw Failure("no line for the lease in: " + text);
}

// Row 9b. The pid is the holder's, whoever set the lease.
std::string armed_is_visible(const Scratch& scratch, const Kind& kind, Way way) {
    Holder holder(scratch.file, kind.holder_flags);
    const pid_t pid = holder.process().pid();
    require_equal(set_state(holder, broken(kind, 4 * kSecond), way), 0, "F_SETLEASE_STATE");
    const std::string wanted =
        format("LEASE  BREAKING  %s %d ", kind.target == F_RDLCK ? "READ" : "UNLCK", pid);
    std::string seen;
    for (const std::string& path :
         {std::string("/proc/locks"), format("/proc/%d/fdinfo/%d", pid, holder.fd())}) {
        seen = line_of(read_file(path), scratch.file);
        require(seen.find(wanted) != std::string::npos, path + " says: " + seen);
    }
    return seen;
}

// Whom the owner is, F_SETOWN does not check: of a stranger's process the lease is not shown to be.
std::string shown_pid(const Scratch& scratch, pid_t owner, bool in_namespace, bool is_owner) {
    Holder holder(scratch.file, O_RDWR);
    Process& process = holder.process();
    if (in_namespace) {
        process.become(Identity::root_in_namespace);
    }
    require_equal(process.fcntl(holder.fd(), F_SETOWN, owner), 0, "F_SETOWN");
    require_equal(set_state(holder, broken(kWriteUnlock, kSecond)), 0, "F_SETLEASE_STATE");
    const pid_t wanted = is_owner ? std::abs(owner) : process.pid();
    const std::string seen = line_of(read_file("/proc/locks"), scratch.file);
    require(seen.find(format(" UNLCK %d ", wanted)) != std::string::npos,
            format("/proc/locks, wanted %d: ", wanted) + seen);
    return seen;
}

// Rows 7 and 9b: armed, it is held.
std::string armed_is_held(const Scratch& scratch, const Kind& kind) {
    Holder holder(scratch.file, kind.holder_flags);
    require_equal(set_state(holder, broken(kind, kSecond / 2)), 0, "F_SETLEASE_STATE");
    sleep_for(1);
    holder.require_type(kind.held, "past the deadline, when nobody has come");
    require_equal(static_cast<long>(get_state(holder).remaining_ns), 0, "remaining_ns");
    return "F_GETLEASE says " + type_name(kind.held) +
           " past the deadline, and GET that no time is left";
}

// Row 9a: who does not comply ends nothing, neither in a native break nor in a resumed one.
std::string no_compliance(const Scratch& scratch, const Kind& kind, bool native) {
    Holder holder(scratch.file, kind.holder_flags);
    const double left = native ? lease_break_time() : 2;
    std::int64_t begin = now();
    if (native) {
        holder.take(kind.held);
        begin = now();
    } else {
        require_equal(set_state(holder, broken(kind, 2 * kSecond)), 0, "F_SETLEASE_STATE");
    }
    Breaker hurried(scratch.file, kind.breaker_flags);
    require_equal(-hurried.try_open(), EWOULDBLOCK, "O_NONBLOCK");
    holder.require_type(kind.target, "resumed");
    // Nobody sleeps in open(), which alone would be a reason to refuse it.
    const long result = holder.process().fcntl(holder.fd(), F_SETLEASE, kind.held);
    holder.require_type(kind.target, "after F_SETLEASE with the type it had");
    Breaker breaker(scratch.file, kind.breaker_flags);
    breaker.start();
    breaker.require_waiting("after F_SETLEASE with the type it had");
    const std::int64_t in = breaker.in(left + 3);
    holder.require_type(kind.target, "when the breaker is in");
    return "F_SETLEASE: " + (result == 0 ? "success" : error_name(-result)) + "; " +
           (native ? require_normal_break(begin, in) : require_deadline(begin, in, left));
}

// Sets a break of which the holder has not been told, and has a breaker come.
void resume(Holder& holder, Way way = Way::inside, int fd = -1) {
    lease_state state = broken(kWriteUnlock, 3 * kSecond);
    state.flags = 0;
    state.fd = fd;
    require_equal(set_state(holder, state, way), 0, "F_SETLEASE_STATE");
    Breaker breaker(holder.path(), O_WRONLY);
    breaker.start();
    breaker.require_waiting("restarted");
}

// Signals name the holder's descriptor: what SET says, or the number that it was called on.
std::string signal_names(const Scratch& scratch, Way way, bool number_given) {
    Holder holder(scratch.file, O_RDWR, 77, 0);
    resume(holder, way, number_given ? holder.fd() : -1);
    holder.require_signals(1, "with si_fd 77");
    return "si_fd is 77";
}

// Without F_SETOWN, the caller becomes the owner; without F_SETSIG it's SIGIO.
std::string without_owner(const Scratch& scratch) {
    Holder holder(scratch.file, O_RDWR);
    Process& process = holder.process();
    require_equal(process.fcntl(holder.fd(), F_SETOWN, 0), 0, "F_SETOWN");
    require_equal(process.fcntl(holder.fd(), F_GETOWN), 0, "F_GETOWN before");
    resume(holder);
    require_equal(process.fcntl(holder.fd(), F_GETOWN), process.pid(), "F_GETOWN after");
    holder.require_signals(1, "to the caller");
    return "the caller owns the lease, 1 signal";
}

// What was set before stays, also if it is another process.
std::string with_owner(const Scratch& scratch) {
    Holder holder(scratch.file, O_RDWR);
    Holder other(scratch.new_file("other"), O_RDWR);
    Process& process = holder.process();
    const pid_t owner = other.process().pid();
    require_equal(process.fcntl(holder.fd(), F_SETOWN, owner), 0, "F_SETOWN");
    resume(holder);
    require_equal(process.fcntl(holder.fd(), F_GETOWN), owner, "F_GETOWN");
    require_equal(process.fcntl(holder.fd(), F_GETSIG), SIGRTMIN, "F_GETSIG");
    holder.require_signals(0, "to the caller");
    other.expect_signals_for(holder.fd());
    other.require_signals(1, "to the owner");
    return "owner and signal that were set before are kept, 1 signal";
}

}  // namespace

void add_state_cases(Cases& cases) {
    const auto add = [&](const std::string& name, auto run) { cases.push_back({name, run}); };
    for (const Kind& kind : kAllKinds) {
        const std::string end = std::string("-") + kind.name;
        add("state-told" + end, [&kind](const Scratch& s) { return armed_is_told(s, kind); });
        add("row07-armed-is-held" + end,
            [&kind](const Scratch& s) { return armed_is_held(s, kind); });
        for (const bool native : {false, true}) {
            add("row09a-no-compliance" + end + (native ? "-native" : ""),
                [&kind, native](const Scratch& s) { return no_compliance(s, kind, native); });
        }
        for (const Way way : {Way::inside, Way::outside}) {
            add("row09b-visible" + end + (way == Way::inside ? "-inside" : "-outside"),
                [&kind, way](const Scratch& s) { return armed_is_visible(s, kind, way); });
        }
    }
    add("si-fd-given-outside",
        [](const Scratch& s) { return signal_names(s, Way::outside, true); });
    add("si-fd-given-inside", [](const Scratch& s) { return signal_names(s, Way::inside, true); });
    add("si-fd-called-on", [](const Scratch& s) { return signal_names(s, Way::inside, false); });
    add("owner-default", without_owner);
    add("owner-kept", with_owner);
    add("shown-pid-of-owner",
        [](const Scratch& s) { return shown_pid(s, getppid(), false, true); });
    add("shown-pid-of-group", [](const Scratch& s) {
        checked(setpgid(0, 0), "setpgid");  // who leads it is this process
        return shown_pid(s, -getpid(), false, true);
    });
    add("shown-pid-in-namespace",
        [](const Scratch& s) { return shown_pid(s, getppid(), true, false); });
}

}  // namespace proof
