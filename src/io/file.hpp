// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <fcntl.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "io/system.hpp"

namespace ckpt_lease::io {

/// An open file that knows its name. Interrupted calls and short counts are carried on here, and
/// whatever else the system refuses becomes Error(io), naming the file and what was tried.
class File {
 public:
    /// Opens `path` with open(2)'s `flags` (O_CLOEXEC is added); `mode` is for new files.
    File(System& system, std::string path, int flags, mode_t mode = 0);
    /// Takes over an open descriptor.
    [[nodiscard]] static File adopt(System& system, std::string name, int fd);
    /// Uses an open descriptor that stays open afterwards: standard input and output.
    [[nodiscard]] static File borrow(System& system, std::string name, int fd);
    File(File&& other) noexcept;
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    File& operator=(File&&) = delete;
    ~File();

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] System& system() const noexcept { return *system_; }
    [[nodiscard]] int fd() const noexcept { return fd_; }

    [[nodiscard]] struct stat status() const;
    /// The size in bytes of a regular file or block device.
    [[nodiscard]] std::uint64_t size() const;

    /// Reads what is there next, at most `into.size()` bytes; 0 at the end. A pipe may have to be
    /// waited for: `interrupted` is called when a signal comes meanwhile, and may throw.
    std::size_t read_some(std::span<std::byte> into, const std::function<void()>& interrupted = {});
    /// Fills `into` from `offset` on; fewer bytes only where the file ends. What patch_reads() was
    /// told is done to them.
    [[nodiscard]] std::size_t read_at(std::span<std::byte> into, std::uint64_t offset) const;
    void write(std::span<const std::byte> from);
    void write_at(std::span<const std::byte> from, std::uint64_t offset);
    /// fsync(2), where the file system knows it.
    void sync();
    /// fdatasync(2): enough for a file whose size has not changed.
    void sync_data();
    /// Gives the descriptor away, which stays open.
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
    /// Closes the file and reports what close(2) may still have to say (on NFS, a full disk).
    void close();

    /// Has `patch` change whatever read_at() reads, before the reader sees it.
    using Patch = std::function<void(std::span<std::byte> window, std::uint64_t offset)>;
    void patch_reads(Patch patch) { patch_ = std::move(patch); }
    [[nodiscard]] bool is_patched() const noexcept { return patch_ != nullptr; }

    /// Throws Error(io): "cannot `action`: " and what `error`, a negative errno, means.
    [[noreturn]] void fail(std::string_view action, std::int64_t error) const;

 private:
    File(System& system, std::string name, int fd, bool owned);
    void flush(int (System::*call)(int));

    System* system_;
    std::string name_;
    int fd_ = -1;
    bool owned_ = true;
    Patch patch_;
};

/// Throws Error(io) about `name`, which need not be open: see File::fail().
[[noreturn]] void fail(const std::string& name, std::string_view action, std::int64_t error);

/// Calls `call` until the result is not -EINTR.
template <typename Call>
auto uninterrupted(Call call) {
    auto result = call();
    while (result == -EINTR) {
        result = call();
    }
    return result;
}

}  // namespace ckpt_lease::io
