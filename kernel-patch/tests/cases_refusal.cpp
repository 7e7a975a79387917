// SPDX-License-Identifier: GPL-2.0-or-later
// Row 13: what F_SETLEASE_STATE refuses, and the values at the edge that it takes.
#include <sys/stat.h>

#include <cerrno>
#include <csignal>

#include "runner.hpp"

namespace proof {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kLongest = ((std::uint64_t{1} << 31) - 1) * kSecond;

using S = lease_state;

struct Change {
    const char* name;
    void (*change)(S& state);
};

void make_idle(S& s) {
    s = {.type = F_WRLCK, .target = F_WRLCK, .fd = -1};
}

// Each makes one thing wrong in the break of a write lease that nobody would refuse.
const Change kWrong[] = {
    {"flag 4", [](S& s) { s.flags |= 4; }},
    {"ARMED", [](S& s) { s.flags |= LEASE_STATE_ARMED; }},
    {"flag 2^31", [](S& s) { s.flags |= 0x80000000; }},
    {"padding", [](S& s) { reinterpret_cast<std::uint32_t*>(&s)[7] = 1; }},
    {"padding 2^31", [](S& s) { reinterpret_cast<std::uint32_t*>(&s)[7] = 0x80000000; }},
    {"type F_UNLCK", [](S& s) { s.type = F_UNLCK; }},
    {"type 3", [](S& s) { s.type = 3; }},
    {"type 255", [](S& s) { s.type = 255; }},
    {"type 257", [](S& s) { s.type = 0x101; }},
    {"type of a record of the break", [](S& s) { s.type = F_WRLCK | kInProgress; }},
    {"target 3", [](S& s) { s.target = 3; }},
    {"target 65535", [](S& s) { s.target = 0xffff; }},
    {"target of a record of the break", [](S& s) { s.target = F_UNLCK | kInProgress; }},
    {"F_RDLCK to F_WRLCK", [](S& s) { s.type = F_RDLCK, s.target = F_WRLCK; }},
    {"a time without a break", [](S& s) { make_idle(s), s.remaining_ns = 1; }},
    {"no deadline without a break",
     [](S& s) { make_idle(s), s.remaining_ns = LEASE_STATE_NO_DEADLINE; }},
    {"NOTIFIED without a break", [](S& s) { make_idle(s), s.flags = LEASE_STATE_NOTIFIED; }},
    {"2^31 - 1 s and 1 ns", [](S& s) { s.remaining_ns = kLongest + 1; }},
    {"2^31 s", [](S& s) { s.remaining_ns = kLongest + kSecond; }},
    {"2^64 - 2 ns", [](S& s) { s.remaining_ns = LEASE_STATE_NO_DEADLINE - 1; }},
    {"begin in a minute",
     [](S& s) { s.begin_ns = static_cast<std::uint64_t>(now()) + 60 * kSecond; }},
    {"begin 2^63", [](S& s) { s.begin_ns = std::uint64_t{1} << 63; }},
    {"begin 2^64 - 1", [](S& s) { s.begin_ns = ~std::uint64_t{0}; }},
    {"fd -2", [](S& s) { s.fd = -2; }},
    {"fd -2^31", [](S& s) { s.fd = INT32_MIN; }},
};

// These are as far as it goes.
const Change kRight[] = {
    {"as it is", [](S&) {}},
    {"1 ns", [](S& s) { s.remaining_ns = 1; }},
    {"no time", [](S& s) { s.remaining_ns = 0; }},
    {"2^31 - 1 s", [](S& s) { s.remaining_ns = kLongest; }},
    {"no deadline", [](S& s) { s.remaining_ns = LEASE_STATE_NO_DEADLINE; }},
    {"not notified", [](S& s) { s.flags = 0; }},
    {"a downgrade", [](S& s) { s.target = F_RDLCK; }},
    {"no break", make_idle},
    {"begin 1", [](S& s) { s.begin_ns = 1; }},
    {"begin now", [](S& s) { s.begin_ns = static_cast<std::uint64_t>(now()); }},
    {"fd 2^31 - 1", [](S& s) { s.fd = INT32_MAX; }},
};

std::string fields(const Scratch& scratch) {
    Holder holder(scratch.file, O_RDWR);
    for (const Change& wrong : kWrong) {
        S state = broken(kWriteUnlock, kSecond);
        wrong.change(state);
        require_error(set_state(holder, state), EINVAL, wrong.name);
        holder.require_type(F_UNLCK, wrong.name);
        // What was wrong was that and nothing else.
        require_equal(set_state(holder, broken(kWriteUnlock, kSecond)), 0, wrong.name);
        require_equal(holder.set(F_UNLCK), 0, "F_SETLEASE F_UNLCK");
    }
    return format("%zu values: EINVAL, no lease set", std::size(kWrong));
}

std::string edges(const Scratch& scratch) {
    Holder holder(scratch.file, O_RDWR);
    std::string text;
    for (const Change& right : kRight) {
        S state = broken(kWriteUnlock, kSecond);
        right.change(state);
        require_equal(set_state(holder, state), 0, right.name);
        holder.require_type(F_WRLCK, right.name);
        const S told = get_state(holder);
        require(told.type == state.type && told.target == state.target &&
                    (told.flags & LEASE_STATE_NOTIFIED) == state.flags,
                std::string("what is told of it: ") + right.name);
        const bool is_told_as_set = state.remaining_ns == LEASE_STATE_NO_DEADLINE
                                        ? told.remaining_ns == state.remaining_ns
                                        : told.remaining_ns <= state.remaining_ns;
        require(is_told_as_set, std::string("the time that is told of it: ") + right.name);
        require_equal(holder.set(F_UNLCK), 0, "F_SETLEASE F_UNLCK");
        text += std::string(text.empty() ? "" : ", ") + right.name;
    }
    return "taken: " + text;
}

// What is told is asked for with nothing but zeros where the flags and the padding are.
std::string asked_wrongly(const Scratch& scratch) {
    Holder holder(scratch.file, O_RDWR);
    holder.take(F_WRLCK);
    for (const std::uint32_t flags : {1U, 2U, 0x80000000U}) {
        require_error(call_state(holder, Way::inside, F_GETLEASE_STATE, {.flags = flags}).value,
                      EINVAL, "F_GETLEASE_STATE with a flag");
    }
    S padded{};
    reinterpret_cast<std::uint32_t*>(&padded)[7] = 1;
    require_error(call_state(holder, Way::inside, F_GETLEASE_STATE, padded).value, EINVAL,
                  "F_GETLEASE_STATE with padding");
    return "EINVAL";
}

std::string pointers(const Scratch& scratch) {
    Holder holder(scratch.file, O_RDWR);
    Process& process = holder.process();
    for (const int command : {F_GETLEASE_STATE, F_SETLEASE_STATE}) {
        for (const long pointer : {0L, 1L, -4096L}) {
            require_error(process.fcntl(holder.fd(), command, pointer), EFAULT, "a bad pointer");
        }
    }
    holder.require_type(F_UNLCK, "after bad pointers");
    return "EFAULT, no lease set";
}

// Descriptors that no lease can be held through, and none.
std::string descriptors(const Scratch& scratch) {
    Process process;
    const auto open = [&](const std::string& path, int flags) {
        const long fd = process.open(path, flags);
        require(fd >= 0, "open " + path + ": " + error_name(-fd));
        return static_cast<int>(fd);
    };
    const int path_only = open(scratch.file, O_PATH);
    const int others[] = {open("/dev/null", O_RDWR), open(scratch.folder, O_RDONLY | O_DIRECTORY)};
    const S state = broken(kReadUnlock, kSecond);
    for (const int command : {F_GETLEASE_STATE, F_SETLEASE_STATE}) {
        const S asked = command == F_GETLEASE_STATE ? S{} : state;
        require_error(process.state(998, command, asked).value, EBADF, "the file 998");
        require_error(process.state(path_only, command, asked).value, EBADF, "O_PATH");
    }
    for (const int fd : others) {
        require_error(process.state(fd, F_SETLEASE_STATE, state).value, EINVAL, "no regular file");
        const Reply reply = process.state(fd, F_GETLEASE_STATE, {});
        require(reply.value == 0 && reply.state.type == F_UNLCK, "a lease of no regular file");
    }
    return "none and O_PATH: EBADF; a device and a folder: EINVAL, and no lease is told";
}

struct Permission {
    const char* name;
    Identity identity;
    std::uint64_t remaining;
    int wanted;
    uid_t owner;
};
// lease-break-time is 5 s here.
const Permission kPermissions[] = {
    {"nobody", Identity::nobody, kSecond, EPERM, 1000},
    {"capability-is-enough", Identity::restorer, 5 * kSecond, 0, 1000},
    {"capability-beyond", Identity::restorer, 6 * kSecond, 0, 1000},
    {"capability-no-deadline", Identity::restorer, LEASE_STATE_NO_DEADLINE, 0, 1000},
    {"not-the-file-s-owner", Identity::restorer, kSecond, EACCES, 0},
    {"user-namespace", Identity::root_in_namespace, 5 * kSecond, 0, 0},
    {"user-namespace-beyond", Identity::root_in_namespace, 5 * kSecond + 1, EPERM, 0},
    {"user-namespace-no-deadline", Identity::root_in_namespace, LEASE_STATE_NO_DEADLINE, EPERM, 0},
};

std::string permission(const Scratch& scratch, const Permission& one) {
    chmod(scratch.file.c_str(), 0666);
    checked(chown(scratch.file.c_str(), one.owner, one.owner), "chown");
    Holder holder(scratch.file, O_RDWR);
    holder.process().become(one.identity);
    require_equal(get_state(holder).type, F_UNLCK, "F_GETLEASE_STATE without a permission");
    if (one.wanted == EPERM) {
        // It is not F_SETLEASE that refuses.
        holder.take(F_WRLCK);
        require_equal(holder.set(F_UNLCK), 0, "F_SETLEASE F_UNLCK");
    }
    const long result = set_state(holder, broken(kWriteUnlock, one.remaining));
    if (one.wanted != 0) {
        require_error(result, one.wanted, "F_SETLEASE_STATE");
        holder.require_type(F_UNLCK, "after a failure");
        return error_name(one.wanted) + ", no lease set";
    }
    require_equal(result, 0, "F_SETLEASE_STATE");
    holder.require_type(F_WRLCK, "after the restart");
    require(get_state(holder).type == F_WRLCK, "F_GETLEASE_STATE");
    return "the lease is set";
}

enum class Has { armed, resumed, waited_for };

// A lease that the struct file has already keeps what it has.
std::string busy(const Scratch& scratch, Has has) {
    Holder holder(scratch.file, O_RDWR);
    const std::int64_t begin = now();
    require_equal(set_state(holder, broken(kWriteUnlock, 2 * kSecond)), 0, "F_SETLEASE_STATE");
    Breaker breaker(scratch.file, O_WRONLY);
    if (has == Has::resumed) {
        Breaker hurried(scratch.file, O_WRONLY);
        require_equal(-hurried.try_open(), EWOULDBLOCK, "O_NONBLOCK");
    } else if (has == Has::waited_for) {
        breaker.start();
        breaker.require_waiting("restarted");
    }
    require_error(set_state(holder, broken(kWriteUnlock, 30 * kSecond)), EBUSY, "a second lease");
    holder.require_type(has == Has::armed ? F_WRLCK : F_UNLCK, "after EBUSY");
    require_equal(holder.process().fcntl(holder.fd(), F_GETSIG), SIGRTMIN, "F_GETSIG");
    if (has != Has::waited_for) {
        breaker.start();
    }
    const std::string text = require_deadline(begin, breaker.in(5), 2);
    holder.require_signals(0, "in all");
    return "EBUSY, and the lease's own break goes on: " + text;
}

// The same of one that F_SETLEASE has set: it is not made one that is being broken.
std::string busy_idle(const Scratch& scratch) {
    Holder holder(scratch.file, O_RDWR);
    holder.take(F_WRLCK);
    require_error(set_state(holder, broken(kWriteUnlock, kSecond)), EBUSY, "a second lease");
    const S told = get_state(holder);
    require(told.type == F_WRLCK && told.target == F_WRLCK, "the lease after EBUSY");
    return "EBUSY, then " + normal_break(holder, kWriteUnlock);
}

// What is in the way of F_SETLEASE is in the way here: here a process that has the file open.
std::string in_the_way(const Scratch& scratch, int flags) {
    Holder holder(scratch.file, O_RDWR);
    Breaker other(scratch.file, flags);
    other.require_in_at_once("another process");
    require_error(holder.set(F_WRLCK), EAGAIN, "F_SETLEASE");
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

void add_refusal_cases(Cases& cases) {
    const auto add = [&](const std::string& name, auto run) { cases.push_back({name, run}); };
    add("row13-fields", fields);
    add("row13-edges", edges);
    add("row13-asked-wrongly", asked_wrongly);
    add("row13-pointers", pointers);
    add("row13-descriptors", descriptors);
    for (const Permission& one : kPermissions) {
        add(std::string("row13-permission-") + one.name,
            [&one](const Scratch& s) { return permission(s, one); });
    }
    add("row13-busy-armed", [](const Scratch& s) { return busy(s, Has::armed); });
    add("row13-busy-resumed", [](const Scratch& s) { return busy(s, Has::resumed); });
    add("row13-busy-waited-for", [](const Scratch& s) { return busy(s, Has::waited_for); });
    add("row13-busy-idle", busy_idle);
    add("row13-reader-in-the-way", [](const Scratch& s) { return in_the_way(s, O_RDONLY); });
    add("row13-writer-in-the-way", [](const Scratch& s) { return in_the_way(s, O_WRONLY); });
}

}  // namespace proof
