// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/set/stop_list.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <thread>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/base/text.hpp"
#include "live/breakers.hpp"
#include "live/proc_text.hpp"
#include "live/process_stat.hpp"
#include "live/set/run.hpp"

namespace ckpt_lease::live {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kLongestStopping(2);
constexpr std::chrono::milliseconds kPause(2);

std::string folder_of(pid_t pid) {
    return fmt::format("{}/{}", kProc, pid);
}

std::string folder_of(const ToStop& process) {
    return fmt::format("{}/task/{}", folder_of(process.pid), process.thread);
}

Fd open_pidfd(pid_t pid) {
    return Fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
}

int send(int pidfd, int signal) {
    return syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) < 0 ? errno : 0;
}

bool has_ended(int pidfd) {
    pollfd end{.fd = pidfd, .events = POLLIN, .revents = 0};
    return poll(&end, 1, 0) != 0;
}

// None and ESRCH if it has ended, whoever has its pid now; EIO if its thread has, or cannot be
// seen. What is read by a pid was of the process of a pidfd if that has not ended afterwards.
Fd open_process(const ToStop& process) {
    Fd fd = open_pidfd(process.pid);
    if (!fd) {
        return fd;
    }
    const auto stat = read_stat(folder_of(process));
    const bool is_there = !has_ended(fd.get());
    if (stat && stat->started == process.started && is_there) {
        return fd;
    }
    errno = is_there && !stat ? EIO : ESRCH;
    return {};
}

// Traced ones (t) go on when their tracer says so.
bool runs(const std::string& folder) {
    const std::string text = read_if_there(folder + "/stat");
    const std::size_t name_end = text.rfind(')');
    if (name_end == std::string::npos) {
        return false;
    }
    std::string_view rest = std::string_view(text).substr(name_end + 1);
    const std::string_view state = take_word(rest);
    return state != "T" && state != "t" && state != "Z" && state != "X";
}

// One thread that runs is enough.
bool runs(pid_t pid) {
    std::error_code error;
    for (fs::directory_iterator at(folder_of(pid) + "/task", error), end; !error && at != end;
         at.increment(error)) {
        if (runs(at->path().string())) {
            return true;
        }
    }
    return false;
}

[[noreturn]] void fail(const ToStop& process, const std::string& what) {
    throw Error(Error::Kind::io,
                {.message = fmt::format("process {} ({}) {}: nothing was changed", process.pid,
                                        escape(comm_of(process.pid)), what)});
}

}  // namespace

void let_go(StopShared& shared) {
    shared.hold.end(Nanoseconds(0));
    for (std::size_t i = shared.count; i > 0; --i) {
        StopEntry& entry = shared.entries[i - 1];
        if (!entry.is_stopped) {
            continue;
        }
        if (const Fd fd = open_process(entry.process)) {
            send(fd.get(), SIGCONT);
        } else if (errno != ESRCH) {
            // No descriptors are left, say. At worst another process is told to go on that runs.
            kill(entry.process.pid, SIGCONT);
        }
        entry.is_stopped = false;
    }
}

void Stopping::stop_all(const std::vector<ToStop>& holders) {
    for (const ToStop& holder : holders) {
        stop_holder(holder);
    }
    find_files();
    const SteadyTime begin = steady_now();
    const ToStop* running = nullptr;
    do {
        // Whoever comes is seen by the time that all others are stopped.
        const bool is_new = stop_breakers();
        running = find_running();
        if (!is_new && running == nullptr) {
            return;
        }
        std::this_thread::sleep_for(kPause);
    } while (steady_now() - begin < kLongestStopping);
    if (running != nullptr) {
        fail(*running, "did not stop within 2 s");
    }
}

void Stopping::stop_holder(const ToStop& process) {
    if (known_.count(process.pid) > 0) {
        return;
    }
    const Fd fd = open_process(process);
    if (!fd) {
        if (errno != ESRCH && errno != EIO) {
            fail(process, cannot("be stopped", errno));
        }
        return;  // its leases are said to have no process
    }
    stop(process, fd.get());
}

void Stopping::stop(const ToStop& process, int pidfd) {
    known_.insert(process.pid);
    if (!runs(process.pid)) {
        return;
    }
    const std::size_t place = shared_.count;
    if (place == shared_.entries.size()) {
        fail(process, "cannot be stopped: there are too many");
    }
    StopEntry& entry = shared_.entries[place];
    entry.process = process;
    entry.is_stopped = true;
    shared_.count = place + 1;
    const int error = send(pidfd, SIGSTOP);
    if (error != 0) {
        entry.is_stopped = false;
        if (error != ESRCH) {
            fail(process, cannot("be stopped", error));
        }
    }
}

// A pid that stands in /proc/locks before and after its pidfd was opened is of that process.
bool Stopping::stop_breakers() {
    struct Found {
        ToStop process;
        Fd fd;
    };
    std::vector<Found> found;
    for (const pid_t pid : waiting()) {
        Fd fd = open_pidfd(pid);
        const auto stat = read_stat(folder_of(pid));
        if (fd && stat) {
            found.push_back({{pid, pid, stat->started}, std::move(fd)});
        }
    }
    if (found.empty()) {
        return false;
    }
    const std::set<pid_t> still = waiting();
    for (const Found& one : found) {
        if (still.count(one.process.pid) > 0 && !has_ended(one.fd.get())) {
            stop(one.process, one.fd.get());
        }
    }
    return true;
}

// For the leases, and not stopped by us. Those of other pid namespaces cannot be seen.
std::set<pid_t> Stopping::waiting() const {
    std::set<pid_t> pids;
    for (const Breaker& breaker : read_locks().breakers) {
        if (breaker.pid != 0 && files_.count(breaker.inode) > 0 && known_.count(breaker.pid) == 0) {
            pids.insert(breaker.pid);
        }
    }
    return pids;
}

void Stopping::find_files() {
    for (const WantedLease& lease : leases_) {
        const std::string path = fmt::format("{}/fdinfo/{}", folder_of(lease.pid), lease.fd);
        for_each_line(read_if_there(path), [&](std::string_view line) {
            if (const auto found = parse_fdinfo_line(line)) {
                files_.insert(found->inode);
            }
        });
    }
}

const ToStop* Stopping::find_running() const {
    for (std::size_t i = 0; i < shared_.count; ++i) {
        const StopEntry& entry = shared_.entries[i];
        if (entry.is_stopped && runs(entry.process.pid)) {
            return &entry.process;
        }
    }
    return nullptr;
}

}  // namespace ckpt_lease::live
