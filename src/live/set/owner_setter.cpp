// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/set/owner_setter.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "live/lease_calls.hpp"

namespace ckpt_lease::live {
namespace {

// An owner, and room for one descriptor beside it.
class Request {
 public:
    explicit Request(LeaseOwner& owner) : data_{.iov_base = &owner, .iov_len = sizeof owner} {
        message_.msg_iov = &data_;
        message_.msg_iovlen = 1;
        message_.msg_control = ancillary_.data();
        message_.msg_controllen = sizeof ancillary_;
    }
    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;

    [[nodiscard]] msghdr* message() { return &message_; }

 private:
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> ancillary_{};
    iovec data_;
    msghdr message_{};
};

bool send_request(int socket, int fd, const LeaseOwner& owner) {
    LeaseOwner copy = owner;
    Request request(copy);
    cmsghdr* const header = CMSG_FIRSTHDR(request.message());
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    return sendmsg(socket, request.message(), MSG_NOSIGNAL) == sizeof copy;
}

Fd receive_request(int socket, LeaseOwner& owner) {
    Request request(owner);
    const ssize_t got = recvmsg(socket, request.message(), MSG_CMSG_CLOEXEC);
    const cmsghdr* const header = got == sizeof owner ? CMSG_FIRSTHDR(request.message()) : nullptr;
    int fd = -1;
    if (header != nullptr && header->cmsg_type == SCM_RIGHTS) {
        std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    }
    return Fd(fd);
}

// Who was stopped sees no end of the socket, and would be there, with all that is open, for good.
void end_with_parent() {
    static_cast<void>(prctl(PR_SET_PDEATHSIG, SIGKILL));
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
    end_with_parent();  // a change of uids has taken that away
    return error;
}

[[noreturn]] void serve(int socket) {
    end_with_parent();
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
