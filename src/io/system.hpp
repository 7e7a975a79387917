// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace ckpt_lease::io {

/// The system calls on images, archives, journals and outputs, and on all that stands beside them:
/// they go through here, so that a test can make the n-th call fail. Only the names in a folder are
/// read with readdir(3), and ckpt_lease::live makes its own calls: on processes, on what the kernel
/// shows of them, and on CRIU's folder, to learn when its tasks were stopped.
///
/// Each member is the system call of its name (section 2 of the manual), with two differences: the
/// result is -errno instead of -1 and errno, and names are std::string. Nothing is retried here;
/// EINTR and short counts are dealt with by File.
///
/// There is no call that takes a path to change something: a path is walked once, by Folder and
/// find_place(), and all that happens after happens in the folder that was found.
class System {
 public:
    System() = default;
    System(const System&) = delete;
    System& operator=(const System&) = delete;
    virtual ~System() = default;

    /// openat(2); `folder` may be AT_FDCWD.
    virtual int open(int folder, const std::string& name, int flags, mode_t mode) = 0;
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
    /// renameat2(2) within one folder.
    virtual int rename(int folder, const std::string& from, const std::string& to,
                       unsigned flags) = 0;
    /// unlinkat(2), of a file.
    virtual int unlink(int folder, const std::string& name) = 0;
    /// readlinkat(2) of a symbolic link that is open with O_PATH | O_NOFOLLOW.
    virtual int readlink(int link, std::string& into) = 0;
    /// fstatfs(2): the kind of file system (f_type, statfs(2) lists them).
    virtual int file_system_of(int fd, std::int64_t& kind) = 0;
    virtual ssize_t flistxattr(int fd, std::span<std::byte> into) = 0;
    virtual ssize_t fgetxattr(int fd, const std::string& name, std::span<std::byte> into) = 0;
    virtual int fsetxattr(int fd, const std::string& name, std::span<const std::byte> value) = 0;
    virtual int fremovexattr(int fd, const std::string& name) = 0;
    /// fcntl(2), F_OFD_SETLK, or F_OFD_SETLKW if `wait`: a lock of `type` (F_RDLCK, F_WRLCK) on the
    /// whole file.
    virtual int lock(int fd, short type, bool wait) = 0;
    /// Sleeps so long, or less where a signal comes: between two tries of what must not be waited
    /// for without limit.
    virtual void pause(std::chrono::milliseconds time) = 0;

    /// Called with what the user calls a file that has been waited for since a second, as others
    /// have a lease or a lock on it. May be empty.
    std::function<void(const std::string& shown)> on_wait;
};

/// The kernel itself.
[[nodiscard]] System& posix_system();

}  // namespace ckpt_lease::io
