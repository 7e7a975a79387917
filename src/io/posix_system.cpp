// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "ckpt-lease/io/system.hpp"

namespace ckpt_lease::io {
namespace {

template <typename Result>
Result checked(Result result) {
    return result < 0 ? static_cast<Result>(-errno) : result;
}

class PosixSystem final : public System {
 public:
    int open(const std::string& path, int flags, mode_t mode) override {
        return checked(::open(path.c_str(), flags, mode));
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
    int rename(const std::string& from, const std::string& to) override {
        return checked(::rename(from.c_str(), to.c_str()));
    }
    int unlink(const std::string& path) override { return checked(::unlink(path.c_str())); }
    int realpath(const std::string& path, std::string& into) override {
        const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr),
                                                               &std::free);
        if (real == nullptr) {
            return -errno;
        }
        into = real.get();
        return 0;
    }
};

}  // namespace

System& posix_system() {
    static PosixSystem system;
    return system;
}

}  // namespace ckpt_lease::io
