// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <map>
#include <span>
#include <string>

#include "io/system.hpp"

namespace ckpt_lease {

/// The kernel, counting what is asked of it, and failing where it is told to. Calls are counted
/// from 1.
class FakeSystem final : public io::System {
 public:
    /// The `n`-th call of all returns -`error`, once.
    void fail_call(int n, int error) { planned_ = {"", n, error}; }
    /// The `n`-th call of `name` returns -`error`, once.
    void fail_call(const std::string& name, int n, int error) { planned_ = {name, n, error}; }
    /// All calls of `name` return -`error`.
    void fail_all(const std::string& name, int error) { always_[name] = error; }
    /// Reading and writing calls move no more than `most` bytes each.
    void limit_counts(std::size_t most) { most_ = most; }
    /// Files can be cloned, as on XFS and Btrfs.
    void let_clone() { can_clone_ = true; }
    /// Has `change` make of what fstat says of a file what is to be seen: other owners, for those
    /// who cannot give files away.
    void disguise(std::function<void(struct stat&)> change) { disguise_ = std::move(change); }
    /// Is called before each call, with its name.
    void before_calls(std::function<void(const std::string&)> hook) { hook_ = std::move(hook); }

    [[nodiscard]] int count(const std::string& name) const {
        const auto found = counts_.find(name);
        return found == counts_.end() ? 0 : found->second;
    }
    /// The call that was made to fail by number, or empty.
    [[nodiscard]] const std::string& failed() const { return failed_; }

    int open(int folder, const std::string& name, int flags, mode_t mode) override {
        return run("open", [&] { return real_.open(folder, name, flags, mode); });
    }
    int close(int fd) override {
        // As on Linux, the descriptor is closed even if close(2) reports an error.
        const int result = real_.close(fd);
        return run("close", [&] { return result; });
    }
    ssize_t read(int fd, std::span<std::byte> into) override {
        return run("read", [&] { return real_.read(fd, limited(into)); });
    }
    ssize_t pread(int fd, std::span<std::byte> into, std::uint64_t offset) override {
        return run("pread", [&] { return real_.pread(fd, limited(into), offset); });
    }
    ssize_t write(int fd, std::span<const std::byte> from) override {
        return run("write", [&] { return real_.write(fd, limited(from)); });
    }
    ssize_t pwrite(int fd, std::span<const std::byte> from, std::uint64_t offset) override {
        return run("pwrite", [&] { return real_.pwrite(fd, limited(from), offset); });
    }
    std::int64_t lseek(int fd, std::int64_t offset, int whence) override {
        return run("lseek", [&] { return real_.lseek(fd, offset, whence); });
    }
    ssize_t copy_file_range(int in, std::uint64_t in_offset, int out, std::uint64_t out_offset,
                            std::size_t length) override {
        return run("copy_file_range", [&] {
            return real_.copy_file_range(in, in_offset, out, out_offset, std::min(length, most_));
        });
    }
    int clone(int in, int out) override {
        return run("clone", [&] { return can_clone_ ? copy(in, out) : real_.clone(in, out); });
    }
    ssize_t splice(int in, std::int64_t in_offset, int out, std::size_t length) override {
        return run("splice",
                   [&] { return real_.splice(in, in_offset, out, std::min(length, most_)); });
    }
    int set_pipe_size(int fd, int size) override {
        return run("set_pipe_size", [&] { return real_.set_pipe_size(fd, size); });
    }
    int ftruncate(int fd, std::uint64_t length) override {
        return run("ftruncate", [&] { return real_.ftruncate(fd, length); });
    }
    int fsync(int fd) override {
        return run("fsync", [&] { return real_.fsync(fd); });
    }
    int fdatasync(int fd) override {
        return run("fdatasync", [&] { return real_.fdatasync(fd); });
    }
    int lock(int fd, short type, bool wait) override {
        return run("lock", [&] { return real_.lock(fd, type, wait); });
    }
    int fstat(int fd, struct stat& into) override {
        return run("fstat", [&] {
            const int result = real_.fstat(fd, into);
            if (result == 0 && disguise_) {
                disguise_(into);
            }
            return result;
        });
    }
    int fchown(int fd, uid_t owner, gid_t group) override {
        return run("fchown", [&] { return real_.fchown(fd, owner, group); });
    }
    int fchmod(int fd, mode_t mode) override {
        return run("fchmod", [&] { return real_.fchmod(fd, mode); });
    }
    int rename(int folder, const std::string& from, const std::string& to,
               unsigned flags) override {
        return run("rename", [&] { return real_.rename(folder, from, to, flags); });
    }
    int unlink(int folder, const std::string& name) override {
        return run("unlink", [&] { return real_.unlink(folder, name); });
    }
    int readlink(int link, std::string& into) override {
        return run("readlink", [&] { return real_.readlink(link, into); });
    }
    int file_system_of(int fd, std::int64_t& kind) override {
        return run("file_system_of", [&] { return real_.file_system_of(fd, kind); });
    }
    ssize_t flistxattr(int fd, std::span<std::byte> into) override {
        return run("flistxattr", [&] { return real_.flistxattr(fd, into); });
    }
    ssize_t fgetxattr(int fd, const std::string& name, std::span<std::byte> into) override {
        return run("fgetxattr", [&] { return real_.fgetxattr(fd, name, into); });
    }
    int fsetxattr(int fd, const std::string& name, std::span<const std::byte> value) override {
        return run("fsetxattr", [&] { return real_.fsetxattr(fd, name, value); });
    }
    int fremovexattr(int fd, const std::string& name) override {
        return run("fremovexattr", [&] { return real_.fremovexattr(fd, name); });
    }
    void pause(std::chrono::milliseconds time) override {
        run("pause", [&] {
            real_.pause(time);
            return 0;
        });
    }

 private:
    struct Planned {
        std::string name;  // empty: any
        int n = 0;
        int error = 0;
    };

    template <typename Call>
    auto run(const std::string& name, Call call) -> decltype(call()) {
        if (hook_) {
            hook_(name);
        }
        const int of_name = ++counts_[name];
        const int of_all = ++total_;
        const int number = planned_.name.empty() ? of_all : of_name;
        if (planned_.n == number && (planned_.name.empty() || planned_.name == name)) {
            failed_ = name;
            return -planned_.error;
        }
        if (const auto found = always_.find(name); found != always_.end()) {
            return -found->second;
        }
        return call();
    }

    // What a clone is, to those who read it.
    int copy(int in, int out) {
        std::array<std::byte, 4096> bytes{};
        std::uint64_t at = 0;
        ssize_t got = 0;
        while ((got = real_.pread(in, bytes, at)) > 0) {
            const auto piece = std::span(bytes).first(static_cast<std::size_t>(got));
            at += static_cast<std::uint64_t>(real_.pwrite(out, piece, at));
        }
        return 0;
    }

    template <typename Byte>
    [[nodiscard]] std::span<Byte> limited(std::span<Byte> bytes) const {
        return bytes.first(std::min(bytes.size(), most_));
    }

    io::System& real_ = io::posix_system();
    Planned planned_;
    std::map<std::string, int> always_;
    std::size_t most_ = SIZE_MAX;
    bool can_clone_ = false;
    std::function<void(const std::string&)> hook_;
    std::function<void(struct stat&)> disguise_;
    std::map<std::string, int> counts_;
    int total_ = 0;
    std::string failed_;
};

}  // namespace ckpt_lease
