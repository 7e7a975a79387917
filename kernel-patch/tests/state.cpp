// SPDX-License-Identifier: GPL-2.0-or-later
#include "state.hpp"

#include <sys/mman.h>

#include <cerrno>

namespace proof {

bool has_lease_states() {
    const Descriptor file(memfd_create("interface", MFD_CLOEXEC));
    lease_state state{};
    return fcntl(file.get(), F_GETLEASE_STATE, &state) == 0;
}

lease_state state_of(const Lock& lock, int fd, std::int64_t begin) {
    const bool breaks = (lock.fl_type & kInProgress) != 0;
    const auto type = static_cast<std::uint16_t>(lock.fl_type & ~kInProgress);
    lease_state state{};
    state.fd = fd;
    state.type = breaks ? lock.fl_type_prev : type;
    state.target = type;
    if (breaks) {
        state.begin_ns = static_cast<std::uint64_t>(begin);
        state.flags = lock.fl_break_notified != 0 ? LEASE_STATE_NOTIFIED : 0;
        state.remaining_ns = lock.fl_rem_lease == kNoDeadline
                                 ? LEASE_STATE_NO_DEADLINE
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

lease_state get_state(Holder& holder, Way way) {
    const Reply reply = call_state(holder, way, F_GETLEASE_STATE, {});
    require_equal(reply.value, 0, "F_GETLEASE_STATE");
    return reply.state;
}

long set_state(Holder& holder, const lease_state& state, Way way) {
    return call_state(holder, way, F_SETLEASE_STATE, state).value;
}

long write_lease(Holder& holder, ImageWriter& image, Way way) {
    const Reply reply = call_state(holder, way, F_GETLEASE_STATE, {});
    if (reply.value != 0) {
        return reply.value;
    }
    const lease_state& told = reply.state;
    LockList list{};
    list.header = {.type = kFileLocks, .length = sizeof list};
    list.nr_locks = told.type == F_UNLCK ? 0 : 1;
    std::string bytes(reinterpret_cast<const char*>(&list), sizeof list);
    if (told.type != F_UNLCK) {
        const bool breaks = told.target != told.type;
        Lock lock{};
        lock.header = {.type = kFileLock, .length = sizeof lock};
        lock.fl_end = INT64_MAX;
        lock.fl_flags = kLease;
        lock.fl_type = static_cast<std::uint8_t>(breaks ? told.target | kInProgress : told.type);
        lock.fl_type_prev = static_cast<std::uint8_t>(breaks ? told.type : 0);
        lock.fl_break_notified = (told.flags & LEASE_STATE_NOTIFIED) != 0 ? 1 : 0;
        if (told.remaining_ns == LEASE_STATE_NO_DEADLINE) {
            lock.fl_rem_lease = kNoDeadline;
        } else {
            lock.fl_rem_lease = static_cast<std::uint32_t>(told.remaining_ns / 1'000'000'000);
            lock.fl_rem_lease_nsec = static_cast<std::uint32_t>(told.remaining_ns % 1'000'000'000);
        }
        bytes.append(reinterpret_cast<const char*>(&lock), sizeof lock);
    }
    image.append(bytes);
    return list.nr_locks;
}

long restore_lease(Holder& holder, const SavedDescriptor& saved, Way way, std::int64_t begin) {
    require(saved.locks.size() <= 1, "an open file has one lease at most");
    return saved.locks.empty()
               ? 0
               : set_state(holder, state_of(saved.locks[0], holder.fd(), begin), way);
}

}  // namespace proof
