// SPDX-License-Identifier: GPL-2.0-or-later
#include "rewrite/paths.hpp"

#include <fcntl.h>

#include <cerrno>

#include "ckpt-lease/base/problem.hpp"

namespace ckpt_lease {

std::string folder_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash == 0 ? 1 : slash);
}

std::string name_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? path : path.substr(slash + 1);
}

std::string resolve(io::System& system, const std::string& path) {
    std::string real;
    if (const int result = system.realpath(path, real); result < 0) {
        io::fail(path, "find", result);
    }
    return real;
}

std::optional<struct stat> status_if_there(io::System& system, const std::string& path) {
    const int fd = io::uninterrupted([&] { return system.open(path, O_PATH | O_CLOEXEC, 0); });
    if (fd >= 0) {
        return io::File::adopt(system, path, fd).status();
    }
    if (fd != -ENOENT) {
        io::fail(path, "find", fd);
    }
    const int link =
        io::uninterrupted([&] { return system.open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0); });
    if (link >= 0) {
        static_cast<void>(io::File::adopt(system, path, link));
        throw Error(Error::Kind::io,
                    {.file = path,
                     .message = "this is a symbolic link that leads nowhere",
                     .hint = "remove it, or name the file that it should lead to"});
    }
    return std::nullopt;
}

bool is_same_file(const struct stat& a, const struct stat& b) noexcept {
    return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

void sync_folder(io::System& system, const std::string& path) {
    io::File folder(system, folder_of(path), O_RDONLY | O_DIRECTORY);
    folder.sync();
}

void remove_durably(io::System& system, const std::string& path) {
    const int result = io::uninterrupted([&] { return system.unlink(path); });
    if (result < 0) {
        io::fail(path, "remove", result);
    }
    sync_folder(system, path);
}

}  // namespace ckpt_lease
