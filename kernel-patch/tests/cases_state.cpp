// SPDX-License-Identifier: GPL-2.0-or-later
// What struct lease_state adds: rows 9a, 9b and 13, and what GET and SET say themselves.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "runner.hpp"
#include "state.hpp"

namespace proof {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kNoDeadline = ~std::uint64_t{0};

void require_error(long got, int wanted, const std::string& what) {
    require(got == -wanted, what + ": wanted " + error_name(wanted) + ", got " +
                                (got < 0 ? error_name(-got) : "success"));
}

lease_state broken(const Kind& kind, std::uint64_t remaining) {
    lease_state state{};
    state.remaining_ns = remaining;
    state.type = static_cast<std::uint16_t>(kind.held);
    state.target = static_cast<std::uint16_t>(kind.target);
    state.flags = LEASE_STATE_NOTIFIED;
    state.fd = -1;
    return state;
}

long set_state(Holder& holder, const lease_state& state, Way way = Way::inside) {
    return call_state(holder, way, F_SETLEASE_STATE, state).value;
}

lease_state get_state(Holder& holder, Way way = Way::inside) {
    const Reply reply = call_state(holder, way, F_GETLEASE_STATE, {});
    require_equal(reply.value, 0, "F_GETLEASE_STATE");
    return reply.state;
}

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

// Signals name the holder's descriptor: what SET says, or the number that it was called on.
std::string signal_names(const Scratch& scratch, Way way, bool number_given) {
    Holder holder(scratch.file, O_RDWR, 77, 0);
    lease_state state = broken(kWriteUnlock, 3 * kSecond);
    state.flags = 0;
    state.fd = number_given ? holder.fd() : -1;
    require_equal(set_state(holder, state, way), 0, "F_SETLEASE_STATE");
    Breaker breaker(scratch.file, O_WRONLY);
    breaker.start();
    breaker.require_waiting("restarted");
    holder.require_signals(1, "with si_fd 77");
    return "si_fd is 77";
}

// Row 13: one thing wrong at a time, no lease set; at the end nothing is wrong.
std::string refused_fields(const Scratch& scratch) {
    Holder holder(scratch.file, O_RDWR);
    std::string text;
    const auto refused = [&](const char* what, const auto& spoil, int wanted = EINVAL) {
        lease_state state = broken(kWriteUnlock, kSecond);
        spoil(state);
        require_error(set_state(holder, state), wanted, what);
        holder.require_type(F_UNLCK, what);
        text += format("%s %s; ", what, error_name(wanted).c_str());
    };
    using S = lease_state;
    refused("flag 4", [](S& s) { s.flags |= 4; });
    refused("ARMED", [](S& s) { s.flags |= LEASE_STATE_ARMED; });
    refused("flag 2^31", [](S& s) { s.flags |= 0x80000000; });
    refused("padding", [](S& s) { reinterpret_cast<std::uint32_t*>(&s)[7] = 1; });
    refused("type F_UNLCK", [](S& s) { s.type = F_UNLCK; });
    refused("type 3", [](S& s) { s.type = 3; });
    refused("target 3", [](S& s) { s.target = 3; });
    refused("type 0x100", [](S& s) { s.type = 0x101; });
    refused("F_RDLCK to F_WRLCK", [](S& s) { s.type = F_RDLCK, s.target = F_WRLCK; });
    refused("a time without a break", [](S& s) { s.target = F_WRLCK; });
    refused("no deadline without a break",
            [](S& s) { s.target = F_WRLCK, s.remaining_ns = kNoDeadline; });
    refused("2^31 s", [](S& s) { s.remaining_ns = (std::uint64_t{1} << 31) * kSecond; });
    refused("2^64 - 2 ns", [](S& s) { s.remaining_ns = kNoDeadline - 1; });
    refused("begin in a minute",
            [](S& s) { s.begin_ns = static_cast<std::uint64_t>(now()) + 60 * kSecond; });
    refused("begin 2^63", [](S& s) { s.begin_ns = std::uint64_t{1} << 63; });
    refused("begin 2^64 - 1", [](S& s) { s.begin_ns = kNoDeadline; });
    refused("fd -2", [](S& s) { s.fd = -2; });
    for (const int command : {F_GETLEASE_STATE, F_SETLEASE_STATE}) {
        for (const long pointer : {0L, 1L, -4096L}) {
            require_error(holder.process().fcntl(holder.fd(), command, pointer), EFAULT,
                          "a bad pointer");
        }
        require_error(holder.process().state(998, command, broken(kWriteUnlock, 1)).value, EBADF,
                      "the file 998");
    }
    holder.require_type(F_UNLCK, "after bad pointers");
    require_equal(set_state(holder, broken(kWriteUnlock, kSecond)), 0, "with nothing wrong");
    return text;
}

// Descriptors that no lease can be held through.
std::string refused_descriptors(const Scratch& scratch) {
    Holder holder(scratch.file, O_RDWR);
    Process& process = holder.process();
    const auto path_only = static_cast<int>(process.open(scratch.file, O_PATH));
    const auto device = static_cast<int>(process.open("/dev/null", O_RDWR));
    require(path_only >= 0 && device >= 0, "open");
    const lease_state state = broken(kWriteUnlock, kSecond);
    std::string text;
    for (const int command : {F_GETLEASE_STATE, F_SETLEASE_STATE}) {
        require_error(process.state(path_only, command, state).value, EBADF, "O_PATH");
        require_error(process.state(device, command, state).value, EINVAL, "/dev/null");
    }
    return "O_PATH EBADF; /dev/null EINVAL";
}

std::string permission(const Scratch& scratch, Identity identity, std::uint64_t remaining,
                       int wanted, uid_t owner) {
    chmod(scratch.file.c_str(), 0666);
    checked(chown(scratch.file.c_str(), owner, owner), "chown");
    Holder holder(scratch.file, O_RDWR);
    holder.process().become(identity);
    require_equal(get_state(holder).type, F_UNLCK, "F_GETLEASE_STATE without a permission");
    const long result = set_state(holder, broken(kWriteUnlock, remaining));
    if (wanted != 0) {
        require_error(result, wanted, "F_SETLEASE_STATE");
        holder.require_type(F_UNLCK, "after a failure");
        return error_name(wanted) + ", no lease set";
    }
    require_equal(result, 0, "F_SETLEASE_STATE");
    holder.require_type(F_WRLCK, "after the restart");
    require(get_state(holder).type == F_WRLCK, "F_GETLEASE_STATE");
    return "the lease is set";
}

// A lease that the struct file has already keeps what it has.
std::string busy(const Scratch& scratch, bool resumed) {
    Holder holder(scratch.file, O_RDWR);
    const std::int64_t begin = now();
    require_equal(set_state(holder, broken(kWriteUnlock, 2 * kSecond)), 0, "F_SETLEASE_STATE");
    if (resumed) {
        Breaker hurried(scratch.file, O_WRONLY);
        require_equal(-hurried.try_open(), EWOULDBLOCK, "O_NONBLOCK");
    }
    require_error(set_state(holder, broken(kWriteUnlock, 30 * kSecond)), EBUSY, "a second lease");
    holder.require_type(resumed ? F_UNLCK : F_WRLCK, "after EBUSY");
    Breaker breaker(scratch.file, O_WRONLY);
    breaker.start();
    const std::string text = require_deadline(begin, breaker.in(5), 2);
    holder.require_signals(0, "in all");
    return "EBUSY, and the lease's own break goes on: " + text;
}

// What is in the way of F_SETLEASE is in the way here.
std::string in_the_way(const Scratch& scratch, int flags) {
    Holder holder(scratch.file, O_RDWR);
    Breaker other(scratch.file, flags);
    other.require_in_at_once("another process");
    require_error(set_state(holder, broken(kWriteUnlock, kSecond)), EAGAIN, "F_SETLEASE_STATE");
    holder.require_type(F_UNLCK, "after EAGAIN");
    require_equal(holder.process().fcntl(holder.fd(), F_GETSIG), SIGRTMIN, "F_GETSIG");
    require_equal(holder.process().fcntl(holder.fd(), F_GETOWN), holder.process().pid(),
                  "F_GETOWN");
    other.process().kill();
    require_equal(set_state(holder, broken(kWriteUnlock, kSecond)), 0, "without it");
    return "EAGAIN, owner and signal kept";
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
    add("shown-pid-of-owner",
        [](const Scratch& s) { return shown_pid(s, getppid(), false, true); });
    add("shown-pid-of-group", [](const Scratch& s) {
        checked(setpgid(0, 0), "setpgid");  // who leads it is this process
        return shown_pid(s, -getpid(), false, true);
    });
    add("shown-pid-in-namespace",
        [](const Scratch& s) { return shown_pid(s, getppid(), true, false); });
    add("row13-fields", refused_fields);
    add("row13-descriptors", refused_descriptors);
    struct Permission {
        const char* name;
        Identity identity;
        std::uint64_t remaining;
        int wanted;
        uid_t owner;
    };
    // lease-break-time is 5 s here.
    static const Permission kPermissions[] = {
        {"nobody", Identity::nobody, kSecond, EPERM, 1000},
        {"capability-is-enough", Identity::restorer, 5 * kSecond, 0, 1000},
        {"capability-beyond", Identity::restorer, 6 * kSecond, 0, 1000},
        {"capability-no-deadline", Identity::restorer, kNoDeadline, 0, 1000},
        {"not-the-file-s-owner", Identity::restorer, kSecond, EACCES, 0},
        {"user-namespace", Identity::root_in_namespace, 5 * kSecond, 0, 0},
        {"user-namespace-beyond", Identity::root_in_namespace, 5 * kSecond + 1, EPERM, 0},
        {"user-namespace-no-deadline", Identity::root_in_namespace, kNoDeadline, EPERM, 0},
    };
    for (const Permission& one : kPermissions) {
        add(std::string("row13-permission-") + one.name, [&one](const Scratch& s) {
            return permission(s, one.identity, one.remaining, one.wanted, one.owner);
        });
    }
    add("row13-busy-armed", [](const Scratch& s) { return busy(s, false); });
    add("row13-busy-resumed", [](const Scratch& s) { return busy(s, true); });
    add("row13-reader-in-the-way", [](const Scratch& s) { return in_the_way(s, O_RDONLY); });
    add("row13-writer-in-the-way", [](const Scratch& s) { return in_the_way(s, O_WRONLY); });
}

}  // namespace proof
