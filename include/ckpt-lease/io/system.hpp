// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace ckpt_lease::io {

/// The system calls that this library makes on files, and no other: everything that can fail for
/// reasons outside the program goes through here, so that a test can make the n-th call fail.
///
/// Each member is the system call of its name (section 2 of the manual), with two differences: the
/// result is -errno instead of -1 and errno, and paths are std::string. Nothing is retried here;
/// EINTR and short counts are dealt with by File.
class System {
 public:
    System() = default;
    System(const System&) = delete;
    System& operator=(const System&) = delete;
    virtual ~System() = default;

    virtual int open(const std::string& path, int flags, mode_t mode) = 0;
    virtual int close(int fd) = 0;
    virtual ssize_t read(int fd, std::span<std::byte> into) = 0;
    virtual ssize_t pread(int fd, std::span<std::byte> into, std::uint64_t offset) = 0;
    virtual ssize_t write(int fd, std::span<const std::byte> from) = 0;
    virtual ssize_t pwrite(int fd, std::span<const std::byte> from, std::uint64_t offset) = 0;
    virtual std::int64_t lseek(int fd, std::int64_t offset, int whence) = 0;
    virtual ssize_t copy_file_range(int in, std::uint64_t in_offset, int out,
                                    std::uint64_t out_offset, std::size_t length) = 0;
    /// ioctl(2), FICLONE: `out` becomes what `in` is, sharing its blocks.
    virtual int clone(int in, int out) = 0;
    /// splice(2): moves bytes from where `in` stands, or from `in_offset` of it unless that is
    /// kHere, to where `out` stands; one of them is a pipe.
    virtual ssize_t splice(int in, std::int64_t in_offset, int out, std::size_t length) = 0;
    static constexpr std::int64_t kHere = -1;
    /// fcntl(2), F_SETPIPE_SZ: the pipe `fd` can hold `size` bytes. Returns how many it can.
    virtual int set_pipe_size(int fd, int size) = 0;
    virtual int ftruncate(int fd, std::uint64_t length) = 0;
    virtual int fsync(int fd) = 0;
    virtual int fdatasync(int fd) = 0;
    virtual int fstat(int fd, struct stat& into) = 0;
    virtual int fchown(int fd, uid_t owner, gid_t group) = 0;
    virtual int fchmod(int fd, mode_t mode) = 0;
    virtual int rename(const std::string& from, const std::string& to) = 0;
    virtual int unlink(const std::string& path) = 0;
    /// fcntl(2), F_OFD_SETLK, or F_OFD_SETLKW if `wait`: a lock of `type` (F_RDLCK, F_WRLCK) on the
    /// whole file.
    virtual int lock(int fd, short type, bool wait) = 0;
    /// realpath(3): the path that `path` leads to when all symbolic links are followed.
    virtual int realpath(const std::string& path, std::string& into) = 0;
};

/// The kernel itself.
[[nodiscard]] System& posix_system();

}  // namespace ckpt_lease::io
