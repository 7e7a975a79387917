// SPDX-License-Identifier: GPL-2.0-or-later
#include "ckpt-lease/live/lease_trace.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <set>
#include <span>
#include <thread>

#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/io/file.hpp"
#include "live/fd.hpp"
#include "live/lease_calls.hpp"
#include "live/proc_text.hpp"
#include "live/set/break_time.hpp"

namespace ckpt_lease::live {
namespace {

constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;

// What stands between `before` and the next blank.
std::optional<std::string_view> value_behind(std::string_view text, std::string_view before) {
    const std::size_t at = text.find(before);
    if (at == std::string_view::npos) {
        return std::nullopt;
    }
    text.remove_prefix(at + before.size());
    return text.substr(0, text.find_first_of(" \n"));
}

template <typename Number>
std::optional<Number> number_behind(std::string_view text, std::string_view before, int base = 10) {
    const auto value = value_behind(text, before);
    return value ? parse_number<Number>(*value, base) : std::nullopt;
}

// "dev=0xfe:0x1"
std::optional<dev_t> parse_device(std::string_view line) {
    const auto both = value_behind(line, " dev=0x");
    const std::size_t colon = both ? both->find(":0x") : std::string_view::npos;
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    const auto major = parse_number<unsigned>(both->substr(0, colon), 16);
    const auto minor = parse_number<unsigned>(both->substr(colon + 3), 16);
    return major && minor ? std::optional(makedev(*major, *minor)) : std::nullopt;
}

const char* hint_for(int error) {
    if (error == EPERM || error == EACCES) {
        return "the time that is left is not known without it: on a kernel without the ckpt-lease "
               "patch it takes root, and CAP_SYS_ADMIN";
    }
    if (error == EROFS) {
        return "the time that is left is not known without it: tracefs is mounted read-only here, "
               "as in containers";
    }
    return "the time that is left is not known without it: the kernel needs CONFIG_FTRACE, or the "
           "ckpt-lease patch";
}

[[noreturn]] void fail_without_trace(std::string_view action, int error) {
    throw Error(Error::Kind::io, {.file = "tracefs",
                                  .message = fmt::format("cannot {}: {}", action,
                                                         std::generic_category().message(error)),
                                  .hint = hint_for(error)});
}

int checked(int result, std::string_view action) {
    if (result < 0) {
        fail_without_trace(action, errno);
    }
    return result;
}

// The one that is mounted, if there is one: to mount it once more would change its options. Else
// one that nobody else sees, and that ends with the descriptor.
Fd open_tracefs() {
    constexpr long kTracefs = 0x74726163;  // TRACEFS_MAGIC of linux/magic.h
    for (const char* const path : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}) {
        struct statfs system {};
        if (statfs(path, &system) == 0 && system.f_type == kTracefs) {
            return Fd(checked(open(path, O_PATH | O_DIRECTORY | O_CLOEXEC), "open"));
        }
    }
    const Fd context(checked(fsopen("tracefs", FSOPEN_CLOEXEC), "open"));
    checked(fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0), "set up");
    return Fd(checked(fsmount(context.get(), FSMOUNT_CLOEXEC, 0), "mount"));
}

std::string read_timer_list() {
    io::File file(io::posix_system(), "/proc/timer_list", O_RDONLY);
    std::string text;
    std::array<char, 4096> piece{};
    std::size_t got = 0;
    // The first processor's lines tell: with many of them the rest is long.
    while (text.find("jiffies: ") == std::string::npos || text.back() != '\n') {
        got = file.read_some(std::as_writable_bytes(std::span(piece)));
        if (got == 0) {
            break;
        }
        text.append(piece.data(), got);
    }
    return text;
}

SteadyTime last_tick() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
    return SteadyTime(std::chrono::seconds(time.tv_sec) + Nanoseconds(time.tv_nsec));
}

// CLOCK_MONOTONIC_COARSE is the time of the last tick: if it is the same before and after, the
// number belongs to it. Of several, the tick that was least late counts.
Jiffies read_jiffies() {
    constexpr int kTries = 200;
    constexpr int kEnough = 3;
    Jiffies best{.per_second = ticks_per_second()};
    int good = 0;
    for (int i = 0; i < kTries && good < kEnough; ++i) {
        const SteadyTime before = last_tick();
        const auto ticks = parse_timer_list(read_timer_list());
        if (!ticks) {
            fail_without_trace("tell the time of /proc/timer_list", ENODATA);
        }
        const Jiffies now{*ticks, best.per_second, last_tick()};
        if (best.ticks == 0 || (before == now.since && now.since < best.moment_of(*ticks))) {
            best = now;
        }
        good += before == now.since ? 1 : 0;
    }
    return best;
}

}  // namespace

SteadyTime Jiffies::moment_of(std::uint64_t deadline) const noexcept {
    const auto ahead = static_cast<std::int64_t>(deadline - ticks);
    const auto hz = static_cast<std::int64_t>(per_second);
    return since + std::chrono::seconds(ahead / hz) +
           Nanoseconds(ahead % hz * kNanosecondsPerSecond / hz);
}

std::optional<std::uint64_t> parse_timer_list(std::string_view text) {
    return number_behind<std::uint64_t>(text, "jiffies: ");
}

std::optional<TracedLease> parse_trace_line(std::string_view line, const Jiffies& jiffies,
                                            SteadyTime from) {
    if (line.find(": time_out_leases: ") == std::string_view::npos) {
        return std::nullopt;
    }
    const auto device = parse_device(line);
    const auto key = value_behind(line, " fl=");
    const auto inode = number_behind<std::uint64_t>(line, " ino=0x", 16);
    const auto flags = value_behind(line, " fl_flags=");
    const auto type = value_behind(line, " fl_type=");
    const auto break_time = number_behind<std::uint64_t>(line, " fl_break_time=");
    const auto downgrade_time = number_behind<std::uint64_t>(line, " fl_downgrade_time=");
    if (!device || !inode || !flags || !type || !break_time || !downgrade_time) {
        return std::nullopt;
    }
    const auto lock_type = parse_lock_type(*type);
    if (!lock_type) {
        return std::nullopt;
    }
    TracedLease lease;
    lease.inode = {*device, *inode};
    lease.key = key.value_or("");
    lease.state.type = *lock_type;
    const bool unlocks = flags->find("FL_UNLOCK_PENDING") != std::string_view::npos;
    if (!unlocks && flags->find("FL_DOWNGRADE_PENDING") == std::string_view::npos) {
        return lease;
    }
    lease.state.breaking = true;
    lease.state.previous_type = *lock_type;
    lease.state.type = unlocks ? LockType::unlck : LockType::rdlck;
    lease.state.notified = true;  // a break begins with the signal
    const std::uint64_t deadline = unlocks ? *break_time : *downgrade_time;
    lease.state.remaining =
        deadline == 0 ? Remaining::no_deadline()
                      : Remaining(std::max(jiffies.moment_of(deadline) - from, Nanoseconds(0)));
    return lease;
}

void close_all_but(std::array<int, 3> kept) {
    std::sort(kept.begin(), kept.end());
    unsigned first = 0;
    for (const int fd : kept) {
        const auto number = static_cast<unsigned>(fd);
        if (number > first) {
            close_range(first, number - 1, 0);
        }
        first = std::max(first, number + 1);
    }
    close_range(first, ~0U, 0);
}

constexpr std::string_view kInstance = "ckpt-lease-";

// Where both the maker of an instance and its keeper were killed at once, as when a pid namespace
// ends, it is still there, and slows down every look at a lease. One that is in use cannot be
// removed, but for the moment in which it is made.
void remove_leftovers(const std::string& instances) {
    namespace fs = std::filesystem;
    constexpr time_t kMoment = 60;  // seconds
    std::error_code error;
    for (fs::directory_iterator at(instances, error), end; !error && at != end;
         at.increment(error)) {
        struct stat status {};
        if (at->path().filename().native().starts_with(kInstance) &&
            stat(at->path().c_str(), &status) == 0 && time(nullptr) - status.st_mtime > kMoment) {
            rmdir(at->path().c_str());
        }
    }
}

// Tracing instances are the kernel's, not the process's: one stays behind when its maker is killed.
// So another process makes it and removes it: when the pipe between them is closed, by whatever
// end.
struct LeaseTrace::Instance {
    Instance() : tracefs_(open_tracefs()) {
        const std::string instances = fmt::format("/proc/self/fd/{}/instances", tracefs_.get());
        remove_leftovers(instances);
        // In another pid namespace, somebody may have the same pid.
        folder_ = fmt::format("{}/{}{}-{:x}", instances, kInstance, getpid(),
                              steady_now().time_since_epoch().count());
        std::array<int, 2> ends{};
        checked(pipe2(ends.data(), O_CLOEXEC), "make a pipe");
        Fd end(ends[0]);
        alive_ = Fd(ends[1]);
        checked(pipe2(ends.data(), O_CLOEXEC), "make a pipe");
        const Fd answer(ends[0]);
        Fd answering(ends[1]);
        keeper_ = fork();
        if (keeper_ == 0) {
            keep(end.get(), answering.get());
        }
        int error = keeper_ < 0 ? errno : ECHILD;
        end.reset();
        answering.reset();
        if (::read(answer.get(), &error, sizeof(error)) < 0) {
            error = errno;
        }
        if (error != 0) {
            this->end();
            fail_without_trace("make a tracing instance", error);
        }
    }
    Instance(const Instance&) = delete;
    Instance& operator=(const Instance&) = delete;
    ~Instance() { end(); }

    // Sees the event of the leases in this thread only. That takes the thread's number in the
    // outermost pid namespace: elsewhere others' events are seen too, which tell no less of a
    // lease.
    void begin() {
        if (is_outermost_pid_namespace()) {
            write("set_event_pid", std::to_string(gettid()));
        }
        write("events/filelock/time_out_leases/enable", "1");
        trace_ = Fd(checked(
            open((folder_ + "/trace_pipe").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC), "read"));
    }

    void place(const std::function<int(int)>& move) {
        for (Fd* const fd : {&tracefs_, &alive_, &trace_}) {
            *fd = Fd(move(fd->release()));
        }
    }

    // What was traced since it was asked last.
    [[nodiscard]] std::string take() const {
        std::string text;
        std::array<char, 4096> piece{};
        ssize_t got = 0;
        while ((got = ::read(trace_.get(), piece.data(), piece.size())) > 0) {
            text.append(piece.data(), static_cast<std::size_t>(got));
        }
        return text;
    }

 private:
    void write(const char* name, std::string_view text) const {
        try {
            io::File file(io::posix_system(), fmt::format("{}/{}", folder_, name), O_WRONLY);
            file.write(ckpt_lease::as_bytes(text));
        } catch (const Error& error) {
            throw Error(Error::Kind::io,
                        {.file = "tracefs",
                         .message = fmt::format("cannot set {}: {}", name, error.problem().message),
                         .hint = hint_for(ENOENT)});
        }
    }

    void end() {
        trace_.reset();
        alive_.reset();
        if (keeper_ > 0) {
            waitpid(keeper_, nullptr, 0);
        }
    }

    [[noreturn]] void keep(int end, int answer) const {
        // A leased file that the parent looks into is not to be open here when its holder closes
        // it, nor a pipe when somebody waits for its end.
        close_all_but({end, answer, tracefs_.get()});
        setsid();  // out of reach of Ctrl-C
        sigset_t all{};
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, nullptr);
        const int error = mkdir(folder_.c_str(), 0700) == 0 ? 0 : errno;
        if (::write(answer, &error, sizeof(error)) < 0) {
            // Nobody listens any more, and then the pipe is closed too.
        }
        close(answer);
        char byte = 0;
        while (::read(end, &byte, 1) < 0 && errno == EINTR) {
        }
        // Of a process that is being killed the pipe may be closed before the trace is: then the
        // instance is busy still.
        constexpr std::chrono::milliseconds kBetweenTries(5);
        constexpr int kTries = 2000;
        for (int i = 0; error == 0 && i < kTries && rmdir(folder_.c_str()) != 0; ++i) {
            if (errno != EBUSY) {
                break;
            }
            std::this_thread::sleep_for(kBetweenTries);
        }
        _exit(0);
    }

    Fd tracefs_;
    std::string folder_;
    Fd alive_;
    pid_t keeper_ = -1;
    Fd trace_;
};

LeaseTrace::LeaseTrace() : instance_(std::make_unique<Instance>()) {
    instance_->begin();
    jiffies_ = read_jiffies();
}

LeaseTrace::~LeaseTrace() = default;

void LeaseTrace::place(const std::function<int(int)>& move) {
    instance_->place(move);
}

std::vector<TracedLease> LeaseTrace::read(int fd, const Inode& inode, SteadyTime from) {
    (void)instance_->take();  // of somebody else's look
    if (fcntl(fd, F_GETLEASE) < 0) {
        fail_without_trace("ask for the lease", errno);
    }
    const std::string text = instance_->take();
    std::vector<TracedLease> leases;
    std::set<std::string> seen;  // where others' looks are traced, too
    for_each_line(text, [&](std::string_view line) {
        auto lease = parse_trace_line(line, jiffies_, from);
        if (lease && lease->inode == inode && seen.insert(lease->key).second) {
            leases.push_back(std::move(*lease));
        }
    });
    return leases;
}

}  // namespace ckpt_lease::live
