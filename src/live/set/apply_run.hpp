// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ckpt-lease/live/apply.hpp"
#include "live/lease_calls.hpp"
#include "live/set/break_time.hpp"

namespace ckpt_lease::live {

/// For tests: what apply() is made of.
struct ApplyHooks {
    StepHook step = {};                        ///< called in the process that sets leases
    std::optional<bool> kernel_restores = {};  ///< as if kernel_restores_leases() said so
    bool whole_seconds = false;                ///< as if lease-break-time could do nothing finer
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

    void decide(AppliedLease::Outcome what, std::string_view why = {});
};

struct SharedRun {
    BreakTimeRecord break_time;
    std::span<Slot> slots;
};

/// One open file that a lease is wanted for.
struct Unit {
    const WantedLease* wanted = nullptr;
    Slot* slot = nullptr;
    int fd = -1;            ///< ours
    int door = -1;          ///< for begin_break()
    bool writable = false;  ///< open for writing: F_RDLCK cannot be set
};

/// The open files of one inode: a break is one for all of them.
struct Group {
    std::vector<Unit> units;
    Inode inode;  ///< as fstat(2) names it
};

/// What a run has found out before it begins to change anything.
struct Preparation {
    std::vector<Group> groups;
    bool kernel_restores = false;
    int break_time_fd = -1;  ///< open for reading and writing; -1: may not be written
};

/// Gets hold of the descriptors and looks at all that can be looked at; leases that cannot be set
/// are decided. Descriptors get numbers that no wanted lease has.
[[nodiscard]] Preparation prepare(std::span<const WantedLease> leases, SharedRun& shared,
                                  const ApplyHooks& hooks);

/// A number for `fd` that no wanted lease has; closes `fd` if it moves. -1: there is none.
[[nodiscard]] int out_of_the_way(int fd, std::span<const WantedLease> leases);

/// Sets the leases of all groups, as far as they are not decided, with begin as ApplyOptions has it
/// but not 0. May be called again, in another process, after the one that did it was killed.
void set_with_patch(const Preparation& preparation, std::uint64_t begin, const ApplyHooks& hooks);
void set_without_patch(const Preparation& preparation, SharedRun& shared, std::uint64_t begin,
                       const ApplyHooks& hooks);

/// What is wrong with what is wanted, before the process is looked at; empty: nothing.
[[nodiscard]] std::string fault_of(const WantedLease& wanted, bool kernel_restores);
/// True if this process has the capability, a CAP_ of <linux/capability.h>.
[[nodiscard]] bool may(unsigned capability);

/// Why the kernel refuses to set a lease.
inline constexpr std::string_view kFileInUse =
    "another process has the file open, or waits in open() for it";

/// "cannot WHAT: what `error` means".
[[nodiscard]] std::string cannot(std::string_view what, int error);

/// What all ways of setting a lease begin and end with.
void save(const Unit& unit);
/// True if the lease is there already and needs nothing but its owner, which it gets.
[[nodiscard]] bool is_there_already(const Unit& unit);
/// The owner that the lease is to have.
[[nodiscard]] const LeaseOwner& owner_of(const Unit& unit);
void decide_set(const Unit& unit);
void decide_lost(const Unit& unit, std::string_view why);

inline void step(const ApplyHooks& hooks, std::string_view name) {
    if (hooks.step) {
        hooks.step(name);
    }
}

}  // namespace ckpt_lease::live
