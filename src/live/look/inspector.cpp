// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/look/inspector.hpp"

#include <fcntl.h>

#include <algorithm>

#include "live/lease_state.hpp"

namespace ckpt_lease::live {
namespace {

// What fdinfo shows of this state.
bool is_shown_as(const LeaseState& state, const FdinfoLease& shown) {
    return state.breaking == shown.breaking && state.type == shown.type;
}

Problem warning(std::string file, std::string message, std::string hint) {
    return {.severity = Problem::Severity::warning,
            .file = std::move(file),
            .message = std::move(message),
            .hint = std::move(hint)};
}

}  // namespace

// What else the type before the break was cannot be seen from here.
LeaseState state_as_shown(const FdinfoLease& shown, std::optional<int> flags) {
    LeaseState state;
    state.breaking = shown.breaking;
    state.type = shown.type;
    if (!shown.breaking) {
        return state;
    }
    const bool writes = flags && (*flags & O_ACCMODE) != O_RDONLY;
    state.previous_type = writes ? LockType::wrlck : type_before_break(shown.type);
    state.notified = true;  // a break begins with the signal
    state.remaining = Remaining::not_known();
    return state;
}

bool is_over_since(const LeaseState& state, const std::optional<SteadyTime>& frozen) {
    return frozen && state.breaking && state.remaining == Remaining(Nanoseconds(0));
}

Inspector::Inspector(std::optional<SteadyTime> frozen, std::size_t most)
    : frozen_(frozen), most_(most), asks_kernel_(kernel_restores_leases()) {}

void Inspector::get_ready(const FdinfoLease& shown) {
    if (shown.breaking && !asks_kernel_) {
        open_trace();
    }
}

LeaseState Inspector::inspect(int fd, const std::string& name, const FdinfoLease& shown) {
    const auto told = ask_kernel(fd);
    if (told && !is_over_since(*told, frozen_)) {
        return *told;
    }
    const auto obstacle = obstacle_;
    const auto state = shown.breaking ? ask_trace(fd, name, shown) : std::nullopt;
    if (state) {
        return *state;
    }
    if (told) {
        obstacle_ = obstacle;
        return *told;
    }
    const int flags = fcntl(fd, F_GETFL);
    return state_as_shown(shown, flags < 0 ? std::nullopt : std::optional(flags));
}

// The kernel counts from when it is asked. On a busy machine another process may have its turn
// between that and the look at the clock: then it is asked again.
std::optional<LeaseState> Inspector::ask_kernel(int fd) {
    constexpr Nanoseconds kQuick = std::chrono::milliseconds(1);
    constexpr int kTries = 10;
    LeaseState state;
    for (int i = 0; asks_kernel_ && i < kTries; ++i) {
        const SteadyTime before = steady_now();
        if (get_lease_state(fd, state) != 0) {
            return std::nullopt;
        }
        const SteadyTime after = steady_now();
        if (!frozen_ || !state.breaking || !state.remaining.has_deadline()) {
            return state;
        }
        if (is_over_since(state, frozen_)) {
            return state;
        }
        if (after - before < kQuick || i == kTries - 1) {
            state.remaining = Remaining(state.remaining.time() + (before - *frozen_));
            return state;
        }
    }
    return std::nullopt;
}

// A look shows all leases of the inode, and not which of them is held through `fd`. Several are
// read leases, and their breaks began at the same time, mostly.
std::optional<LeaseState> Inspector::ask_trace(int fd, const std::string& name,
                                               const FdinfoLease& shown) {
    open_trace();
    if (trace_ == nullptr) {
        return std::nullopt;
    }
    const States& states = trace_of(fd, shown.inode);
    if (!states) {
        obstacle_ = warning(name, "there are more leases on this file than were looked for",
                            "look at all processes that have leases on it at once");
        return std::nullopt;
    }
    std::optional<LeaseState> found;
    for (const LeaseState& state : *states) {
        if (!is_shown_as(state, shown)) {
            continue;
        }
        if (found) {
            obstacle_ = warning(
                name, "several leases on this file are being broken, and have different times left",
                "a kernel with the ckpt-lease patch tells them apart");
            return std::nullopt;
        }
        found = state;
    }
    if (!found && !obstacle_) {
        obstacle_ = warning(name, "the kernel's trace does not tell what is left of its lease",
                            "the break may just have ended: look again");
    }
    return found;
}

// A look shows all leases of a file, and ends those whose time is over: there is no second one. Of
// many on one file most are alike.
const Inspector::States& Inspector::trace_of(int fd, const Inode& inode) {
    const auto [at, is_new] = traced_.try_emplace(inode);
    if (is_new) {
        const auto leases = trace_->read(fd, inode, frozen_.value_or(steady_now()));
        if (leases) {
            std::vector<LeaseState>& states = at->second.emplace();
            for (const TracedLease& lease : *leases) {
                if (std::find(states.begin(), states.end(), lease.state) == states.end()) {
                    states.push_back(lease.state);
                }
            }
        }
    }
    return at->second;
}

void Inspector::open_trace() {
    if (trace_ != nullptr || obstacle_) {
        return;
    }
    try {
        trace_ = std::make_unique<LeaseTrace>(most_);
    } catch (const Error& error) {
        obstacle_ = error.problem();
        obstacle_->severity = Problem::Severity::warning;
    }
}

}  // namespace ckpt_lease::live
