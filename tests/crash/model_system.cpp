// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <linux/fs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "disk_model.hpp"

namespace crash {
namespace {

constexpr const char* kFolder = "/d";

// Paths are names in the one folder, with or without it in front.
std::string name_of(const std::string& path) {
    for (const std::string& start : {std::string(kFolder) + "/", std::string("./")}) {
        if (path.starts_with(start)) {
            return path.substr(start.size());
        }
    }
    return path;
}

// The folder, and the steps to it: none of its files is called so.
bool is_folder(const std::string& path) {
    return path == kFolder || path == "." || path == "/" || path == &kFolder[1];
}

}  // namespace

template <typename Call>
auto ModelSystem::run(const char* name, Call call) -> decltype(call()) {
    const std::lock_guard lock(mutex_);
    // Destructors make these calls, and must not throw. Whatever is called next does.
    const bool may_throw = name != std::string_view("close") && name != std::string_view("unlink");
    if (!stopped_) {
        ++calls_;
        is_cut_ = calls_ == cut_at_;
        stopped_ = calls_ == stop_at_;
        if (stopped_ || is_cut_ || calls_ == fail_at_) {
            hit_ = name;
        }
    }
    if (stopped_) {
        return may_throw ? throw Stop() : -EIO;
    }
    return calls_ == fail_at_ ? -error_ : call();
}

ModelSystem::Open* ModelSystem::find(int fd) {
    const auto found = open_.find(fd);
    return found == open_.end() ? nullptr : &found->second;
}

void ModelSystem::set_input(const std::string& name, bool as_pipe) {
    open_[STDIN_FILENO] = {disk_.shown_.names.at(name), 0, as_pipe};
}

std::string ModelSystem::path_of(int fd) {
    const Open* const file = find(fd);
    if (file == nullptr || file->inode == 0) {
        return kFolder;
    }
    for (const auto& [name, inode] : disk_.shown_.names) {
        if (inode == file->inode) {
            return std::string(kFolder) + "/" + name;
        }
    }
    return "/gone (deleted)";
}

int ModelSystem::open(int /*folder*/, const std::string& path, int flags, mode_t /*mode*/) {
    constexpr std::string_view kDoors = "/proc/self/fd/";
    return run("open", [&] {
        if ((flags & O_TMPFILE) == O_TMPFILE) {
            const Disk::Inode inode = disk_.next_++;
            disk_.shown_.contents[inode];
            open_[next_fd_] = {.inode = inode};
            return next_fd_++;
        }
        if (is_folder(path)) {
            open_[next_fd_] = {};
            return next_fd_++;
        }
        if (path.starts_with(kDoors)) {
            const std::string target = path_of(std::stoi(path.substr(kDoors.size())));
            open_[next_fd_] = {.link = target};
            return next_fd_++;
        }
        const std::string name = name_of(path);
        const auto found = disk_.shown_.names.find(name);
        Disk::Inode inode = 0;
        if (found != disk_.shown_.names.end()) {
            if ((flags & O_EXCL) != 0) {
                return -EEXIST;
            }
            inode = found->second;
        } else {
            if ((flags & O_CREAT) == 0) {
                return -ENOENT;
            }
            inode = disk_.next_++;
            disk_.shown_.contents[inode];
            disk_.change({.is_name = true, .inode = inode, .name = name});
        }
        open_[next_fd_] = {.inode = inode};
        return next_fd_++;
    });
}

int ModelSystem::close(int fd) {
    // Closed whatever it reports, as on Linux.
    open_.erase(fd);
    return run("close", [] { return 0; });
}

ssize_t ModelSystem::get(Open& file, std::span<std::byte> into, std::uint64_t offset) {
    const std::string& bytes = disk_.shown_.contents.at(file.inode);
    if (offset >= bytes.size()) {
        return 0;
    }
    const auto at = static_cast<std::size_t>(offset);
    const std::size_t count = std::min(limited(into.size()), bytes.size() - at);
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), count,
                reinterpret_cast<char*>(into.data()));
    return static_cast<ssize_t>(count);
}

ssize_t ModelSystem::put(const Open& file, std::span<const std::byte> from, std::uint64_t offset) {
    const std::size_t count = limited(from.size());
    disk_.change({.inode = file.inode,
                  .offset = offset,
                  .bytes = std::string(reinterpret_cast<const char*>(from.data()), count)});
    return static_cast<ssize_t>(count);
}

ssize_t ModelSystem::read(int fd, std::span<std::byte> into) {
    return run("read", [&]() -> ssize_t {
        Open* const file = find(fd);
        if (file == nullptr) {
            return -EBADF;
        }
        const ssize_t count = get(*file, into, file->at);
        file->at += static_cast<std::uint64_t>(count);
        return count;
    });
}

ssize_t ModelSystem::pread(int fd, std::span<std::byte> into, std::uint64_t offset) {
    return run("pread", [&]() -> ssize_t {
        Open* const file = find(fd);
        return file == nullptr ? -EBADF : get(*file, into, offset);
    });
}

ssize_t ModelSystem::write(int fd, std::span<const std::byte> from) {
    return run("write", [&]() -> ssize_t {
        if (fd == STDOUT_FILENO || fd == STDERR_FILENO) {
            const std::size_t count = limited(from.size());
            output_[fd].append(reinterpret_cast<const char*>(from.data()), count);
            return static_cast<ssize_t>(count);
        }
        Open* const file = find(fd);
        if (file == nullptr) {
            return -EBADF;
        }
        const ssize_t count = put(*file, from, file->at);
        file->at += static_cast<std::uint64_t>(count);
        return count;
    });
}

ssize_t ModelSystem::pwrite(int fd, std::span<const std::byte> from, std::uint64_t offset) {
    return run("pwrite", [&]() -> ssize_t {
        Open* const file = find(fd);
        return file == nullptr ? -EBADF : put(*file, from, offset);
    });
}

std::int64_t ModelSystem::lseek(int fd, std::int64_t offset, int whence) {
    return run("lseek", [&]() -> std::int64_t {
        Open* const file = find(fd);
        if (file == nullptr) {
            return -EBADF;
        }
        if (file->is_pipe) {
            return -ESPIPE;
        }
        if (whence == SEEK_CUR) {
            return static_cast<std::int64_t>(file->at) + offset;
        }
        return -EINVAL;  // it knows no holes
    });
}

ssize_t ModelSystem::copy_file_range(int in, std::uint64_t in_offset, int out,
                                     std::uint64_t out_offset, std::size_t length) {
    return run("copy_file_range", [&]() -> ssize_t {
        std::vector<std::byte> bytes(std::min<std::size_t>(length, 1 << 20));
        const ssize_t got = get(*find(in), bytes, in_offset);
        return got <= 0 ? got
                        : put(*find(out), std::span(bytes).first(static_cast<std::size_t>(got)),
                              out_offset);
    });
}

int ModelSystem::clone(int /*in*/, int /*out*/) {
    return run("clone", [] { return -ENOTSUP; });
}

int ModelSystem::set_pipe_size(int fd, int size) {
    return run("set_pipe_size", [&] {
        const Open* const open = find(fd);
        return open != nullptr && open->is_pipe ? size : -EBADF;
    });
}

ssize_t ModelSystem::splice(int in, std::int64_t in_offset, int out, std::size_t length) {
    return run("splice", [&]() -> ssize_t {
        Open* const from = find(in);
        Open* const to = find(out);
        if (from == nullptr || to == nullptr || !from->is_pipe) {
            return -EINVAL;
        }
        std::vector<std::byte> bytes(std::min<std::size_t>(length, 64));
        const ssize_t got = get(*from, bytes, from->at);
        if (got <= 0) {
            return got;
        }
        const auto moved = std::span(bytes).first(static_cast<std::size_t>(got));
        const ssize_t written = put(*to, moved, to->at);
        from->at += static_cast<std::uint64_t>(written);
        to->at += static_cast<std::uint64_t>(written);
        static_cast<void>(in_offset);
        return written;
    });
}

int ModelSystem::ftruncate(int fd, std::uint64_t length) {
    return run("ftruncate", [&] {
        disk_.change({.inode = find(fd)->inode, .offset = length, .is_truncation = true});
        return 0;
    });
}

int ModelSystem::fsync(int fd) {
    return run("fsync", [&] {
        const Disk::Inode inode = find(fd)->inode;
        disk_.flush(inode, inode == 0);
        return 0;
    });
}

int ModelSystem::fdatasync(int fd) {
    return run("fdatasync", [&] {
        disk_.flush(find(fd)->inode, false);
        return 0;
    });
}

int ModelSystem::lock(int /*fd*/, short /*type*/, bool /*wait*/) {
    return run("lock", [] { return 0; });
}

int ModelSystem::fstat(int fd, struct stat& into) {
    return run("fstat", [&] {
        into = {};
        into.st_dev = 1;
        into.st_nlink = 1;
        into.st_uid = geteuid();
        into.st_gid = getegid();
        const Open* const file = find(fd);
        if (file == nullptr) {
            into.st_mode = S_IFCHR | 0600;  // standard output and error
            return 0;
        }
        into.st_ino = static_cast<ino_t>(file->inode);
        into.st_mode = file->inode == 0 ? S_IFDIR | 0700 : S_IFREG | 0600;
        if (file->is_pipe) {
            into.st_mode = S_IFIFO | 0600;
        }
        if (const auto special = disk_.statuses_.find(file->inode);
            special != disk_.statuses_.end()) {
            into.st_uid = special->second.owner;
            into.st_mode = S_IFREG | special->second.mode;
            into.st_nlink = special->second.names;
        }
        if (file->inode != 0) {
            into.st_size = static_cast<off_t>(disk_.shown_.contents.at(file->inode).size());
        }
        return 0;
    });
}

int ModelSystem::fchown(int /*fd*/, uid_t /*owner*/, gid_t /*group*/) {
    return run("fchown", [] { return 0; });
}

int ModelSystem::fchmod(int /*fd*/, mode_t /*mode*/) {
    return run("fchmod", [] { return 0; });
}

int ModelSystem::rename(int /*folder*/, const std::string& from, const std::string& to,
                        unsigned flags) {
    return run("rename", [&] {
        const auto found = disk_.shown_.names.find(from);
        if (found == disk_.shown_.names.end()) {
            return -ENOENT;
        }
        if (flags == RENAME_NOREPLACE && disk_.shown_.names.count(to) != 0) {
            return -EEXIST;
        }
        disk_.change({.is_name = true, .inode = found->second, .name = to, .old_name = from});
        return 0;
    });
}

int ModelSystem::unlink(int /*folder*/, const std::string& name) {
    return run("unlink", [&] {
        if (disk_.shown_.names.count(name) == 0) {
            return -ENOENT;
        }
        disk_.change({.is_name = true, .name = name, .removes = true});
        return 0;
    });
}

int ModelSystem::readlink(int link, std::string& into) {
    return run("readlink", [&] {
        const Open* const file = find(link);
        if (file == nullptr || file->link.empty()) {
            return -EINVAL;
        }
        into = file->link;
        return 0;
    });
}

int ModelSystem::file_system_of(int /*fd*/, std::int64_t& kind) {
    return run("file_system_of", [&] {
        kind = 0;
        return 0;
    });
}

// It has no attributes.
ssize_t ModelSystem::flistxattr(int /*fd*/, std::span<std::byte> /*into*/) {
    return run("flistxattr", []() -> ssize_t { return -ENOTSUP; });
}
ssize_t ModelSystem::fgetxattr(int /*fd*/, const std::string& /*name*/,
                               std::span<std::byte> /*into*/) {
    return run("fgetxattr", []() -> ssize_t { return -ENOTSUP; });
}
int ModelSystem::fsetxattr(int /*fd*/, const std::string& /*name*/,
                           std::span<const std::byte> /*value*/) {
    return run("fsetxattr", [] { return -ENOTSUP; });
}
int ModelSystem::fremovexattr(int /*fd*/, const std::string& /*name*/) {
    return run("fremovexattr", [] { return -ENOTSUP; });
}

void ModelSystem::pause(std::chrono::milliseconds /*time*/) {}

}  // namespace crash
