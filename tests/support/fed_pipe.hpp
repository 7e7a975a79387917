// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>

namespace test_support {

/// A pipe that has a name, with bytes in it that end when they have been read. Whoever only looks
/// at it and goes away leaves nothing waiting behind.
class FedPipe {
 public:
    FedPipe(const std::string& path, const std::string& bytes) : path_(path) {
        constexpr int kRoom = 1 << 20;
        if (mkfifo(path.c_str(), 0600) != 0) {
            throw std::runtime_error("mkfifo");
        }
        // Not O_WRONLY: that waits for somebody who reads.
        fd_ = open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
        if (fd_ < 0 || fcntl(fd_, F_SETPIPE_SZ, kRoom) < 0 ||
            write(fd_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
            throw std::runtime_error("what is given does not fit into a pipe");
        }
        closer_ = std::jthread([fd = fd_](const std::stop_token& stop) {
            int left = 1;
            while (!stop.stop_requested() && ioctl(fd, FIONREAD, &left) == 0 && left > 0) {
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
            }
            close(fd);
        });
    }
    ~FedPipe() { unlink(path_.c_str()); }
    FedPipe(const FedPipe&) = delete;
    FedPipe& operator=(const FedPipe&) = delete;

 private:
    std::string path_;
    int fd_ = -1;
    std::jthread closer_;
};

}  // namespace test_support
