// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/kernel_patch.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <span>
#include <variant>

#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/linux_cr/layout.hpp"
#include "linux_cr/lock_record.hpp"
#include "live/fd.hpp"
#include "live/lease_calls.hpp"
#include "live/lease_state.hpp"

namespace ckpt_lease::live {
namespace {

// Not from <linux/fcntl.h>: that does not go together with <fcntl.h>, and no distribution's has it.
constexpr int kCheckpointLocks = 1024 + 64;
constexpr int kRestoreLocks = 1024 + 65;

// The argument of both.
struct FileLocksCkpt {
    std::int32_t image_fd = -1;
    std::uint32_t flags = 0;
    std::uint64_t begin_ns = 0;  // CLOCK_MONOTONIC at the start of the restart; 0: now
};

// The layout of the records that these commands write and read: FILE_LOCKS says how many follow.
const linux_cr::Layout& kernel_layout() {
    return linux_cr::find_layout("lease-1")->layout;
}
const linux_cr::CountedList& list_head() {
    return std::get<linux_cr::CountedList>(kernel_layout().list_end);
}

Fd memory_file() {
    return Fd(memfd_create("ckpt-lease", MFD_CLOEXEC));
}

bool has_records() {
    const Fd file = memory_file();
    // A file without locks: there is nothing to say about it, and nothing to be refused but for
    // want of permission. EINVAL is the answer to a command that is not known.
    FileLocksCkpt argument{.image_fd = file.get()};
    return file && (fcntl(file.get(), kCheckpointLocks, &argument) >= 0 || errno != EINVAL);
}

// The kernel writes FILE_LOCKS and, of a struct file without POSIX locks of ours, one FILE_LOCK.
int get_records(int fd, LeaseState& state) {
    const Fd image = memory_file();
    FileLocksCkpt argument{.image_fd = image.get()};
    if (!image || fcntl(fd, kCheckpointLocks, &argument) < 0) {
        return errno;
    }
    std::array<std::byte, 256> bytes{};
    const ssize_t got = pread(image.get(), bytes.data(), bytes.size(), 0);
    const linux_cr::Layout& layout = kernel_layout();
    const std::size_t head = list_head().length;
    if (got < static_cast<ssize_t>(head + layout.length)) {
        return ENODATA;
    }
    const linux_cr::LockCodec codec(layout, kNativeOrder);
    Lock lock;
    codec.interpret(codec.decode(std::span(bytes).subspan(head, layout.length)), lock);
    state = lock.lease;
    return lock.kind == LockKind::lease ? 0 : ENODATA;
}

int set_records(int fd, int number, const LeaseState& state,
                std::chrono::steady_clock::time_point begin) {
    const std::string records = records_of(state);
    Fd image = memory_file();
    if (image.get() == number) {  // which is about to be used
        image = Fd(fcntl(image.get(), F_DUPFD_CLOEXEC, number + 1));
    }
    if (!image) {
        return errno;
    }
    if (pwrite(image.get(), records.data(), records.size(), 0) !=
        static_cast<ssize_t>(records.size())) {
        return EIO;
    }
    // If it fails, the image's position is where it was.
    const std::chrono::nanoseconds since_boot = begin.time_since_epoch();
    FileLocksCkpt argument{.image_fd = image.get(),
                           .begin_ns = static_cast<std::uint64_t>(since_boot.count())};
    return with_patience([&] {
        return at_number(fd, number,
                         [&] { return fcntl(number, kRestoreLocks, &argument) < 0 ? errno : 0; });
    });
}

enum class Commands : std::uint8_t { none, states, records };

// Looked for once: where a lease has been taken away to be set anew, it must not depend on whether
// another file can be opened.
Commands commands() {
    static const Commands found = kernel_has_lease_states() ? Commands::states
                                  : has_records()           ? Commands::records
                                                            : Commands::none;
    return found;
}

}  // namespace

bool kernel_restores_leases() {
    return commands() != Commands::none;
}

int checkpoint_lease(int fd, LeaseState& state) {
    return commands() == Commands::states ? get_lease_state(fd, state) : get_records(fd, state);
}

int restore_lease(int fd, int number, const LeaseState& state,
                  std::chrono::steady_clock::time_point begin) {
    return commands() == Commands::states ? set_lease_state(fd, number, state, begin)
                                          : set_records(fd, number, state, begin);
}

int try_to_restore(const LeaseState& state) {
    const Fd file = memory_file();  // its lease goes with it
    return file ? restore_lease(file.get(), file.get(), state, std::chrono::steady_clock::now())
                : errno;
}

std::string records_of(const LeaseState& state) {
    const linux_cr::CountedList& head = list_head();
    std::string text(head.length, '\0');
    const auto put = [&](const Field& field, std::uint64_t value) {
        const auto bytes = encode(value, field.width, kNativeOrder);
        text.replace(field.offset, field.width, as_text(std::span(bytes).first(field.width)));
    };
    put({"type", 0, 4, false}, head.type);
    put({"len", 4, 4, false}, head.length);
    put(head.nr_locks, 1);
    Lock lock;
    lock.kind = LockKind::lease;
    lock.lease = state;
    const linux_cr::LockCodec codec(kernel_layout(), kNativeOrder);
    const std::vector<std::byte> record = codec.encode(codec.fields_of(lock));
    return text.append(as_text(record));
}

}  // namespace ckpt_lease::live
