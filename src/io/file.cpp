// SPDX-License-Identifier: GPL-2.0-or-later
#include "io/file.hpp"

#include <fmt/format.h>

#include <system_error>
#include <utility>

#include "ckpt-lease/base/problem.hpp"

namespace ckpt_lease::io {
namespace {

// What somebody can do who was to write.
void advise(Problem& problem, std::int64_t error) {
    switch (-error) {
        case ENOSPC:
        case EDQUOT:
            problem.hint = "free some space";
            break;
        case EACCES:
        case EPERM:
            problem.hint = "run as a user who may";
            break;
        case EROFS:
            break;
        default:
            return;
    }
    problem.advice = Advice::write_elsewhere;
}

Problem::Code code_of(std::int64_t error) {
    switch (-error) {
        case ENOENT:
        case ENOTDIR:
        case ENXIO:
        case ENODEV:
        case ESRCH:
            return Problem::Code::not_found;
        case EACCES:
        case EPERM:
        case EROFS:
            return Problem::Code::not_permitted;
        case ENOSPC:
        case EDQUOT:
        case EFBIG:
            return Problem::Code::no_space;
        default:
            return Problem::Code::io_error;
    }
}

}  // namespace

void fail(const std::string& name, std::string_view action, std::int64_t error) {
    Problem problem{
        .file = name,
        .message = fmt::format("cannot {}: {}", action,
                               std::generic_category().message(static_cast<int>(-error))),
        .code = code_of(error)};
    // Advice on writing is of no use to somebody who reads.
    if (action != "open" && action != "read" && action != "list") {
        advise(problem, error);
    }
    throw Error(Error::Kind::io, std::move(problem));
}

File::File(System& system, std::string path, int flags, mode_t mode)
    : system_(&system), name_(std::move(path)) {
    fd_ = uninterrupted([&] { return system_->open(AT_FDCWD, name_, flags | O_CLOEXEC, mode); });
    if (fd_ < 0) {
        fail((flags & O_CREAT) != 0 ? "create" : "open", fd_);
    }
}

File::File(System& system, std::string name, int fd, bool owned)
    : system_(&system), name_(std::move(name)), fd_(fd), owned_(owned) {}

File File::adopt(System& system, std::string name, int fd) {
    return {system, std::move(name), fd, true};
}

File File::borrow(System& system, std::string name, int fd) {
    return {system, std::move(name), fd, false};
}

File::File(File&& other) noexcept
    : system_(other.system_),
      name_(std::move(other.name_)),
      fd_(std::exchange(other.fd_, -1)),
      owned_(other.owned_),
      patch_(std::move(other.patch_)) {}

File::~File() {
    if (owned_ && fd_ >= 0) {
        system_->close(fd_);
    }
}

struct stat File::status() const {
    struct stat status {};
    if (const int result = system_->fstat(fd_, status); result < 0) {
        fail("look at", result);
    }
    return status;
}

std::uint64_t File::size() const {
    const struct stat status = this->status();
    if (!S_ISBLK(status.st_mode)) {
        return static_cast<std::uint64_t>(status.st_size);
    }
    const std::int64_t end = system_->lseek(fd_, 0, SEEK_END);
    if (end < 0) {
        fail("measure", end);
    }
    return static_cast<std::uint64_t>(end);
}

std::size_t File::read_some(std::span<std::byte> into, const std::function<void()>& interrupted) {
    ssize_t count = system_->read(fd_, into);
    while (count == -EINTR) {
        if (interrupted) {
            interrupted();
        }
        count = system_->read(fd_, into);
    }
    if (count < 0) {
        fail("read", count);
    }
    return static_cast<std::size_t>(count);
}

std::size_t File::read_at(std::span<std::byte> into, std::uint64_t offset) const {
    std::size_t done = 0;
    while (done < into.size()) {
        const ssize_t count =
            uninterrupted([&] { return system_->pread(fd_, into.subspan(done), offset + done); });
        if (count < 0) {
            fail("read", count);
        }
        if (count == 0) {
            break;
        }
        done += static_cast<std::size_t>(count);
    }
    if (patch_) {
        patch_(into.first(done), offset);
    }
    return done;
}

void File::write(std::span<const std::byte> from) {
    while (!from.empty()) {
        const ssize_t count = uninterrupted([&] { return system_->write(fd_, from); });
        if (count < 0) {
            fail("write", count);
        }
        from = from.subspan(static_cast<std::size_t>(count));
    }
}

void File::write_at(std::span<const std::byte> from, std::uint64_t offset) {
    while (!from.empty()) {
        const ssize_t count = uninterrupted([&] { return system_->pwrite(fd_, from, offset); });
        if (count < 0) {
            fail("write", count);
        }
        from = from.subspan(static_cast<std::size_t>(count));
        offset += static_cast<std::uint64_t>(count);
    }
}

void File::sync() {
    flush(&System::fsync);
}

void File::sync_data() {
    flush(&System::fdatasync);
}

void File::flush(int (System::*call)(int)) {
    const int result = uninterrupted([&] { return (system_->*call)(fd_); });
    // A file system that cannot do it (EINVAL, ENOSYS; folders on some) has nothing to wait for.
    if (result < 0 && result != -EINVAL && result != -ENOSYS && result != -ENOTSUP) {
        fail("flush to disk", result);
    }
}

void File::close() {
    if (owned_ && fd_ >= 0) {
        // Not repeated after EINTR: Linux has closed the descriptor then.
        const int result = system_->close(std::exchange(fd_, -1));
        if (result < 0 && result != -EINTR) {
            fail("write", result);
        }
    }
}

void File::fail(std::string_view action, std::int64_t error) const {
    io::fail(name_, action, error);
}

}  // namespace ckpt_lease::io
