// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/set/run.hpp"

#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "live/proc_text.hpp"
#include "live/processes.hpp"
#include "live/set/run_lock.hpp"

namespace ckpt_lease::live {
namespace {

std::string fdinfo_of(const WantedLease& wanted) {
    return read_if_there(fmt::format("/proc/{}/fdinfo/{}", wanted.pid, wanted.fd));
}

}  // namespace

void Run::touch(std::size_t slot) const {
    shared.touch(slot);
    lock.show_progress();
}

bool Run::begin_setting() const {
    if (hold == nullptr || hold->take()) {
        return true;
    }
    shared.lack(Lack::hold);
    return false;
}

void Run::end_setting() const {
    if (hold != nullptr && !hold->give_back()) {
        shared.lack(Lack::hold_late);
    }
}

void Slot::decide(AppliedLease::Outcome what, std::string_view why) {
    outcome = what;
    const std::string_view fits = why.substr(0, reason.size() - 1);
    reason.fill('\0');
    std::copy(fits.begin(), fits.end(), reason.begin());
    decided = true;
}

std::string setter_that(std::string_view what) {
    return fmt::format("the process that was to set it {}", what);
}

std::string setter_that_threw(std::string_view text) {
    return setter_that(fmt::format("failed: {}", text));
}

std::string no_setter(int error) {
    return cannot("start a process to set it", error);
}

std::string cannot(std::string_view what, int error) {
    return fmt::format("cannot {}: {}", what, std::generic_category().message(error));
}

bool may(unsigned capability) {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    __user_cap_data_struct sets[2] = {};
    return syscall(SYS_capget, &header, sets) == 0 &&
           (sets[capability / 32].effective >> capability % 32 & 1U) != 0;
}

void save(const OpenLease& lease) {
    Slot& slot = *lease.slot;
    if (slot.saved) {
        return;
    }
    const int error = get_owner(lease.file.get(), slot.owner);
    if (error != 0) {
        slot.decide(AppliedLease::Outcome::skipped, cannot("ask for the lease's owner", error));
        return;
    }
    slot.saved = true;
}

bool is_there_already(const OpenLease& lease, const LeaseNow& now) {
    const LeaseState& state = lease.wanted->state;
    return !state.breaking && now.held && !now.breaking && now.type == state.type;
}

const LeaseOwner& owner_of(const OpenLease& lease) {
    return lease.wanted->owner ? *lease.wanted->owner : lease.slot->owner;
}

void decide_set(const Run& run, const OpenLease& lease) {
    const int error = run.owners.put(lease.file.get(), owner_of(lease));
    if (error == 0) {
        lease.slot->decide(AppliedLease::Outcome::set);
    } else {
        lease.slot->decide(AppliedLease::Outcome::skipped,
                           cannot("set the lease's owner: the lease is set, but its holder may not "
                                  "be signalled",
                                  error));
    }
    lease.slot->taken = false;
}

void decide_lost(const Run& run, const OpenLease& lease, std::string_view why) {
    // Owner and signal are the open file's, and count when its holder takes a lease again.
    static_cast<void>(run.owners.put(lease.file.get(), owner_of(lease)));
    lease.slot->decide(AppliedLease::Outcome::lost, why);
    lease.slot->taken = false;
}

void decide_refused(const OpenLease& lease, std::string_view what, int error) {
    lease.slot->in_use = error == EAGAIN;
    lease.slot->decide(AppliedLease::Outcome::skipped,
                       error == EAGAIN ? std::string(kFileInUse) : cannot(what, error));
}

void decide_from_outside(const WantedLease& wanted, Slot& slot, std::string_view why) {
    if (!slot.taken) {
        slot.decide(AppliedLease::Outcome::skipped, why);
        return;
    }
    bool held = false;
    const std::string text = fdinfo_of(wanted);
    for_each_line(text, [&](std::string_view line) { held = held || parse_fdinfo_line(line); });
    if (held) {
        slot.decide(
            AppliedLease::Outcome::skipped,
            fmt::format("{}: the lease is held, but its deadline and owner may be others", why));
    } else {
        slot.decide(AppliedLease::Outcome::lost, why);
    }
    slot.taken = false;
}

MountAndInode where_is(const WantedLease& wanted) {
    MountAndInode found;
    const std::string text = fdinfo_of(wanted);
    for_each_line(text, [&](std::string_view line) {
        const std::string_view name = take_word(line);
        if (name == "mnt_id:") {
            found.mount = parse_number<std::uint64_t>(take_word(line)).value_or(0);
        } else if (name == "ino:") {
            found.inode = parse_number<std::uint64_t>(take_word(line)).value_or(0);
        }
    });
    return found;
}

}  // namespace ckpt_lease::live
