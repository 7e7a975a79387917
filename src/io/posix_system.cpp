// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <ctime>

#include "io/system.hpp"

namespace ckpt_lease::io {
namespace {

template <typename Result>
Result checked(Result result) {
    return result < 0 ? static_cast<Result>(-errno) : result;
}

class PosixSystem final : public System {
 public:
    int open(int folder, const std::string& name, int flags, mode_t mode) override {
        return checked(::openat(folder, name.c_str(), flags, mode));
    }
    int close(int fd) override { return checked(::close(fd)); }
    ssize_t read(int fd, std::span<std::byte> into) override {
        return checked(::read(fd, into.data(), into.size()));
    }
    ssize_t pread(int fd, std::span<std::byte> into, std::uint64_t offset) override {
        return checked(::pread(fd, into.data(), into.size(), static_cast<off_t>(offset)));
    }
    ssize_t write(int fd, std::span<const std::byte> from) override {
        return checked(::write(fd, from.data(), from.size()));
    }
    ssize_t pwrite(int fd, std::span<const std::byte> from, std::uint64_t offset) override {
        return checked(::pwrite(fd, from.data(), from.size(), static_cast<off_t>(offset)));
    }
    std::int64_t lseek(int fd, std::int64_t offset, int whence) override {
        return checked(static_cast<std::int64_t>(::lseek(fd, offset, whence)));
    }
    ssize_t copy_file_range(int in, std::uint64_t in_offset, int out, std::uint64_t out_offset,
                            std::size_t length) override {
        auto from = static_cast<off64_t>(in_offset);
        auto to = static_cast<off64_t>(out_offset);
        return checked(::copy_file_range(in, &from, out, &to, length, 0));
    }
    int clone(int in, int out) override { return checked(::ioctl(out, FICLONE, in)); }
    ssize_t splice(int in, std::int64_t in_offset, int out, std::size_t length) override {
        off64_t from = in_offset;
        return checked(::splice(in, in_offset == kHere ? nullptr : &from, out, nullptr, length,
                                SPLICE_F_MOVE | SPLICE_F_MORE));
    }
    int set_pipe_size(int fd, int size) override {
        return checked(::fcntl(fd, F_SETPIPE_SZ, size));
    }
    int ftruncate(int fd, std::uint64_t length) override {
        return checked(::ftruncate(fd, static_cast<off_t>(length)));
    }
    int fsync(int fd) override { return checked(::fsync(fd)); }
    int fdatasync(int fd) override { return checked(::fdatasync(fd)); }
    int lock(int fd, short type, bool wait) override {
        struct flock whole {};
        whole.l_type = type;
        whole.l_whence = SEEK_SET;
        return checked(::fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &whole));
    }
    int fstat(int fd, struct stat& into) override { return checked(::fstat(fd, &into)); }
    int fchown(int fd, uid_t owner, gid_t group) override {
        return checked(::fchown(fd, owner, group));
    }
    int fchmod(int fd, mode_t mode) override { return checked(::fchmod(fd, mode)); }
    int rename(int folder, const std::string& from, const std::string& to,
               unsigned flags) override {
        return checked(::renameat2(folder, from.c_str(), folder, to.c_str(), flags));
    }
    int unlink(int folder, const std::string& name) override {
        return checked(::unlinkat(folder, name.c_str(), 0));
    }
    int readlink(int link, std::string& into) override {
        std::array<char, PATH_MAX> target{};
        const ssize_t length = ::readlinkat(link, "", target.data(), target.size());
        if (length < 0) {
            return -errno;
        }
        into.assign(target.data(), static_cast<std::size_t>(length));
        return 0;
    }
    int file_system_of(int fd, std::int64_t& kind) override {
        struct statfs status {};
        if (::fstatfs(fd, &status) < 0) {
            return -errno;
        }
        kind = status.f_type;
        return 0;
    }
    ssize_t flistxattr(int fd, std::span<std::byte> into) override {
        return checked(::flistxattr(fd, reinterpret_cast<char*>(into.data()), into.size()));
    }
    ssize_t fgetxattr(int fd, const std::string& name, std::span<std::byte> into) override {
        return checked(::fgetxattr(fd, name.c_str(), into.data(), into.size()));
    }
    int fsetxattr(int fd, const std::string& name, std::span<const std::byte> value) override {
        return checked(::fsetxattr(fd, name.c_str(), value.data(), value.size(), 0));
    }
    int fremovexattr(int fd, const std::string& name) override {
        return checked(::fremovexattr(fd, name.c_str()));
    }
    void pause(std::chrono::milliseconds time) override {
        struct timespec left {};
        left.tv_sec = static_cast<std::time_t>(time.count() / 1000);
        left.tv_nsec = static_cast<decltype(left.tv_nsec)>(time.count() % 1000 * 1'000'000);
        ::nanosleep(&left, nullptr);
    }
};

}  // namespace

System& posix_system() {
    static PosixSystem system;
    return system;
}

}  // namespace ckpt_lease::io
