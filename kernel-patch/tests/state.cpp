// SPDX-License-Identifier: GPL-2.0-or-later
#include "state.hpp"

#include <sys/mman.h>

#include <cerrno>

namespace proof {

Interface interface() {
    const Descriptor file(memfd_create("interface", MFD_CLOEXEC));
    lease_state state{};
    if (fcntl(file.get(), F_GETLEASE_STATE, &state) == 0) {
        return Interface::states;
    }
    const file_locks_ckpt arg{.image_fd = -1, .flags = 0, .begin_ns = 0};
    return fcntl(STDOUT_FILENO, F_RESTORE_LOCKS, &arg) == -1 && errno == EBADF ? Interface::records
                                                                               : Interface::none;
}

lease_state state_of(const Lock& lock, int fd, std::int64_t begin) {
    const bool breaks = (lock.fl_type & CKPT_F_INPROGRESS) != 0;
    const auto type = static_cast<std::uint16_t>(lock.fl_type & ~CKPT_F_INPROGRESS);
    lease_state state{};
    state.fd = fd;
    state.type = breaks ? lock.fl_type_prev : type;
    state.target = type;
    if (breaks) {
        state.begin_ns = static_cast<std::uint64_t>(begin);
        state.flags = lock.fl_break_notified != 0 ? LEASE_STATE_NOTIFIED : 0;
        state.remaining_ns = lock.fl_rem_lease == CKPT_REM_LEASE_NONE
                                 ? ~std::uint64_t{0}
                                 : static_cast<std::uint64_t>(remaining(lock));
    }
    return state;
}

Reply call_state(Holder& holder, Way way, int command, const lease_state& state) {
    if (way == Way::inside) {
        return holder.process().state(holder.fd(), command, state);
    }
    const Descriptor file = descriptor_of(holder.process().pid(), holder.fd());
    Reply reply;
    reply.state = state;
    const int result = fcntl(file.get(), command, &reply.state);
    reply.value = result == -1 ? -errno : result;
    return reply;
}

long write_state(Holder& holder, ImageWriter& image, Way way) {
    const Reply reply = call_state(holder, way, F_GETLEASE_STATE, {});
    if (reply.value != 0) {
        return reply.value;
    }
    const lease_state& told = reply.state;
    LockList list{};
    list.h = {.type = CKPT_HDR_FILE_LOCKS, .len = sizeof list};
    list.nr_locks = told.type == F_UNLCK ? 0 : 1;
    std::string bytes(reinterpret_cast<const char*>(&list), sizeof list);
    if (told.type != F_UNLCK) {
        const bool breaks = told.target != told.type;
        Lock lock{};
        lock.h = {.type = CKPT_HDR_FILE_LOCK, .len = sizeof lock};
        lock.fl_end = INT64_MAX;
        lock.fl_flags = CKPT_FL_LEASE;
        lock.fl_type =
            static_cast<std::uint8_t>(breaks ? told.target | CKPT_F_INPROGRESS : told.type);
        lock.fl_type_prev = static_cast<std::uint8_t>(breaks ? told.type : 0);
        lock.fl_break_notified = (told.flags & LEASE_STATE_NOTIFIED) != 0 ? 1 : 0;
        if (told.remaining_ns == ~std::uint64_t{0}) {
            lock.fl_rem_lease = CKPT_REM_LEASE_NONE;
        } else {
            lock.fl_rem_lease = static_cast<std::uint32_t>(told.remaining_ns / 1'000'000'000);
            lock.fl_rem_lease_nsec = static_cast<std::uint32_t>(told.remaining_ns % 1'000'000'000);
        }
        bytes.append(reinterpret_cast<const char*>(&lock), sizeof lock);
    }
    image.append(bytes);
    return list.nr_locks;
}

long restore_state(Holder& holder, const std::string& image, off_t at, Way way,
                   std::int64_t begin) {
    long count = 0;
    for (const SavedDescriptor& saved : read_image(image)) {
        for (const Lock& lock : saved.locks) {
            if (saved.locks_at != at) {
                continue;
            }
            const lease_state state = state_of(lock, holder.fd(), begin);
            const long result = call_state(holder, way, F_SETLEASE_STATE, state).value;
            if (result != 0) {
                return result;
            }
            ++count;
        }
    }
    return count;
}

}  // namespace proof
