// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/look/inspector.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <array>
#include <bit>
#include <cerrno>
#include <span>

#include "ckpt-lease/linux_cr/lock_record.hpp"
#include "live/kernel_patch.hpp"

namespace ckpt_lease::live {
namespace {

constexpr ByteOrder kNative =
    std::endian::native == std::endian::little ? ByteOrder::little : ByteOrder::big;

// A break that nobody can look into. Only write leases become read leases, and a read lease cannot
// be taken on a file that is open for writing; else the type it had is not known either.
LeaseState guessed_by_nothing(const io::File& file, const FdinfoLease& shown) {
    LeaseState state;
    state.breaking = shown.breaking;
    state.type = shown.type;
    if (!shown.breaking) {
        return state;
    }
    const int flags = fcntl(file.fd(), F_GETFL);
    const bool writes = flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
    state.previous_type = writes || shown.type == LockType::rdlck ? LockType::wrlck : kUnknownType;
    state.notified = true;  // a break begins with the signal
    state.remaining = Remaining::not_known();
    return state;
}

// What fdinfo shows of this state.
bool is_shown_as(const LeaseState& state, const FdinfoLease& shown) {
    return state.breaking == shown.breaking && state.type == shown.type;
}

}  // namespace

LeaseState Inspector::inspect(const io::File& file, const FdinfoLease& shown) {
    if (const auto state = ask_kernel(file)) {
        return *state;
    }
    if (!shown.breaking) {
        return guessed_by_nothing(file, shown);
    }
    const auto state = ask_trace(file, shown);
    return state ? *state : guessed_by_nothing(file, shown);
}

// The kernel writes FILE_LOCKS and, of a struct file without POSIX locks of ours, one FILE_LOCK.
std::optional<LeaseState> Inspector::ask_kernel(const io::File& file) {
    if (!asks_kernel_) {
        return std::nullopt;
    }
    const int image = memfd_create("ckpt-lease", MFD_CLOEXEC);
    if (image < 0) {
        return std::nullopt;
    }
    io::File records = io::File::adopt(io::posix_system(), "memory", image);
    FileLocksCkpt request;
    request.image_fd = image;
    if (fcntl(file.fd(), kCheckpointLocks, &request) < 0) {
        asks_kernel_ = errno != EINVAL;
        return std::nullopt;
    }
    const linux_cr::Layout& layout = linux_cr::find_layout(kKernelLayout)->layout;
    const auto& list = std::get<linux_cr::CountedList>(layout.list_end);
    std::array<std::byte, 256> bytes{};
    const std::size_t got = records.read_at(bytes, 0);
    if (got < list.length + layout.length) {
        return std::nullopt;
    }
    const linux_cr::LockCodec codec(layout, kNative);
    Lock lock;
    codec.interpret(codec.decode(std::span(bytes).subspan(list.length, layout.length)), lock);
    LeaseState& state = lock.lease;
    if (lock.kind != LockKind::lease) {
        return std::nullopt;
    }
    if (ago_.count() > 0 && state.breaking && state.remaining.has_deadline()) {
        if (state.remaining.time().count() == 0) {
            return std::nullopt;  // it was over meanwhile: the trace may still tell when
        }
        state.remaining = Remaining(state.remaining.time() + ago_);
    }
    return state;
}

// A look shows all leases of the inode, and not which of them is held through `file`. Several are
// read leases, and their breaks began at the same time, mostly.
std::optional<LeaseState> Inspector::ask_trace(const io::File& file, const FdinfoLease& shown) {
    open_trace();
    if (trace_ == nullptr) {
        return std::nullopt;
    }
    std::optional<LeaseState> found;
    for (const TracedLease& lease : trace_of(file)) {
        if (!is_shown_as(lease.state, shown)) {
            continue;
        }
        if (found && *found != lease.state) {
            obstacle_ = Problem{.severity = Problem::Severity::warning,
                                .file = file.name(),
                                .message =
                                    "several leases on this file are being broken, and have "
                                    "different times left",
                                .hint = "a kernel with the ckpt-lease patch tells them apart"};
            return std::nullopt;
        }
        found = lease.state;
    }
    if (!found && !obstacle_) {
        obstacle_ = Problem{.severity = Problem::Severity::warning,
                            .file = file.name(),
                            .message = "the kernel's trace does not tell what is left of its lease",
                            .hint = "the break may just have ended: look again"};
    }
    return found;
}

// A look shows all leases of a file, and ends those whose time is over: there is no second one.
const std::vector<TracedLease>& Inspector::trace_of(const io::File& file) {
    const struct stat status = file.status();
    const auto [at, is_new] = traced_.try_emplace(Inode{status.st_dev, status.st_ino});
    if (is_new) {
        at->second = trace_->read(file.fd(), ago_);
    }
    return at->second;
}

void Inspector::open_trace() {
    if (trace_ != nullptr || obstacle_) {
        return;
    }
    try {
        trace_ = std::make_unique<LeaseTrace>();
    } catch (const Error& error) {
        obstacle_ = error.problem();
        obstacle_->severity = Problem::Severity::warning;
    }
}

}  // namespace ckpt_lease::live
