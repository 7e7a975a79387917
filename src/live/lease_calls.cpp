// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/lease_calls.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <ctime>
#include <string_view>
#include <variant>

#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/linux_cr/layout.hpp"
#include "ckpt-lease/linux_cr/lock_record.hpp"
#include "live/kernel_patch.hpp"

namespace ckpt_lease::live {
namespace {

constexpr ByteOrder kNativeOrder =
    std::endian::native == std::endian::little ? ByteOrder::little : ByteOrder::big;

std::string own_path(const char* folder, int fd) {
    return std::string("/proc/self/") + folder + "/" + std::to_string(fd);
}

int error_of(long result) {
    return result < 0 ? errno : 0;
}

int lease_type(LockType type) {
    switch (type) {
        case LockType::rdlck:
            return F_RDLCK;
        case LockType::wrlck:
            return F_WRLCK;
        default:
            return F_UNLCK;
    }
}

// The same descriptor under the number that it has in the holder, for one call.
template <typename Call>
int at_number(int fd, int number, Call call) {
    if (fd == number) {
        return call();
    }
    if (dup2(fd, number) < 0) {
        return errno;
    }
    const int result = call();
    close(number);
    return result;
}

void sleep_a_millisecond() {
    const timespec time{.tv_sec = 0, .tv_nsec = 1'000'000};
    nanosleep(&time, nullptr);
}

// Openers come and go: a look into the file must not cost the lease.
template <typename Call>
int with_patience(Call call) {
    constexpr int kTries = 10;
    int error = call();
    for (int i = 1; error == EAGAIN && i < kTries; ++i) {
        sleep_a_millisecond();
        error = call();
    }
    return error;
}

int set_owner_id(int fd, const LeaseOwner& owner) {
    f_owner_ex ex{};
    ex.type = owner.kind == LeaseOwner::Kind::thread    ? F_OWNER_TID
              : owner.kind == LeaseOwner::Kind::process ? F_OWNER_PID
                                                        : F_OWNER_PGRP;
    ex.pid = owner.id;
    // The kernel keeps the uids of who last set an owner that is there: so for nobody, set one.
    if (owner.id == 0 && fcntl(fd, F_SETOWN, getpid()) < 0) {
        return errno;
    }
    return error_of(fcntl(fd, F_SETOWN_EX, &ex));
}

// As another user; the saved user id brings back who we are.
int set_owner_id_as(int fd, const LeaseOwner& owner) {
    uid_t real = 0;
    uid_t effective = 0;
    uid_t saved = 0;
    if (getresuid(&real, &effective, &saved) < 0) {
        return errno;
    }
    if (real == owner.uid && effective == owner.euid) {
        return set_owner_id(fd, owner);
    }
    if (setresuid(owner.uid, owner.euid, effective) < 0) {
        return errno;
    }
    const int result = set_owner_id(fd, owner);
    // The privilege of being root in the saved user id is needed first, to set the others.
    const int back = error_of(setresuid(static_cast<uid_t>(-1), effective, saved));
    const int all_back = error_of(setresuid(real, effective, saved));
    return result != 0 ? result : back != 0 ? back : all_back;
}

}  // namespace

bool is_outermost_pid_namespace() {
    constexpr ino_t kOutermost = 0xEFFFFFFC;  // PROC_PID_INIT_INO of linux/proc_ns.h
    struct stat status {};
    return stat("/proc/self/ns/pid", &status) == 0 && status.st_ino == kOutermost;
}

int get_owner(int fd, LeaseOwner& owner) {
    f_owner_ex ex{};
    uid_t uids[2] = {0, 0};
    constexpr int kGetOwnerUids = 17;  // F_GETOWNER_UIDS: glibc does not have it
    const int signal = fcntl(fd, F_GETSIG);
    if (signal < 0 || fcntl(fd, F_GETOWN_EX, &ex) < 0 || fcntl(fd, kGetOwnerUids, uids) < 0) {
        return errno;
    }
    owner.kind = ex.type == F_OWNER_TID    ? LeaseOwner::Kind::thread
                 : ex.type == F_OWNER_PGRP ? LeaseOwner::Kind::group
                                           : LeaseOwner::Kind::process;
    owner.id = ex.pid;
    owner.uid = uids[0];
    owner.euid = uids[1];
    owner.signal = signal;
    return 0;
}

int put_owner(int fd, const LeaseOwner& owner) {
    // The signal first: a break between the two must not send another one.
    if (fcntl(fd, F_SETSIG, owner.signal) < 0) {
        return errno;
    }
    return set_owner_id_as(fd, owner);
}

int clear_owner(int fd) {
    return error_of(fcntl(fd, F_SETOWN, 0));
}

int set_lease(int fd, int number, LockType type) {
    return with_patience([&] {
        return at_number(fd, number,
                         [&] { return error_of(fcntl(number, F_SETLEASE, lease_type(type))); });
    });
}

int remove_lease(int fd) {
    const int error = error_of(fcntl(fd, F_SETLEASE, F_UNLCK));
    return error == EAGAIN ? 0 : error;  // there was none
}

bool look_at_deadline(int fd) {
    static_cast<void>(fcntl(fd, F_GETLEASE));
    return lease_now(fd).breaking;
}

int begin_break(int door, LockType target) {
    const int mode = target == LockType::rdlck ? O_RDONLY : O_WRONLY;
    const int opened = open(own_path("fd", door).c_str(), mode | O_NONBLOCK | O_CLOEXEC);
    if (opened >= 0) {
        close(opened);
        return ENOLCK;
    }
    return errno == EWOULDBLOCK ? 0 : errno;
}

int may_break(int door, LockType target) {
    const int mode = target == LockType::rdlck ? R_OK : W_OK;
    return error_of(faccessat(AT_FDCWD, own_path("fd", door).c_str(), mode, AT_EACCESS));
}

int open_door(int fd) {
    const int tree = open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree < 0) {
        return -errno;
    }
    mount_attr attributes{};
    attributes.attr_clr = MOUNT_ATTR_RDONLY;
    if (mount_setattr(tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes) < 0) {
        const int error = errno;
        close(tree);
        return -error;
    }
    return tree;
}

bool kernel_restores_leases() {
    const int fd = memfd_create("ckpt-lease", MFD_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    // A file without locks: there is nothing to say about it, and nothing to be refused but for
    // want of permission. EINVAL is the answer to a command that is not known.
    FileLocksCkpt argument{.image_fd = fd};
    const bool known = fcntl(fd, kCheckpointLocks, &argument) >= 0 || errno != EINVAL;
    close(fd);
    return known;
}

std::string records_of(const LeaseState& state) {
    const linux_cr::Layout& layout = linux_cr::find_layout("lease-1")->layout;
    const auto& counted = std::get<linux_cr::CountedList>(layout.list_end);
    std::string text(counted.length, '\0');
    const auto put = [&](const Field& field, std::uint64_t value) {
        const auto bytes = encode(value, field.width, kNativeOrder);
        text.replace(field.offset, field.width, as_text(std::span(bytes).first(field.width)));
    };
    put({"type", 0, 4, false}, counted.type);
    put({"len", 4, 4, false}, counted.length);
    put(counted.nr_locks, 1);
    Lock lock;
    lock.kind = LockKind::lease;
    lock.lease = state;
    const linux_cr::LockCodec codec(layout, kNativeOrder);
    const std::vector<std::byte> record = codec.encode(codec.fields_of(lock));
    return text.append(as_text(record));
}

int restore_lease(int fd, int number, const LeaseState& state, std::uint64_t begin) {
    const std::string records = records_of(state);
    // Not under the number that is about to be used.
    const int first = memfd_create("ckpt-lease", MFD_CLOEXEC);
    if (first < 0) {
        return errno;
    }
    const int image = first == number ? fcntl(first, F_DUPFD_CLOEXEC, number + 1) : first;
    int error = image < 0 ? errno : 0;
    if (error == 0 &&
        pwrite(image, records.data(), records.size(), 0) != static_cast<ssize_t>(records.size())) {
        error = EIO;
    }
    if (error == 0) {
        // If it fails, the image's position is where it was.
        FileLocksCkpt argument{.image_fd = image, .begin_ns = begin};
        error = with_patience([&] {
            return at_number(fd, number,
                             [&] { return error_of(fcntl(number, kRestoreLocks, &argument)); });
        });
    }
    if (first != image) {
        close(first);
    }
    if (image >= 0) {
        close(image);
    }
    return error;
}

std::uint64_t monotonic_now() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(time.tv_nsec);
}

}  // namespace ckpt_lease::live
