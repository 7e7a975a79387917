// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "live/apply.hpp"
#include "live/fd.hpp"
#include "live/lease_calls.hpp"
#include "live/set/break_time.hpp"
#include "live/set/owner_setter.hpp"
#include "live/set/step.hpp"
#include "live/steady_time.hpp"
#include "live/stop_hold.hpp"

namespace ckpt_lease::live {

/// For tests: what apply() is made of.
struct ApplyHooks {
    StepHook step = {};                        ///< called in the process that sets leases
    std::optional<bool> kernel_restores = {};  ///< as if kernel_restores_leases() said so
    bool whole_seconds = false;                ///< as if lease-break-time could do nothing finer
    std::string lock_path = {};                ///< instead of /run/ckpt-lease.lock
    std::function<pid_t()> fork = {};          ///< instead of fork(2)

    [[nodiscard]] pid_t start_process() const { return fork ? fork() : ::fork(); }
};
[[nodiscard]] std::vector<AppliedLease> apply_with(std::span<const WantedLease> leases,
                                                   const ApplyOptions& options,
                                                   const ApplyHooks& hooks);

/// How far one wanted lease has come, in memory that all processes of a run share: whoever is left
/// when one is killed knows what there is to be put right.
struct Slot {
    std::atomic<bool> decided{false};  ///< the next two say what became of it
    AppliedLease::Outcome outcome = AppliedLease::Outcome::skipped;
    std::array<char, 240> reason{};
    std::size_t same_as = 0;  ///< the slot of the lease that this one is, too

    std::atomic<bool> saved{false};  ///< the next is what was found
    LeaseOwner owner;
    std::atomic<bool> taken{false};     ///< owner and signal may be gone
    std::atomic<bool> set_anew{false};  ///< a break of this lease is our own
    std::atomic<bool> signalled{false};
    std::atomic<bool> broken{false};  ///< its break has begun, with the deadline that is wanted
    bool in_use = false;              ///< skipped or lost because somebody has the file open

    void decide(AppliedLease::Outcome what, std::string_view why = {});
};

/// What a run was not allowed, or had not: each is told once, whatever number of leases it is
/// about.
enum class Lack : std::uint8_t {
    break_time,   ///< lease-break-time cannot be written
    lease,        ///< CAP_LEASE
    uids,         ///< CAP_SETUID
    ptrace,       ///< CAP_SYS_PTRACE
    descriptors,  ///< RLIMIT_NOFILE, and CAP_SYS_RESOURCE to raise it
    trace,        ///< tracefs, in an inner pid namespace
    restore,      ///< CAP_CHECKPOINT_RESTORE
    hold,         ///< time: the processes were stopped no longer
    hold_late,    ///< the same while a lease was being set
    count_,
};

/// A process that has the lock of runs.
struct LockHolder {
    std::atomic<bool> known{false};  ///< the rest is filled in
    int pid = 0;                     ///< 0: one that cannot be seen from here
    std::array<char, 32> comm{};
};

/// Who has kept a run waiting.
struct LockWaits {
    Nanoseconds waited{0};   ///< in all, by whichever of the run's workers
    LockHolder waited_for;   ///< for a second
    LockHolder passed_over;  ///< too long, and is not waited for any more
    bool is_stuck = false;   ///< that one did not get on
};

inline constexpr std::size_t kNoSlot = SIZE_MAX;

/// What all processes of a run share.
struct SharedRun {
    BreakTimeRecord break_time;
    std::atomic<SteadyTime> begin{kNever};      ///< of all deadlines, once that is settled
    std::atomic<SteadyTime> beat{kNever};       ///< when the worker last did something
    std::atomic<std::size_t> touched{kNoSlot};  ///< the lease whose file it has turned to
    std::atomic<bool> leaving{false};           ///< the worker has done what it was to do
    std::atomic<int> worker{0};                 ///< its pid
    std::atomic<bool> finished{false};          ///< all is decided, or never will be
    std::array<std::atomic<bool>, static_cast<std::size_t>(Lack::count_)> lacks{};
    LockWaits lock_waits;
    std::array<char, 240> thrown{};  ///< the text of what ended the worker, if it was thrown
    /// Mounts whose file system did not answer, as fdinfo numbers them; 0: none.
    std::array<std::atomic<std::uint64_t>, 8> silent_mounts{};
    std::span<Slot> slots;

    void lack(Lack what) { lacks[static_cast<std::size_t>(what)] = true; }
    /// The worker turns to the file of a lease.
    void touch(std::size_t slot) {
        touched = slot;
        beat = steady_now();
    }
    void rest() { touch(kNoSlot); }
};

/// One open file that a lease is wanted for.
struct OpenLease {
    const WantedLease* wanted = nullptr;
    Slot* slot = nullptr;
    std::size_t place = 0;  ///< of the slot
    Fd file;
    Fd writable_mount;      ///< where the breaker came by another mount
    bool writable = false;  ///< open for writing: F_RDLCK cannot be set
    Inode inode;            ///< as fstat(2) names it, which may not be proc(5)'s name
    bool has_owner = false;
    LeaseNow found;           ///< before anything was changed
    bool is_counted = false;  ///< that is known by the number of leases on the file only

    /// For begin_break().
    [[nodiscard]] int as_breaker() const {
        return writable_mount ? writable_mount.get() : file.get();
    }
};

/// The open files of one inode: a break is one for all of them.
struct Group {
    std::vector<OpenLease> leases;
    Inode inode;  ///< as proc(5) names it, if that is known
};

/// So many leases on one file are told by their number, where that will do: the kernel goes over
/// all of them to tell of one.
inline constexpr std::size_t kManyOnOneFile = 8;

/// What a worker has found out before it begins to change anything.
struct Preparation {
    std::vector<Group> groups;
    bool kernel_restores = false;
    Fd break_time_file;  ///< open for reading and writing; none: it may not be written
};

class RunLock;

/// What the functions of a worker work with.
struct Run {
    std::span<const WantedLease> wanted;
    SharedRun& shared;
    const ApplyHooks& hooks;
    OwnerSetter& owners;
    RunLock& lock;
    StopHold* hold = nullptr;  ///< none: nobody lets the processes go

    /// The worker is about to change leases of one file. False if it may not, as their processes
    /// were let go: nothing is changed from then on.
    [[nodiscard]] bool begin_setting() const;
    void end_setting() const;
    /// The worker turns to the file of a lease.
    void touch(std::size_t slot) const;
    void rest() const { touch(kNoSlot); }
    /// The moment that all deadlines count from: now, if nobody has settled it before.
    [[nodiscard]] SteadyTime begin() const {
        SteadyTime begin = kNever;
        shared.begin.compare_exchange_strong(begin, steady_now());
        return shared.begin;
    }
    void step(Step what) const {
        if (hooks.step) {
            hooks.step(what);
        }
    }
};

class Numbers;

/// Gets hold of the descriptors of the leases at `places`, as far as they are not decided, and
/// looks at all that can be looked at; leases that cannot be set are decided. `numbers` finds
/// places for the descriptors.
[[nodiscard]] Preparation prepare(const Run& run, std::span<const std::size_t> places,
                                  Numbers& numbers);

/// Leaves them as they are, for `why`: owners and signals that may be gone are put back.
void mend(const Run& run, std::span<const std::size_t> places, Numbers& numbers,
          std::string_view why);

/// Sets the leases of all groups, as far as they are not decided. May be called again, in another
/// process, after the one that did it was killed.
void set_with_patch(const Run& run, const Preparation& preparation);
void set_without_patch(const Run& run, const Preparation& preparation);
/// True if lease-break-time has to be changed for it.
[[nodiscard]] bool needs_break_time(const Preparation& preparation);

/// Why a lease is left as it is when a worker hangs.
inline constexpr std::string_view kSilent =
    "its file system does not answer, as a FUSE file system may whose program hangs";
/// Why a lease is left as it is when the processes were let go before its turn came.
inline constexpr std::string_view kNotStopped =
    "the time for which its process is kept stopped was over before it could be set";
/// Why the kernel refuses to set a lease.
inline constexpr std::string_view kFileInUse =
    "another process has the file open, or waits in open() for it";

/// The same if what was to set it does not come to its end: "was killed by SIGKILL".
[[nodiscard]] std::string setter_that(std::string_view what);
[[nodiscard]] std::string setter_that_threw(std::string_view text);
/// The same if there is none.
[[nodiscard]] std::string no_setter(int error);

/// "cannot WHAT: what `error` means".
[[nodiscard]] std::string cannot(std::string_view what, int error);
/// True if this process has the capability, a CAP_ of <linux/capability.h>.
[[nodiscard]] bool may(unsigned capability);

/// What all ways of setting a lease begin and end with.
void save(const OpenLease& lease);
/// True if the lease is there already and needs nothing but its owner.
[[nodiscard]] bool is_there_already(const OpenLease& lease, const LeaseNow& now);
/// The owner that the lease is to have.
[[nodiscard]] const LeaseOwner& owner_of(const OpenLease& lease);
void decide_set(const Run& run, const OpenLease& lease);
void decide_lost(const Run& run, const OpenLease& lease, std::string_view why);
/// `error`: the kernel's, EAGAIN if somebody has the file open.
void decide_refused(const OpenLease& lease, std::string_view what, int error);
/// Decides about a lease whose file cannot be touched: by what /proc shows of its holder.
void decide_from_outside(const WantedLease& wanted, Slot& slot, std::string_view why);

/// What proc(5) says of the mount of a descriptor, and of its inode's number: 0 if nothing. The
/// file itself is not looked at.
struct MountAndInode {
    std::uint64_t mount = 0;
    std::uint64_t inode = 0;
};
[[nodiscard]] MountAndInode where_is(const WantedLease& wanted);

}  // namespace ckpt_lease::live
