// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "io/system.hpp"

namespace crash {

/// Thrown by the call at which the power goes or the process is killed. No std::exception: nothing
/// may catch it on its way. From then on every call fails and does nothing.
struct Stop {};

/// A disk with one folder, /d, and the only promise that disks give: what was flushed is there
/// after a power cut. Of what was not, anything may be there or not, in any order and in parts.
class Disk {
 public:
    /// Makes a file whose bytes and name are on disk.
    void put(const std::string& name, const std::string& bytes);
    /// Who owns the file `name`, with which mode, and how many names it has. Until then a file is
    /// the caller's, with mode 0600 and one name.
    void set_status(const std::string& name, uid_t owner, mode_t mode, nlink_t names);
    /// As the system shows it, flushed or not.
    [[nodiscard]] std::map<std::string, std::string> files() const;
    /// Of files(): to know states that have been met.
    [[nodiscard]] std::size_t hash() const;

    /// What may be left after a power cut now, each state once.
    [[nodiscard]] std::vector<Disk> after_power_cut() const;

 private:
    friend class ModelSystem;
    using Inode = int;

    // Either bytes of a file, or a name in the folder.
    struct Change {
        bool is_name = false;
        Inode inode = 0;
        std::uint64_t offset = 0;
        std::string bytes;
        bool is_truncation = false;  // to `offset`
        std::string name;
        bool removes = false;
        std::string old_name;  // of a rename, which is one change
    };
    struct State {
        std::map<std::string, Inode> names;
        std::map<Inode, std::string> contents;

        void apply(const Change& change);
        void write(Inode inode, std::uint64_t offset, const std::string& bytes);
        [[nodiscard]] std::size_t hash() const;
    };

    void change(Change change);
    void flush(Inode inode, bool names);
    [[nodiscard]] bool may_be_seen(Inode inode) const;

    struct Status {
        uid_t owner;
        mode_t mode;
        nlink_t names;
    };

    std::map<Inode, Status> statuses_;  // those that are not the usual ones
    State durable_;
    State shown_;
    std::vector<Change> unflushed_;
    Inode next_ = 1;
};

/// The system calls, carried out on a Disk. Standard input can be a file of it.
class ModelSystem final : public ckpt_lease::io::System {
 public:
    static constexpr int kNever = 1 << 30;

    explicit ModelSystem(Disk disk) : disk_(std::move(disk)) {}

    [[nodiscard]] const Disk& disk() const noexcept { return disk_; }
    /// Standard input is what this file holds; it cannot be read by place if `as_pipe`.
    void set_input(const std::string& name, bool as_pipe);

    /// The `n`-th call, counted from 1, and all after it do nothing; it, or the next that no
    /// destructor makes, throws Stop.
    void stop_at(int n) { stop_at_ = n; }
    [[nodiscard]] bool is_stopped() const noexcept { return stopped_; }
    /// The `n`-th call returns -`error` and does nothing.
    void fail_at(int n, int error) {
        fail_at_ = n;
        error_ = error;
    }
    /// The `n`-th call, if it moves bytes, moves but one.
    void cut_short_at(int n) { cut_at_ = n; }
    [[nodiscard]] int calls() const noexcept { return calls_; }
    /// The name of the call that stopped, failed or was cut short; empty if none was.
    [[nodiscard]] const std::string& hit() const noexcept { return hit_; }
    /// What was written to standard output and error.
    [[nodiscard]] const std::string& output(int fd) { return output_[fd]; }
    /// Adds to that, without a system call.
    void note(int fd, const std::string& text) { output_[fd] += text; }

    int open(int folder, const std::string& name, int flags, mode_t mode) override;
    int close(int fd) override;
    ssize_t read(int fd, std::span<std::byte> into) override;
    ssize_t pread(int fd, std::span<std::byte> into, std::uint64_t offset) override;
    ssize_t write(int fd, std::span<const std::byte> from) override;
    ssize_t pwrite(int fd, std::span<const std::byte> from, std::uint64_t offset) override;
    std::int64_t lseek(int fd, std::int64_t offset, int whence) override;
    ssize_t copy_file_range(int in, std::uint64_t in_offset, int out, std::uint64_t out_offset,
                            std::size_t length) override;
    int clone(int in, int out) override;
    ssize_t splice(int in, std::int64_t in_offset, int out, std::size_t length) override;
    int set_pipe_size(int fd, int size) override;
    int ftruncate(int fd, std::uint64_t length) override;
    int fsync(int fd) override;
    int fdatasync(int fd) override;
    int lock(int fd, short type, bool wait) override;
    int fstat(int fd, struct stat& into) override;
    int fchown(int fd, uid_t owner, gid_t group) override;
    int fchmod(int fd, mode_t mode) override;
    int rename(int folder, const std::string& from, const std::string& to, unsigned flags) override;
    int unlink(int folder, const std::string& name) override;
    int readlink(int link, std::string& into) override;
    int file_system_of(int fd, std::int64_t& kind) override;
    ssize_t flistxattr(int fd, std::span<std::byte> into) override;
    ssize_t fgetxattr(int fd, const std::string& name, std::span<std::byte> into) override;
    int fsetxattr(int fd, const std::string& name, std::span<const std::byte> value) override;
    int fremovexattr(int fd, const std::string& name) override;
    void pause(std::chrono::milliseconds time) override;

 private:
    struct Open {
        Disk::Inode inode = 0;  // 0: the folder, or one above it
        std::uint64_t at = 0;
        bool is_pipe = false;
        std::string link;  // where it leads, if it is a link
    };
    [[nodiscard]] std::string path_of(int fd);

    template <typename Call>
    auto run(const char* name, Call call) -> decltype(call());
    Open* find(int fd);
    ssize_t get(Open& file, std::span<std::byte> into, std::uint64_t offset);
    ssize_t put(const Open& file, std::span<const std::byte> from, std::uint64_t offset);
    [[nodiscard]] std::size_t limited(std::size_t count) const {
        return is_cut_ ? std::min<std::size_t>(count, 1) : count;
    }

    std::mutex mutex_;  // archives are compressed by a thread, which writes them
    Disk disk_;
    std::map<int, Open> open_;
    std::map<int, std::string> output_;
    int next_fd_ = 10;
    int calls_ = 0;
    int stop_at_ = kNever;
    int fail_at_ = kNever;
    int cut_at_ = kNever;
    int error_ = 0;
    bool is_cut_ = false;
    bool stopped_ = false;
    std::string hit_;
};

}  // namespace crash
