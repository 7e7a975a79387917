// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/lease_state.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>
#include <optional>

#include "live/fd.hpp"
#include "live/lease_calls.hpp"

namespace ckpt_lease::live {
namespace {

// Not from <linux/fcntl.h>: that does not go together with <fcntl.h>, and no distribution's has it.
constexpr int kGetLeaseState = 1024 + 17;
constexpr int kSetLeaseState = 1024 + 18;

// LockType has the numbers of F_RDLCK, F_WRLCK and F_UNLCK.
static_assert(static_cast<int>(LockType::rdlck) == F_RDLCK);
static_assert(static_cast<int>(LockType::wrlck) == F_WRLCK);
static_assert(static_cast<int>(LockType::unlck) == F_UNLCK);

std::uint16_t number_of(LockType type) {
    return static_cast<std::uint16_t>(type);
}

LockType type_of(std::uint16_t number) {
    return static_cast<LockType>(number);
}

Fd memory_file() {
    return Fd(memfd_create("ckpt-lease", MFD_CLOEXEC));
}

int error_of(int result) {
    return result < 0 ? errno : 0;
}

bool has_both_commands(int file) {
    KernelLeaseState told{.remaining_ns = 1, .begin_ns = 1, .type = 3, .target = 3, .fd = 3};
    KernelLeaseState wrong{.flags = 1};
    // It may not be allowed, but it is not wrong. If it is set, it goes with the file.
    KernelLeaseState idle{.type = number_of(LockType::rdlck), .target = number_of(LockType::rdlck)};
    return is_no_lease(fcntl(file, kGetLeaseState, &told), told) &&
           error_of(fcntl(file, kGetLeaseState, &wrong)) == EINVAL &&
           error_of(fcntl(file, kSetLeaseState, &idle)) != EINVAL;
}

}  // namespace

// Another kernel may have other commands under these numbers: the answer must be that for a file
// without a lease, and what is not allowed must be refused.
bool is_no_lease(int result, const KernelLeaseState& told) {
    const KernelLeaseState none{.type = number_of(LockType::unlck),
                                .target = number_of(LockType::unlck)};
    return result == 0 && told == none;
}

bool kernel_restores_leases() {
    static std::optional<bool> found;
    static std::mutex one_by_one;
    const std::lock_guard lock(one_by_one);
    if (!found) {
        // If no file can be opened, nothing is known, and it is asked again.
        if (const Fd file = memory_file()) {
            found = has_both_commands(file.get());
        }
    }
    return found.value_or(false);
}

int get_lease_state(int fd, LeaseState& state) {
    KernelLeaseState told;
    if (fcntl(fd, kGetLeaseState, &told) < 0) {
        return errno;
    }
    if (told.type == number_of(LockType::unlck)) {
        return ENODATA;
    }
    state = from_kernel(told);
    return 0;
}

int set_lease_state(int fd, int number, const LeaseState& state,
                    std::chrono::steady_clock::time_point begin) {
    KernelLeaseState wanted = to_kernel(state, number, begin);
    return with_patience([&] { return error_of(fcntl(fd, kSetLeaseState, &wanted)); });
}

int try_lease_state(const LeaseState& state) {
    const Fd file = memory_file();  // its lease goes with it
    if (!file) {
        return errno;
    }
    // EAGAIN is an answer, too: a write lease cannot be set on such a file.
    KernelLeaseState wanted = to_kernel(state, file.get(), std::chrono::steady_clock::now());
    return error_of(fcntl(file.get(), kSetLeaseState, &wanted));
}

LeaseState from_kernel(const KernelLeaseState& told) {
    LeaseState state;
    state.type = type_of(told.target);
    state.breaking = told.target != told.type;
    if (state.breaking) {
        state.previous_type = type_of(told.type);
        state.notified = (told.flags & KernelLeaseState::kNotified) != 0;
        state.armed = (told.flags & KernelLeaseState::kArmed) != 0;
        state.remaining = told.remaining_ns == KernelLeaseState::kNoDeadline
                              ? Remaining::no_deadline()
                              : Remaining(Nanoseconds(told.remaining_ns));
    }
    return state;
}

KernelLeaseState to_kernel(const LeaseState& state, int number,
                           std::chrono::steady_clock::time_point begin) {
    KernelLeaseState wanted;
    wanted.type = number_of(state.unbroken_type().value());
    wanted.target = number_of(state.type);
    wanted.fd = number;
    if (state.breaking) {
        const std::chrono::nanoseconds since_boot = begin.time_since_epoch();
        wanted.begin_ns = static_cast<std::uint64_t>(since_boot.count());
        wanted.flags = state.notified ? KernelLeaseState::kNotified : 0;
        wanted.remaining_ns = state.remaining.has_deadline()
                                  ? static_cast<std::uint64_t>(state.remaining.time().count())
                                  : KernelLeaseState::kNoDeadline;
    }
    return wanted;
}

}  // namespace ckpt_lease::live
