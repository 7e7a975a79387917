// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/set/run_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <optional>
#include <string_view>
#include <thread>

#include "ckpt-lease/io/file.hpp"
#include "live/proc_text.hpp"

namespace ckpt_lease::live {
namespace {

// "12: FLOCK  ADVISORY  WRITE 4242 00:04:4026531837 0 EOF": who has a file locked. 0: nobody that
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

// lease-break-time can be written by root, whatever its capabilities are.
bool may_change_setting(pid_t pid) {
    bool may = false;
    bool seen = false;
    const std::string text = read_if_there(fmt::format("/proc/{}/status", pid));
    for_each_line(text, [&](std::string_view line) {
        if (take_word(line) == "Uid:") {
            take_word(line);  // the real one
            may = take_word(line) == "0";
            seen = true;
        }
    });
    return may || !seen;
}

class LockWait {
 public:
    LockWait(LockHolder& holder, const std::function<void()>& wait)
        : holder_(holder), wait_(wait) {}

    // Nothing comes of it if somebody else has it all the time.
    void lock(int fd, bool anybody_may) {
        if (fd < 0) {
            return;
        }
        constexpr std::chrono::milliseconds kPause(5);
        bool asked = false;
        while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
            const Nanoseconds waited = steady_now() - start_;
            if (!asked && waited > kPatienceBeforeTelling) {
                asked = true;
                const pid_t pid = find_locker(fd);
                if (anybody_may && pid != 0 && !may_change_setting(pid)) {
                    return;
                }
                name(pid);
            }
            if (waited > kPatience) {
                holder_.passed_over = holder_.known.load();
                return;
            }
            wait_();
            std::this_thread::sleep_for(kPause);
        }
    }

 private:
    static constexpr std::chrono::seconds kPatienceBeforeTelling{1};
    static constexpr std::chrono::seconds kPatience{5};

    void name(pid_t pid) {
        const std::string comm = comm_of(pid);
        holder_.pid = pid;
        holder_.comm[comm.copy(holder_.comm.data(), holder_.comm.size() - 1)] = '\0';
        holder_.known = true;
    }

    LockHolder& holder_;
    const std::function<void()>& wait_;
    SteadyTime start_ = steady_now();
};

}  // namespace

RunLock::RunLock(bool wanted, const std::string& path) {
    if (!wanted || access(kBreakTimePath, W_OK) < 0) {
        return;
    }
    file_ = Fd(open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file_) {
        io::fail(path, "create", -errno);
    }
    machine_ = Fd(open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC));
}

void RunLock::take(LockHolder& holder, const std::function<void()>& wait) const {
    LockWait waiting(holder, wait);
    waiting.lock(file_.get(), false);
    waiting.lock(machine_.get(), true);
}

void RunLock::release() const {
    for (const Fd* const fd : {&machine_, &file_}) {
        if (*fd) {
            flock(fd->get(), LOCK_UN);
        }
    }
}

}  // namespace ckpt_lease::live
