// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/rewrite/writers.hpp"

namespace ckpt_lease {
namespace {

constexpr int kTries = 100;
constexpr std::size_t kLongestName = 200;  // leaves room for what is added, up to NAME_MAX

std::string folder_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash == 0 ? 1 : slash);
}

std::string name_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? path : path.substr(slash + 1);
}

// Nobody else may look into it before it has the mode it should have, nor put a link in its way.
io::File create_beside(io::System& system, const std::string& path, std::string& temporary) {
    constexpr int kFlags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW;
    constexpr mode_t kOnlyOwner = 0600;
    const std::string folder = folder_of(path);
    for (int attempt = 0;; ++attempt) {
        temporary = fmt::format("{}/.{}.ckpt-lease-{}-{}", folder,
                                name_of(path).substr(0, kLongestName), getpid(), attempt);
        const int fd = io::uninterrupted(
            [&] { return system.open(temporary, kFlags | O_CLOEXEC, kOnlyOwner); });
        if (fd >= 0) {
            // Messages name the file that the user asked for.
            return io::File::adopt(system, path, fd);
        }
        if (fd != -EEXIST || attempt == kTries) {
            io::fail(path, "create a file beside it", fd);
        }
    }
}

}  // namespace

NewFile::NewFile(io::System& system, const std::string& path)
    : system_(system),
      path_(path),
      folder_(folder_of(path)),
      file_(create_beside(system, path, temporary_)) {}

NewFile::~NewFile() {
    if (!committed_) {
        system_.unlink(temporary_);
    }
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
    io::File folder(system_, folder_, O_RDONLY | O_DIRECTORY);
    folder.sync();
}

}  // namespace ckpt_lease
