// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <linux/capability.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>

#include "live/apply.hpp"
#include "live/proc_text.hpp"
#include "live/set/owner_setter.hpp"

namespace ckpt_lease::live {
namespace {

// Which uids a process can set an owner with.
struct Holder {
    std::array<std::uint32_t, 3> uids{};  // real, effective and saved
    bool may_set_any = false;             // CAP_SETUID: any of its user namespace
};

Holder read_holder(pid_t pid) {
    Holder holder;
    holder.uids.fill(UINT32_MAX);
    const std::string text = read_if_there(fmt::format("/proc/{}/status", pid));
    for_each_line(text, [&](std::string_view line) {
        const std::string_view name = take_word(line);
        if (name == "Uid:") {
            for (std::uint32_t& uid : holder.uids) {
                uid = parse_number<std::uint32_t>(take_word(line)).value_or(UINT32_MAX);
            }
        } else if (name == "CapPrm:") {
            const auto set = parse_number<std::uint64_t>(take_word(line), 16).value_or(0);
            holder.may_set_any = (set >> CAP_SETUID & 1U) != 0;
        }
    });
    return holder;
}

// "inside outside count", the second as this process sees them.
bool is_mapped(pid_t pid, std::uint32_t uid) {
    bool found = false;
    const std::string text = read_if_there(fmt::format("/proc/{}/uid_map", pid));
    for_each_line(text, [&](std::string_view line) {
        take_word(line);
        const auto first = parse_number<std::uint64_t>(take_word(line));
        const auto count = parse_number<std::uint64_t>(take_word(line));
        found = found || (first && count && uid >= *first && uid - *first < *count);
    });
    return found;
}

bool may_have_set(pid_t pid, std::uint32_t uid, std::uint32_t euid) {
    const Holder holder = read_holder(pid);
    const std::uint32_t real = holder.uids.front();
    const bool is_other = std::any_of(holder.uids.begin(), holder.uids.end(),
                                      [&](std::uint32_t one) { return one != real; });
    const auto may_be = [&](std::uint32_t wanted) {
        // What a set-user-ID program runs as is not who started it, and kept the descriptor open.
        if (is_other && real != 0) {
            return wanted == real;
        }
        return std::find(holder.uids.begin(), holder.uids.end(), wanted) != holder.uids.end() ||
               (holder.may_set_any && is_mapped(pid, wanted));
    };
    return may_be(uid) && may_be(euid);
}

std::string fault_of_id(const LeaseOwner& owner) {
    if (owner.id == 0) {
        return {};
    }
    const bool group = owner.kind == LeaseOwner::Kind::group;
    if (owner.id > 0 && (kill(group ? -owner.id : owner.id, 0) == 0 || errno == EPERM)) {
        return {};
    }
    return fmt::format("the owner, {} {}, is not there", group ? "process group" : "process",
                       owner.id);
}

}  // namespace

std::string fault_of_owner(const WantedLease& wanted, const LeaseOwner& now) {
    if (!wanted.owner) {
        return {};
    }
    const LeaseOwner& owner = *wanted.owner;
    constexpr std::uint32_t kNoUser = UINT32_MAX;  // to setresuid(2): leave it as it is
    if (owner.signal < 0 || owner.signal > SIGRTMAX || owner.uid == kNoUser ||
        owner.euid == kNoUser || owner.kind > LeaseOwner::Kind::group) {
        return fmt::format("an owner with signal {} and the uids {} and {} cannot be set",
                           owner.signal, owner.uid, owner.euid);
    }
    // The kernel asks these uids, and nobody else, whether the owner may be signalled. What is
    // there may stay, whoever has set it; but not with another owner or signal.
    const bool is_harmless = owner.id == 0 || owner == now;
    if (!is_harmless && !may_have_set(wanted.pid, owner.uid, owner.euid)) {
        return fmt::format(
            "its owner is to have been set by the uids {} and {}, which process {} "
            "has not",
            owner.uid, owner.euid, wanted.pid);
    }
    return fault_of_id(owner);
}

}  // namespace ckpt_lease::live
