// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "live/set/apply_run.hpp"

namespace ckpt_lease::live {
namespace {

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
        return fmt::format("no lease break makes {} of {}", to_string(state.type),
                           to_string(state.previous_type));
    }
    return state.remaining.is_known()
               ? std::string()
               : "the remaining lease is not known: ckpt-lease policy --set says what it is to be";
}

std::string fault_of_time(const LeaseState& state, bool kernel_restores) {
    if (!state.breaking || !state.remaining.has_deadline()) {
        return {};
    }
    const Nanoseconds longest =
        kernel_restores ? kMaxRemaining : BreakClock(ticks_per_second(), false).longest();
    if (state.remaining.time() <= longest) {
        return {};
    }
    return fmt::format("the remaining lease of {} is more than this kernel can set ({} s)",
                       to_string(state.remaining), format_seconds(longest));
}

std::string fault_of_owner(const std::optional<LeaseOwner>& owner) {
    if (!owner) {
        return {};
    }
    constexpr std::uint32_t kNoUser = 0xFFFFFFFF;  // to setresuid(2): leave it as it is
    if (owner->signal < 0 || owner->signal > SIGRTMAX || owner->uid == kNoUser ||
        owner->euid == kNoUser || owner->kind > LeaseOwner::Kind::group) {
        return fmt::format("an owner with signal {} and the uids {} and {} cannot be set",
                           owner->signal, owner->uid, owner->euid);
    }
    if (owner->id == 0) {
        return {};
    }
    const bool group = owner->kind == LeaseOwner::Kind::group;
    if (owner->id > 0 && (kill(group ? -owner->id : owner->id, 0) == 0 || errno == EPERM)) {
        return {};
    }
    return fmt::format("the owner, {} {}, is not there", group ? "process group" : "process",
                       owner->id);
}

}  // namespace

bool may(unsigned capability) {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    __user_cap_data_struct sets[2] = {};
    return syscall(SYS_capget, &header, sets) == 0 &&
           (sets[capability / 32].effective >> capability % 32 & 1U) != 0;
}

std::string fault_of(const WantedLease& wanted, bool kernel_restores) {
    std::string fault = fault_of_state(wanted.state);
    if (fault.empty()) {
        fault = fault_of_time(wanted.state, kernel_restores);
    }
    return fault.empty() ? fault_of_owner(wanted.owner) : fault;
}

std::string cannot(std::string_view what, int error) {
    return fmt::format("cannot {}: {}", what, std::generic_category().message(error));
}

}  // namespace ckpt_lease::live
