// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/set/run_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <string_view>
#include <thread>

#include "io/file.hpp"
#include "live/proc_text.hpp"
#include "live/tracefs.hpp"

namespace ckpt_lease::live {
namespace {

// "12: FLOCK  ADVISORY  WRITE 4242 00:18:1042 0 EOF": who has a file locked. 0: nobody that
// could be seen from here.
pid_t find_locker(int fd) {
    struct stat status {};
    if (fstat(fd, &status) < 0) {
        return 0;
    }
    const std::string inode =
        fmt::format("{:02x}:{:02x}:{}", major(status.st_dev), minor(status.st_dev), status.st_ino);
    pid_t found = 0;
    const std::string locks = read_if_there("/proc/locks");
    for_each_line(locks, [&](std::string_view line) {
        take_word(line);  // its number
        if (take_word(line) != "FLOCK") {
            return;
        }
        take_word(line);  // ADVISORY
        take_word(line);  // WRITE
        const auto pid = parse_number<pid_t>(take_word(line));
        if (pid && take_word(line) == inode) {
            found = *pid;
        }
    });
    return found;
}

class LockWait {
 public:
    LockWait(const LockPatience& patience, LockWaits& waits, const std::function<void()>& wait)
        : patience_(patience), waits_(waits), wait_(wait) {}

    // False if somebody else has it all the time, or it cannot be locked.
    bool lock(int fd) {
        if (fd < 0) {
            return false;
        }
        constexpr std::chrono::milliseconds kPause(5);
        timespec progress = last_change(fd);
        SteadyTime since = steady_now();
        SteadyTime looked = since;
        while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
            if (errno != EWOULDBLOCK && errno != EINTR) {
                return false;
            }
            const SteadyTime now = steady_now();
            waits_.waited += now - looked;
            looked = now;
            if (const timespec last = last_change(fd); !is_same(last, progress)) {
                progress = last;
                since = now;
            }
            if (!waits_.waited_for.known && waits_.waited > patience_.before_telling) {
                name(fd, waits_.waited_for);
            }
            const bool is_stuck = now - since > patience_.without_progress;
            if (is_stuck || waits_.waited > patience_.in_all) {
                waits_.is_stuck = is_stuck;
                name(fd, waits_.passed_over);
                return false;
            }
            wait_();
            std::this_thread::sleep_for(kPause);
        }
        return true;
    }

 private:
    static timespec last_change(int fd) {
        struct stat status {};
        return fstat(fd, &status) == 0 ? status.st_mtim : timespec{};
    }
    static bool is_same(const timespec& a, const timespec& b) {
        return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
    }

    static void name(int fd, LockHolder& holder) {
        if (holder.known) {
            return;  // whoever reads it may be doing so
        }
        const pid_t pid = find_locker(fd);
        const std::string comm = comm_of(pid);
        holder.pid = pid;
        holder.comm[comm.copy(holder.comm.data(), holder.comm.size() - 1)] = '\0';
        holder.known = true;
    }

    const LockPatience& patience_;
    LockWaits& waits_;
    const std::function<void()>& wait_;
};

}  // namespace

RunLock::RunLock(bool wanted, const std::string& path, const LockPatience& patience)
    : patience_(patience) {
    if (!wanted || access(kBreakTimePath, W_OK) < 0) {
        return;
    }
    file_.fd = Fd(open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file_.fd) {
        io::fail(path, "create", -errno);
    }
    if (const Fd folder = open_tracefs()) {
        machine_.fd = Fd(openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
}

void RunLock::take(LockWaits& waits, const std::function<void()>& wait) {
    const std::function<void()> wait_visibly = [&] {
        wait();
        show_progress();
    };
    LockWait waiting(patience_, waits, wait_visibly);
    for (Part* const part : {&file_, &machine_}) {
        part->is_taken = waiting.lock(part->fd.get());
        shown_ = kNever;
        show_progress();
    }
}

void RunLock::show_progress() {
    constexpr std::chrono::milliseconds kOften(200);
    const SteadyTime now = steady_now();
    if (now - shown_ < kOften) {
        return;
    }
    shown_ = now;
    for (const Part* const part : {&file_, &machine_}) {
        if (part->is_taken) {
            futimens(part->fd.get(), nullptr);
        }
    }
}

void RunLock::release() {
    for (Part* const part : {&machine_, &file_}) {
        part->is_taken = false;
        if (part->fd) {
            flock(part->fd.get(), LOCK_UN);
        }
    }
}

}  // namespace ckpt_lease::live
