// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "fuzz/support.hpp"
#include "io/system.hpp"

namespace fuzz {

/// A system with two files: one in memory to read, one to write. It reads and writes no more than
/// some bytes at a time, as pipes do.
class MemorySystem final : public ckpt_lease::io::System {
 public:
    static constexpr int kInput = 3;
    static constexpr int kOutput = 4;

    MemorySystem(Bytes input, std::size_t piece, bool is_pipe)
        : input_(input), piece_(std::max<std::size_t>(piece, 1)), is_pipe_(is_pipe) {}

    [[nodiscard]] const std::vector<std::byte>& output() const noexcept { return output_; }

    int close(int /*fd*/) override { return 0; }
    ssize_t read(int fd, std::span<std::byte> into) override {
        const ssize_t count = is_pipe_ || fd == kInput ? take(into, at_) : -EBADF;
        at_ += count > 0 ? static_cast<std::size_t>(count) : 0;
        return count;
    }
    ssize_t pread(int fd, std::span<std::byte> into, std::uint64_t offset) override {
        return is_pipe_ || fd != kInput ? -ESPIPE : take(into, offset);
    }
    ssize_t write(int fd, std::span<const std::byte> from) override {
        if (fd != kOutput) {
            return -EBADF;
        }
        const auto some = from.first(std::min(from.size(), piece_));
        output_.insert(output_.end(), some.begin(), some.end());
        return static_cast<ssize_t>(some.size());
    }
    std::int64_t lseek(int /*fd*/, std::int64_t /*offset*/, int /*whence*/) override {
        return is_pipe_ ? -ESPIPE : 0;
    }
    int fstat(int /*fd*/, struct stat& into) override {
        into = {};
        into.st_mode = is_pipe_ ? S_IFIFO : S_IFREG;
        into.st_size = static_cast<off_t>(input_.size());
        return 0;
    }

    // What no target needs.
    int open(int /*folder*/, const std::string& /*name*/, int /*flags*/, mode_t /*mode*/) override {
        return -ENOSYS;
    }
    ssize_t pwrite(int /*fd*/, std::span<const std::byte> /*from*/,
                   std::uint64_t /*offset*/) override {
        return -ENOSYS;
    }
    ssize_t copy_file_range(int /*in*/, std::uint64_t /*in_offset*/, int /*out*/,
                            std::uint64_t /*out_offset*/, std::size_t /*length*/) override {
        return -ENOSYS;
    }
    int clone(int /*in*/, int /*out*/) override { return -ENOSYS; }
    ssize_t splice(int /*in*/, std::int64_t /*in_offset*/, int /*out*/,
                   std::size_t /*length*/) override {
        return -EINVAL;
    }
    int set_pipe_size(int /*fd*/, int /*size*/) override { return -EBADF; }
    int ftruncate(int /*fd*/, std::uint64_t /*length*/) override { return -ENOSYS; }
    int fsync(int /*fd*/) override { return -ENOSYS; }
    int fdatasync(int /*fd*/) override { return -ENOSYS; }
    int lock(int /*fd*/, short /*type*/, bool /*wait*/) override { return -ENOSYS; }
    int fchown(int /*fd*/, uid_t /*owner*/, gid_t /*group*/) override { return -ENOSYS; }
    int fchmod(int /*fd*/, mode_t /*mode*/) override { return -ENOSYS; }
    int rename(int /*folder*/, const std::string& /*from*/, const std::string& /*to*/,
               unsigned /*flags*/) override {
        return -ENOSYS;
    }
    int unlink(int /*folder*/, const std::string& /*name*/) override { return -ENOSYS; }
    int readlink(int /*link*/, std::string& /*into*/) override { return -ENOSYS; }
    int file_system_of(int /*fd*/, std::int64_t& /*kind*/) override { return -ENOSYS; }
    ssize_t flistxattr(int /*fd*/, std::span<std::byte> /*into*/) override { return -ENOSYS; }
    ssize_t fgetxattr(int /*fd*/, const std::string& /*name*/,
                      std::span<std::byte> /*into*/) override {
        return -ENOSYS;
    }
    int fsetxattr(int /*fd*/, const std::string& /*name*/,
                  std::span<const std::byte> /*value*/) override {
        return -ENOSYS;
    }
    int fremovexattr(int /*fd*/, const std::string& /*name*/) override { return -ENOSYS; }
    void pause(std::chrono::milliseconds /*time*/) override {}

 private:
    ssize_t take(std::span<std::byte> into, std::uint64_t offset) const {
        const std::size_t from = std::min<std::uint64_t>(offset, input_.size());
        const std::size_t count = std::min({into.size(), piece_, input_.size() - from});
        if (count > 0) {
            std::memcpy(into.data(), input_.data() + from, count);
        }
        return static_cast<ssize_t>(count);
    }

    Bytes input_;
    std::size_t piece_;
    bool is_pipe_;
    std::size_t at_ = 0;
    std::vector<std::byte> output_;
};

}  // namespace fuzz
