// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "ckpt-lease/base/text.hpp"
#include "live/proc_text.hpp"
#include "live/remote_file.hpp"
#include "live/set/apply_run.hpp"

namespace ckpt_lease::live {
namespace {

using Outcome = AppliedLease::Outcome;

class Preparing {
 public:
    Preparing(std::span<const WantedLease> leases, SharedRun& shared, const ApplyHooks& hooks)
        : leases_(leases), shared_(shared) {
        found_.kernel_restores = hooks.kernel_restores.value_or(kernel_restores_leases());
    }

    Preparation prepare() {
        allow_numbers();
        const int fd = open(kBreakTimePath, O_RDWR | O_CLOEXEC);
        found_.break_time_fd = fd < 0 ? -1 : out_of_the_way(fd, leases_);
        for (std::size_t i = 0; i < leases_.size(); ++i) {
            Slot& slot = shared_.slots[i];
            Unit unit{.wanted = &leases_[i], .slot = &slot};
            std::string fault = take(unit);
            if (fault.empty()) {
                fault = look_at(unit);
            }
            if (!fault.empty()) {
                slot.decide(Outcome::skipped, fault);
            }
        }
        if (!found_.kernel_restores) {
            for (Group& group : found_.groups) {
                check_together(group);
            }
        }
        return std::move(found_);
    }

 private:
    // dup2() to the holder's number has to be allowed.
    void allow_numbers() const {
        rlimit limit{};
        getrlimit(RLIMIT_NOFILE, &limit);
        rlim_t needed = limit.rlim_cur;
        // Beyond this no process has a descriptor.
        const auto all = static_cast<std::int32_t>(
            parse_number<std::uint32_t>(first_line(read_if_there("/proc/sys/fs/nr_open")))
                .value_or(1U << 20U));
        for (const WantedLease& lease : leases_) {
            if (lease.fd >= all) {
                continue;
            }
            // Beside them, one descriptor for each, and ours.
            constexpr rlim_t kOurs = 64;
            needed = std::max(
                needed, static_cast<rlim_t>(std::max(lease.fd, 0)) + leases_.size() * 2 + kOurs);
        }
        limit.rlim_cur = needed;
        limit.rlim_max = std::max(limit.rlim_max, needed);
        setrlimit(RLIMIT_NOFILE, &limit);
    }

    static std::string first_line(const std::string& text) {
        return text.substr(0, text.find('\n'));
    }

    std::string take(Unit& unit) {
        const WantedLease& wanted = *unit.wanted;
        std::string fault = fault_of(wanted, found_.kernel_restores);
        if (!fault.empty()) {
            return fault;
        }
        const int process = open_process(wanted.pid);
        if (process < 0) {
            return errno == ESRCH ? fmt::format("process {} is not there", wanted.pid)
                                  : cannot(fmt::format("reach process {}", wanted.pid), errno);
        }
        const int fd = static_cast<int>(syscall(SYS_pidfd_getfd, process, wanted.fd, 0));
        const int error = errno;
        close(process);
        if (fd < 0) {
            return error == EBADF
                       ? fmt::format("process {} has no descriptor {}", wanted.pid, wanted.fd)
                       : cannot(
                             fmt::format("get descriptor {} of process {}", wanted.fd, wanted.pid),
                             error);
        }
        unit.fd = out_of_the_way(fd, leases_);
        unit.door = unit.fd;
        return unit.fd < 0 ? cannot("take a descriptor", errno) : find_other_file(unit);
    }

    // A pid may be somebody else's by now, and a descriptor may have been closed and opened.
    static std::string find_other_file(const Unit& unit) {
        constexpr std::string_view kDeleted = " (deleted)";
        const std::string& wanted = unit.wanted->path;
        std::error_code error;
        const std::string link = fmt::format("/proc/self/fd/{}", unit.fd);
        const std::string found = std::filesystem::read_symlink(link, error).native();
        // CRIU gives files without a name another one before it takes it away.
        const bool nameless = wanted.ends_with(kDeleted) && found.ends_with(kDeleted);
        if (error || wanted.empty() || wanted == found || nameless) {
            return {};
        }
        return fmt::format("descriptor {} of process {} is another file: {}", unit.wanted->fd,
                           unit.wanted->pid, escape(found));
    }

    // Of an open file that is there: what F_SETLEASE and the breaker's open() would say.
    std::string look_at(Unit& unit) {
        struct stat status {};
        const int flags = fcntl(unit.fd, F_GETFL);
        if (flags < 0 || fstat(unit.fd, &status) < 0) {
            return cannot("look at the file", errno);
        }
        if (!S_ISREG(status.st_mode) || (flags & O_PATH) != 0) {
            return "leases are for regular files that are open, and this descriptor is none";
        }
        unit.writable = (flags & O_ACCMODE) != O_RDONLY;
        if (status.st_uid != geteuid() && !may(CAP_LEASE)) {
            return "the file belongs to somebody else, and CAP_LEASE is missing";
        }
        if (!may_put_owner(unit)) {
            return "the lease's owner was set by another user, and CAP_SETUID is missing";
        }
        std::string fault = found_.kernel_restores ? look_at_permission() : look_at_break(unit);
        return fault.empty() ? add(unit, status) : fault;
    }

    static bool may_put_owner(const Unit& unit) {
        LeaseOwner owner;
        if (unit.wanted->owner) {
            owner = *unit.wanted->owner;
        } else if (get_owner(unit.fd, owner) != 0) {
            return false;
        }
        return (owner.uid == getuid() && owner.euid == geteuid()) || may(CAP_SETUID);
    }

    static std::string look_at_permission() {
        constexpr unsigned kCheckpointRestore = 40;
        return may(kCheckpointRestore) || may(CAP_SYS_ADMIN) ? ""
                                                             : "CAP_CHECKPOINT_RESTORE is missing";
    }

    // What is in the way of a break; it is begun for a downgraded lease on a writable file, too.
    std::string look_at_break(Unit& unit) const {
        const LeaseState& state = unit.wanted->state;
        if (!state.breaking && !(unit.writable && state.type == LockType::rdlck)) {
            return {};
        }
        if (found_.break_time_fd < 0) {
            return fmt::format("a deadline needs write access to {}", kBreakTimePath);
        }
        int error = may_break(unit.door, state.type);
        if (error == EROFS) {
            const int door = open_door(unit.fd);
            unit.door = door < 0 ? unit.fd : out_of_the_way(door, leases_);
            error = may_break(unit.door, state.type);
        }
        return error == 0 ? "" : cannot("open the file as the breaker did", error);
    }

    std::string add(const Unit& unit, const struct stat& status) {
        const Inode inode{status.st_dev, status.st_ino};
        auto group = std::find_if(found_.groups.begin(), found_.groups.end(),
                                  [&](const Group& other) { return other.inode == inode; });
        if (group == found_.groups.end()) {
            found_.groups.push_back({{unit}, inode});
            return {};
        }
        for (const Unit& other : group->units) {
            const pid_t self = getpid();
            const long order = syscall(SYS_kcmp, self, self, KCMP_FILE, other.fd, unit.fd);
            if (order < 0) {
                return cannot("tell the open files of one inode apart", errno);
            }
            if (order == 0) {
                return add_again(unit, other);
            }
        }
        group->units.push_back(unit);
        return {};
    }

    std::string add_again(const Unit& unit, const Unit& other) {
        close(unit.fd);
        if (unit.wanted->state != other.wanted->state ||
            unit.wanted->owner != other.wanted->owner) {
            return fmt::format(
                "this is the lease of descriptor {} of process {}, of which something else is "
                "wanted",
                other.wanted->fd, other.wanted->pid);
        }
        unit.slot->same_as = other.slot->same_as;
        return {};
    }

    // A break without the patch is one for all leases of an inode.
    static void check_together(Group& group) {
        const auto is_breaking_unit = [](const Unit& unit) { return unit.wanted->state.breaking; };
        if (std::none_of(group.units.begin(), group.units.end(), is_breaking_unit)) {
            return;
        }
        const char* fault = nullptr;
        if (!std::all_of(group.units.begin(), group.units.end(), is_breaking_unit)) {
            fault =
                "another lease on the file is not being broken, and this kernel would break both";
        } else if (!is_outermost_pid_namespace() && is_read_lease(group.units.front())) {
            fault =
                "leases of processes in other pid namespaces cannot be seen from this one, and "
                "this kernel would break them too";
        } else if (has_strangers(group)) {
            fault = "another process has a lease on the file, and this kernel would break both";
        }
        if (fault != nullptr) {
            const auto rest =
                std::stable_partition(group.units.begin(), group.units.end(),
                                      [&](const Unit& unit) { return !is_breaking_unit(unit); });
            std::for_each(rest, group.units.end(),
                          [&](const Unit& unit) { unit.slot->decide(Outcome::skipped, fault); });
            group.units.erase(rest, group.units.end());
        }
    }

    // Beside a write lease there is no other.
    static bool is_read_lease(const Unit& unit) {
        return unit.wanted->state.previous_type == LockType::rdlck;
    }

    static bool has_strangers(const Group& group) {
        int ours = 0;
        Inode inode;
        for (const Unit& unit : group.units) {
            const LeaseNow now = lease_now(unit.fd);
            ours += now.held ? 1 : 0;
            inode = now.held ? now.inode : inode;
        }
        return ours > 0 && count_leases(inode) > ours;
    }

    std::span<const WantedLease> leases_;
    SharedRun& shared_;
    Preparation found_;
};

}  // namespace

int out_of_the_way(int fd, std::span<const WantedLease> leases) {
    const auto is_wanted = [&](int number) {
        return std::any_of(leases.begin(), leases.end(),
                           [number](const WantedLease& lease) { return lease.fd == number; });
    };
    int place = fd;
    while (place >= 0 && is_wanted(place)) {
        const int next = fcntl(fd, F_DUPFD_CLOEXEC, place + 1);
        if (place != fd) {
            close(place);
        }
        place = next;
    }
    if (place != fd) {
        const int error = errno;
        close(fd);
        errno = error;
    }
    return place;
}

Preparation prepare(std::span<const WantedLease> leases, SharedRun& shared,
                    const ApplyHooks& hooks) {
    return Preparing(leases, shared, hooks).prepare();
}

}  // namespace ckpt_lease::live
