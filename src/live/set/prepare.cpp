// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <linux/kcmp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <set>
#include <system_error>

#include "ckpt-lease/base/text.hpp"
#include "live/lease_state.hpp"
#include "live/remote_fd.hpp"
#include "live/set/group_rules.hpp"
#include "live/set/numbers.hpp"
#include "live/set/run.hpp"
#include "live/ticks.hpp"

namespace ckpt_lease::live {
namespace {

using Outcome = AppliedLease::Outcome;

std::string fault_of_state(const LeaseState& state) {
    if (!state.breaking) {
        return state.type == LockType::rdlck || state.type == LockType::wrlck
                   ? std::string()
                   : fmt::format("{} is no type of a lease that is not being broken",
                                 to_string(state.type));
    }
    const bool unlock = state.type == LockType::unlck && (state.previous_type == LockType::rdlck ||
                                                          state.previous_type == LockType::wrlck);
    const bool downgrade = state.type == LockType::rdlck && state.previous_type == LockType::wrlck;
    if (!unlock && !downgrade) {
        return fmt::format(
            "no lease break makes {} of {}", to_string(state.type),
            state.previous_type ? to_string(*state.previous_type) : "a type that is not known");
    }
    return std::string(state.remaining.is_known() ? "" : kTimeNotKnown);
}

std::string fault_of_time(const LeaseState& state, Nanoseconds longest) {
    if (!state.breaking || !state.remaining.has_deadline() || state.remaining.time() <= longest) {
        return {};
    }
    return fmt::format("the remaining lease of {} is more than this kernel can set ({} s)",
                       to_string(state.remaining), format_seconds(longest));
}

class Preparing {
 public:
    Preparing(const Run& run, std::span<const std::size_t> places, Numbers& numbers)
        : run_(run),
          shared_(run.shared),
          places_(places),
          numbers_(numbers),
          counter_(run.wanted, places, numbers) {
        found_.kernel_restores = run.hooks.kernel_restores.value_or(kernel_restores_leases());
        longest_ = found_.kernel_restores ? kMaxRemaining
                                          : BreakClock(ticks_per_second(), false).longest();
        found_.break_time_file =
            numbers_.out_of_the_way(Fd(open(kBreakTimePath, O_RDWR | O_CLOEXEC)));
        some_are_silent_ = shared_.silent_mounts[0] != 0;
    }

    Preparation prepare() {
        for (const std::size_t place : places_) {
            Slot& slot = shared_.slots[place];
            if (slot.decided || slot.same_as != place) {
                continue;
            }
            OpenLease lease{.wanted = &run_.wanted[place], .slot = &slot, .place = place};
            run_.touch(place);
            std::string fault = take(lease);
            fault = fault.empty() ? look_at(lease) : fault;
            if (!fault.empty()) {
                leave(lease, fault);
            } else if (slot.same_as == place) {
                group_of(lease).leases.push_back(std::move(lease));
            }
        }
        run_.rest();
        const SystemLeases all = read_locks();
        for (Group& group : found_.groups) {
            look_at_leases(group, all);
        }
        run_.rest();
        leave_what_is_waited_for(found_, all);
        if (!found_.kernel_restores) {
            check_together(run_, found_, counter_, all);
        }
        return std::move(found_);
    }

    void mend(std::string_view why) {
        for (const std::size_t place : places_) {
            Slot& slot = shared_.slots[place];
            if (!slot.decided && slot.same_as == place) {
                OpenLease lease{.wanted = &run_.wanted[place], .slot = &slot, .place = place};
                run_.touch(place);
                leave(lease, why);
            }
        }
    }

 private:
    // Leaves a lease as it is, for `why`. What was taken away before a worker was killed gets its
    // owner and signal back; no file system is asked for that.
    void leave(OpenLease& lease, std::string_view why) {
        Slot& slot = *lease.slot;
        if (!slot.taken) {
            slot.decide(Outcome::skipped, why);
            return;
        }
        if (!lease.file) {
            lease.file =
                numbers_.place(open_remote(lease.wanted->pid, lease.wanted->fd), lease.wanted->fd);
        }
        if (!lease.file) {
            decide_from_outside(*lease.wanted, slot, why);
            return;
        }
        const bool held = lease_now(lease.file.get()).held;
        decide_lost(run_, lease, why);
        if (held) {
            slot.decide(Outcome::skipped,
                        fmt::format("{}: the lease is held, but its deadline may be another", why));
        }
    }

    std::string take(OpenLease& lease) {
        const WantedLease& wanted = *lease.wanted;
        std::string fault = fault_of_state(wanted.state);
        fault = fault.empty() ? fault_of_time(wanted.state, longest_) : fault;
        if (!fault.empty()) {
            return fault;
        }
        if (!numbers_.is_possible(wanted.fd)) {
            shared_.lack(Lack::descriptors);
            return fmt::format("descriptor {} is beyond what a process may have here", wanted.fd);
        }
        if (some_are_silent_ && is_silent(wanted)) {
            return std::string(kSilent);
        }
        Fd fd = open_remote(wanted.pid, wanted.fd);
        if (!fd) {
            return why_not_open(wanted, errno);
        }
        lease.file = numbers_.place(std::move(fd), wanted.fd);
        return lease.file ? find_other_file(lease) : cannot("take a descriptor", errno);
    }

    [[nodiscard]] bool is_silent(const WantedLease& wanted) const {
        const std::uint64_t mount = where_is(wanted).mount;
        return mount != 0 && std::any_of(shared_.silent_mounts.begin(), shared_.silent_mounts.end(),
                                         [&](const auto& silent) { return silent == mount; });
    }

    std::string why_not_open(const WantedLease& wanted, int error) {
        switch (error) {
            case ESRCH:
                return fmt::format("process {} is not there", wanted.pid);
            case EBADF:
                return fmt::format("process {} has no descriptor {}", wanted.pid, wanted.fd);
            case EPERM:
                shared_.lack(Lack::ptrace);
                break;
            case EMFILE:
                shared_.lack(Lack::descriptors);
                break;
            default:
                break;
        }
        return cannot(fmt::format("get descriptor {} of process {}", wanted.fd, wanted.pid), error);
    }

    // A pid may be somebody else's by now, and a descriptor may have been closed and opened.
    static std::string find_other_file(const OpenLease& lease) {
        constexpr std::string_view kDeleted = " (deleted)";
        const std::string& wanted = lease.wanted->path;
        if (wanted.empty()) {
            return {};
        }
        std::error_code error;
        const std::string link = fmt::format("/proc/self/fd/{}", lease.file.get());
        const std::string found = std::filesystem::read_symlink(link, error).native();
        // CRIU gives files without a name another one before it takes it away.
        const bool nameless = wanted.ends_with(kDeleted) && found.ends_with(kDeleted);
        if (error || wanted == found || nameless) {
            return {};
        }
        return fmt::format("descriptor {} of process {} is another file: {}", lease.wanted->fd,
                           lease.wanted->pid, escape(found));
    }

    // Of an open file that is there: what F_SETLEASE and the breaker's open() would say. The file
    // system is not asked where what it has said before will do.
    std::string look_at(OpenLease& lease) {
        const int flags = fcntl(lease.file.get(), F_GETFL);
        struct statx status {};
        if (flags < 0 || statx(lease.file.get(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
                               STATX_TYPE | STATX_UID | STATX_INO, &status) < 0) {
            return cannot("look at the file", errno);
        }
        if (!S_ISREG(status.stx_mode) || (flags & O_PATH) != 0) {
            return "leases are for regular files that are open, and this descriptor is none";
        }
        lease.writable = (flags & O_ACCMODE) != O_RDONLY;
        if (status.stx_uid != geteuid() && !may_lease_) {
            shared_.lack(Lack::lease);
            return "the file belongs to somebody else, and CAP_LEASE is missing";
        }
        std::string fault = look_at_owner(lease);
        if (fault.empty()) {
            fault = found_.kernel_restores ? look_at_permission(lease) : look_at_break(lease);
        }
        if (!fault.empty()) {
            return fault;
        }
        lease.inode = {makedev(status.stx_dev_major, status.stx_dev_minor), status.stx_ino};
        return find_same(lease);
    }

    void look_at_leases(Group& group, const SystemLeases& all) {
        LeaseNow first;  // that is held
        bool are_counted = false;
        for (OpenLease& lease : group.leases) {
            lease.is_counted = are_counted;
            if (are_counted) {
                lease.found = first;
                continue;
            }
            run_.touch(lease.place);
            lease.found = lease_now(lease.file.get());
            if (lease.found.is_delegation) {
                // F_SETLEASE would take it away: an open file has one or the other.
                leave(lease, "a delegation (F_SETDELEG) is held through this descriptor");
                continue;
            }
            if (!first.held && lease.found.held) {
                first = lease.found;
                group.inode = first.inode;
                are_counted = are_known_by_number(group, all.of(first.inode));
            }
        }
    }

    // As many leases are on the file as ours, and they are alike: so they are ours, unless one of
    // ours has gone and somebody else has one. Whatever is taken away tells that, in time
    // (FileSetter::take()); so this will do for nothing else.
    [[nodiscard]] bool are_known_by_number(const Group& group, const FileLeases& shown) const {
        return !found_.kernel_restores && group.leases.size() >= kManyOnOneFile &&
               shown.count == group.leases.size() && shown.are_alike &&
               std::all_of(group.leases.begin(), group.leases.end(), [](const OpenLease& lease) {
                   return lease.wanted->state.breaking && !lease.slot->saved && lease.has_owner;
               });
    }

    std::string look_at_owner(OpenLease& lease) {
        LeaseOwner now;
        const int error = get_owner(lease.file.get(), now);
        if (error != 0) {
            return cannot("ask for the lease's owner", error);
        }
        // Whoever takes a lease has an owner then, and loses it with the lease.
        lease.has_owner = now.id != 0;
        now = lease.slot->saved ? lease.slot->owner : now;
        std::string fault = fault_of_owner(*lease.wanted, now);
        if (fault.empty() && !may_set_uids_ && !is_set_by_us(lease.wanted->owner.value_or(now))) {
            shared_.lack(Lack::uids);
            fault = "the lease's owner was set by another user, and CAP_SETUID is missing";
        }
        return fault;
    }

    // The lease is taken away before it is set: so the kernel is asked first. A capability that
    // counts in this user namespace only is not enough for more than lease-break-time.
    std::string look_at_permission(const OpenLease& lease) {
        constexpr unsigned kCheckpointRestore = 40;
        const LeaseState& state = lease.wanted->state;
        const bool may_restore = may(kCheckpointRestore) || may(CAP_SYS_ADMIN);
        if (may_restore && !state.breaking) {
            return {};
        }
        const int error = may_restore ? try_lease_state(state) : EPERM;
        if (error != EPERM && error != EINVAL) {
            return {};
        }
        if (error == EPERM) {
            shared_.lack(Lack::restore);
        }
        return may_restore ? cannot(fmt::format("restore a break that lasts {} longer here",
                                                to_string(state.remaining)),
                                    error)
                           : "CAP_CHECKPOINT_RESTORE is missing";
    }

    // What is in the way of a break; it is begun for a downgraded lease on a writable file, too.
    std::string look_at_break(OpenLease& lease) {
        const LeaseState& state = lease.wanted->state;
        if (!state.breaking && !(lease.writable && state.type == LockType::rdlck)) {
            return {};
        }
        if (!found_.break_time_file) {
            shared_.lack(Lack::break_time);
            return fmt::format("a deadline needs write access to {}", kBreakTimePath);
        }
        int error = may_break(lease.as_breaker(), state.type);
        if (error == EROFS) {
            lease.writable_mount = numbers_.out_of_the_way(mount_writable(lease.file.get()));
            error = may_break(lease.as_breaker(), state.type);
        }
        return error == 0 ? "" : cannot("open the file as the breaker did", error);
    }

    // kcmp(2) puts the open files of this process into an order.
    struct OpenFile {
        int fd;
        std::size_t place;  // of the slot
    };
    struct FileOrder {
        int* error;
        bool operator()(const OpenFile& a, const OpenFile& b) const {
            const pid_t self = getpid();
            const long order = syscall(SYS_kcmp, self, self, KCMP_FILE, a.fd, b.fd);
            *error = order < 0 ? errno : *error;
            return order == 1;
        }
    };

    std::string find_same(OpenLease& lease) {
        auto& known = files_.try_emplace(lease.inode, FileOrder{&kcmp_error_}).first->second;
        const auto [at, is_new] = known.insert({lease.file.get(), lease.place});
        if (kcmp_error_ != 0) {
            return cannot("tell the open files of one inode apart", kcmp_error_);
        }
        if (is_new) {
            return {};
        }
        const WantedLease& other = run_.wanted[at->place];
        lease.file.reset();
        if (lease.wanted->state != other.state || lease.wanted->owner != other.owner) {
            return fmt::format(
                "this is the lease of descriptor {} of process {}, of which something else is "
                "wanted",
                other.fd, other.pid);
        }
        lease.slot->same_as = at->place;
        return {};
    }

    Group& group_of(const OpenLease& lease) {
        const auto [at, is_new] = groups_.try_emplace(lease.inode, found_.groups.size());
        if (is_new) {
            found_.groups.push_back({.leases = {}, .inode = lease.inode});
        }
        return found_.groups[at->second];
    }

    const Run& run_;
    SharedRun& shared_;
    std::span<const std::size_t> places_;
    Numbers& numbers_;
    LeaseCounter counter_;
    Preparation found_;
    Nanoseconds longest_{0};
    bool some_are_silent_ = false;
    bool may_lease_ = may(CAP_LEASE);
    bool may_set_uids_ = may(CAP_SETUID);
    int kcmp_error_ = 0;
    std::map<Inode, std::set<OpenFile, FileOrder>> files_;
    std::map<Inode, std::size_t> groups_;
};

}  // namespace

Preparation prepare(const Run& run, std::span<const std::size_t> places, Numbers& numbers) {
    return Preparing(run, places, numbers).prepare();
}

void mend(const Run& run, std::span<const std::size_t> places, Numbers& numbers,
          std::string_view why) {
    Preparing(run, places, numbers).mend(why);
}

}  // namespace ckpt_lease::live
