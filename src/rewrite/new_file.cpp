// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/rewrite/writers.hpp"
#include "rewrite/paths.hpp"

namespace ckpt_lease {
namespace {

constexpr int kNameTries = 100;
constexpr std::size_t kLongestTemporaryName = 200;  // leaves room for what is added, up to NAME_MAX

// Nobody else may look into it before it has the mode it should have, nor put a link in its way.
int create(io::System& system, const std::string& path) {
    constexpr int kFlags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    constexpr mode_t kOnlyOwner = 0600;
    return io::uninterrupted([&] { return system.open(path, kFlags, kOnlyOwner); });
}

io::File create_beside(io::System& system, const std::string& path, NewFile::Name name,
                       std::string& temporary) {
    const bool is_fixed = name == NewFile::Name::fixed;
    const std::string start =
        folder_of(path) + "/." +
        name_of(path).substr(0, is_fixed ? std::string::npos : kLongestTemporaryName);
    for (int attempt = 0;; ++attempt) {
        temporary = is_fixed ? start + ".new"
                             : fmt::format("{}.ckpt-lease-{}-{}", start, getpid(), attempt);
        const int fd = create(system, temporary);
        if (fd >= 0) {
            // Messages name the file that the user asked for.
            return io::File::adopt(system, path, fd);
        }
        if (fd != -EEXIST || attempt == kNameTries) {
            io::fail(path, is_fixed ? "create" : "create a file beside it", fd);
        }
        if (is_fixed) {
            system.unlink(temporary);  // somebody was killed here
        }
    }
}

}  // namespace

NewFile::NewFile(io::System& system, const std::string& path, Name name)
    : system_(system), path_(path), file_(create_beside(system, path, name, temporary_)) {}

NewFile::~NewFile() {
    if (!committed_) {
        system_.unlink(temporary_);
    }
}

void NewFile::take_owner_and_mode(const struct stat& from) {
    const struct stat found = file_.status();
    if (from.st_uid != found.st_uid || from.st_gid != found.st_gid) {
        const int result = system_.fchown(file_.fd(), from.st_uid, from.st_gid);
        if (result == -EPERM) {
            return;
        }
        if (result < 0) {
            io::fail(path_, "set the owner of", result);
        }
    }
    set_mode(from.st_mode);
}

void NewFile::set_mode(mode_t mode) {
    constexpr mode_t kPermissions = 0777;
    if (const int result = system_.fchmod(file_.fd(), mode & kPermissions); result < 0) {
        io::fail(path_, "set the mode of", result);
    }
}

void NewFile::commit() {
    file_.sync();
    file_.close();
    const int result = io::uninterrupted([&] { return system_.rename(temporary_, path_); });
    if (result < 0) {
        io::fail(path_, "replace", result);
    }
    committed_ = true;
    sync_folder(system_, path_);
}

}  // namespace ckpt_lease
