// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/lease_calls.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "live/proc_text.hpp"
#include "live/processes.hpp"

namespace ckpt_lease::live {
namespace {

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

}  // namespace

LeaseNow lease_now(int fd) {
    LeaseNow now;
    const std::string text = read_if_there(own_path("fdinfo", fd));
    for_each_line(text, [&](std::string_view line) {
        if (const auto lease = parse_fdinfo_line(line)) {
            now = {true, lease->breaking, lease->type, lease->inode};
        } else if (is_delegation_line(line)) {
            now.is_delegation = true;
        }
    });
    return now;
}

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
    return set_owner_id(fd, owner);
}

bool is_set_by_us(const LeaseOwner& owner) {
    return owner.uid == getuid() && owner.euid == geteuid();
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

int remove_lease(int fd, bool* was_there) {
    const int error = error_of(fcntl(fd, F_SETLEASE, F_UNLCK));
    if (was_there != nullptr) {
        *was_there = error != EAGAIN;
    }
    return error == EAGAIN ? 0 : error;
}

bool look_at_deadline(int fd) {
    static_cast<void>(fcntl(fd, F_GETLEASE));
    return lease_now(fd).breaking;
}

int begin_break(int file, LockType target) {
    const int mode = target == LockType::rdlck ? O_RDONLY : O_WRONLY;
    const Fd opened(open(own_path("fd", file).c_str(), mode | O_NONBLOCK | O_CLOEXEC));
    if (opened) {
        return ENOLCK;
    }
    return errno == EWOULDBLOCK ? 0 : errno;
}

int may_break(int file, LockType target) {
    const int mode = target == LockType::rdlck ? R_OK : W_OK;
    return error_of(faccessat(AT_FDCWD, own_path("fd", file).c_str(), mode, AT_EACCESS));
}

Fd mount_writable(int fd) {
    Fd tree(open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
    mount_attr attributes{};
    attributes.attr_clr = MOUNT_ATTR_RDONLY;
    if (tree && mount_setattr(tree.get(), "", AT_EMPTY_PATH, &attributes, sizeof attributes) < 0) {
        const int error = errno;
        tree.reset();
        errno = error;
    }
    return tree;
}

}  // namespace ckpt_lease::live
