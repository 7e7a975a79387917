// SPDX-License-Identifier: GPL-2.0-or-later
#include "rewrite/copy.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "ckpt-lease/base/problem.hpp"

namespace ckpt_lease {
namespace {

// Small enough that progress can be told and the user be heard every now and then.
constexpr std::uint64_t kStep = std::uint64_t{64} * 1024 * 1024;

bool is_unsupported(std::int64_t result) {
    return result == -EINVAL || result == -EXDEV || result == -ENOSYS || result == -EOPNOTSUPP ||
           result == -EBADF || result == -EPERM;
}

class Copier {
 public:
    Copier(const io::File& in, io::File& out, const io::Progress& progress)
        : in_(in), out_(out), progress_(progress) {}

    void copy() {
        const std::uint64_t size = in_.size();
        // Whatever speaks against it: the bytes themselves can be copied everywhere.
        if (in_.system().clone(in_.fd(), out_.fd()) == 0) {
            return;
        }
        std::uint64_t at = 0;
        while (at < size) {
            const auto [begin, end] = next_data(at, size);
            copy_data(begin, end);
            at = end;
        }
        const int result =
            io::uninterrupted([&] { return out_.system().ftruncate(out_.fd(), size); });
        if (result < 0) {
            out_.fail("write", result);
        }
    }

 private:
    struct Segment {
        std::uint64_t begin;
        std::uint64_t end;
    };

    // The bytes from `at` on that are no hole; on file systems that know no holes, all.
    Segment next_data(std::uint64_t at, std::uint64_t size) {
        io::System& system = in_.system();
        const std::int64_t data = system.lseek(in_.fd(), static_cast<std::int64_t>(at), SEEK_DATA);
        if (data == -ENXIO) {
            return {size, size};
        }
        if (data < 0) {
            return {at, size};
        }
        const std::int64_t hole = system.lseek(in_.fd(), data, SEEK_HOLE);
        const auto begin = static_cast<std::uint64_t>(data);
        return {begin, hole < 0 ? size : std::min(static_cast<std::uint64_t>(hole), size)};
    }

    void copy_data(std::uint64_t at, std::uint64_t end) {
        while (at < end) {
            const std::uint64_t copied = copy_some(at, std::min(end - at, kStep));
            if (copied == 0) {
                throw Error(Error::Kind::damaged,
                            {.file = in_.name(),
                             .offset = at,
                             .message = "the image became shorter while it was copied",
                             .hint = "somebody else writes to this file; wait until it is whole"});
            }
            at += copied;
            if (progress_) {
                progress_(at);
            }
        }
    }

    std::uint64_t copy_some(std::uint64_t at, std::uint64_t count) {
        if (kernel_copies_) {
            constexpr std::uint64_t kMostAtOnce = 1U << 30U;  // a ssize_t of 32 bits holds it
            const auto some = static_cast<std::size_t>(std::min(count, kMostAtOnce));
            const ssize_t result = io::uninterrupted(
                [&] { return out_.system().copy_file_range(in_.fd(), at, out_.fd(), at, some); });
            if (result > 0) {
                return static_cast<std::uint64_t>(result);
            }
            if (result < 0 && !is_unsupported(result)) {
                out_.fail("write", result);
            }
            kernel_copies_ = false;
        }
        buffer_.resize(kBufferSize);
        const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(count, kBufferSize));
        const std::size_t got = in_.read_at(std::span(buffer_).first(wanted), at);
        out_.write_at(std::span(buffer_).first(got), at);
        return got;
    }

    const io::File& in_;
    io::File& out_;
    const io::Progress& progress_;
    bool kernel_copies_ = true;
    std::vector<std::byte> buffer_;
};

}  // namespace

void copy_contents(const io::File& in, io::File& out, const io::Progress& progress) {
    Copier(in, out, progress).copy();
}

}  // namespace ckpt_lease
