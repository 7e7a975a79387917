// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/set/owner_setter.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "live/lease_calls.hpp"

namespace ckpt_lease::live {
namespace {

// Room for one descriptor beside a message.
union Ancillary {
    cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

bool send_request(int socket, int fd, const LeaseOwner& owner) {
    LeaseOwner copy = owner;
    iovec data{.iov_base = &copy, .iov_len = sizeof copy};
    Ancillary ancillary{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = &ancillary;
    message.msg_controllen = sizeof ancillary;
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    return sendmsg(socket, &message, MSG_NOSIGNAL) == sizeof copy;
}

Fd receive_request(int socket, LeaseOwner& owner) {
    iovec data{.iov_base = &owner, .iov_len = sizeof owner};
    Ancillary ancillary{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = &ancillary;
    message.msg_controllen = sizeof ancillary;
    const ssize_t got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    const cmsghdr* const header = got == sizeof owner ? CMSG_FIRSTHDR(&message) : nullptr;
    int fd = -1;
    if (header != nullptr && header->cmsg_type == SCM_RIGHTS) {
        std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    }
    return Fd(fd);
}

// As another user; the saved user id brings back who we are.
int put_owner_as(int fd, const LeaseOwner& owner) {
    uid_t real = 0;
    uid_t effective = 0;
    uid_t saved = 0;
    if (getresuid(&real, &effective, &saved) < 0 ||
        setresuid(owner.uid, owner.euid, effective) < 0) {
        return errno;
    }
    const int error = put_owner(fd, owner);
    // The privilege of being root in the saved user id is needed first, to set the others.
    if (setresuid(static_cast<uid_t>(-1), effective, saved) < 0 ||
        setresuid(real, effective, saved) < 0) {
        _exit(1);
    }
    return error;
}

[[noreturn]] void serve(int socket) {
    LeaseOwner owner;
    while (true) {
        const Fd fd = receive_request(socket, owner);
        if (!fd) {
            _exit(0);
        }
        const int error = put_owner_as(fd.get(), owner);
        if (send(socket, &error, sizeof error, MSG_NOSIGNAL) != sizeof error) {
            _exit(0);
        }
    }
}

}  // namespace

OwnerSetter::~OwnerSetter() {
    end();
}

int OwnerSetter::put(int fd, const LeaseOwner& owner) {
    if (is_set_by_us(owner)) {
        return put_owner(fd, owner);
    }
    constexpr int kMostFailures = 3;
    if (failures_ >= kMostFailures) {
        return ETIMEDOUT;
    }
    const bool was_running = helper_ > 0;
    int error = start_and_ask(fd, owner);
    if (error == ETIMEDOUT && was_running) {
        // It may still be closing what it was given before, where a file system does not answer.
        end();
        error = start_and_ask(fd, owner);
    }
    if (error == ETIMEDOUT) {
        ++failures_;
        end();
    }
    return error;
}

int OwnerSetter::start_and_ask(int fd, const LeaseOwner& owner) {
    const int error = helper_ > 0 ? 0 : start();
    return error != 0 ? error : ask(fd, owner);
}

int OwnerSetter::ask(int fd, const LeaseOwner& owner) {
    constexpr int kPatience = 1000;  // milliseconds
    pollfd answer{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    int error = 0;
    if (!send_request(socket_.get(), fd, owner) || poll(&answer, 1, kPatience) != 1 ||
        recv(socket_.get(), &error, sizeof error, MSG_DONTWAIT) != sizeof error) {
        return ETIMEDOUT;
    }
    return error;
}

// What is open here is open there too, until it ends. It closes only what it is given.
int OwnerSetter::start() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        return errno;
    }
    Fd ours(ends[0]);
    const Fd other(ends[1]);
    helper_ = fork();
    const int error = helper_ < 0 ? errno : 0;
    if (helper_ == 0) {
        ours.reset();
        serve(other.get());
    }
    socket_ = out_of_the_way_(std::move(ours));
    return error;
}

void OwnerSetter::end() {
    socket_.reset();
    if (helper_ > 0) {
        kill(helper_, SIGKILL);
        waitpid(helper_, nullptr, WNOHANG);
    }
    helper_ = -1;
}

}  // namespace ckpt_lease::live
