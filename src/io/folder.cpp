// SPDX-License-Identifier: GPL-2.0-or-later
#include "io/folder.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>

#include <array>
#include <cerrno>

#include "ckpt-lease/base/problem.hpp"
#include "io/trust.hpp"

namespace ckpt_lease::io {
namespace {

constexpr int kLookAt = O_PATH | O_NOFOLLOW | O_CLOEXEC;

std::string joined(const std::string& folder, std::string_view name) {
    if (folder.empty() || name == ".") {
        return folder.empty() ? std::string(name) : folder;
    }
    return fmt::format("{}{}{}", folder, folder.ends_with('/') ? "" : "/", name);
}

}  // namespace

std::shared_ptr<const Folder> Folder::open(System& system, const std::string& path,
                                           std::chrono::milliseconds patience) {
    const Place place = find_place(system, path, "open");
    place.check_links();
    auto folder = place.open_folder();
    if (folder->distrust_) {
        place.check_links(folder->status());
    }
    *folder->patience_ = patience;
    return folder;
}

std::string Folder::path_of(std::string_view name) const {
    return joined(path(), name);
}

std::string Folder::real_path() const {
    std::string real = path_of_descriptor(system(), folder_.fd());
    return real.empty() ? path() : real;
}

std::optional<struct stat> Folder::status_of(const std::string& name) const {
    const int fd = open_file(name, O_PATH);
    if (fd == -ENOENT) {
        return std::nullopt;
    }
    if (fd < 0) {
        fail(path_of(name), "find", fd);
    }
    return File::adopt(system(), path_of(name), fd).status();
}

int Folder::open_file(const std::string& name, int flags, mode_t mode) const {
    return uninterrupted(
        [&] { return system().open(folder_.fd(), name, flags | O_NOFOLLOW | O_CLOEXEC, mode); });
}

// The kernel would wait for the holder of a lease, who can take it again and again.
int Folder::open_regular(const std::string& name, int flags, const std::string& shown) const {
    return with_patience(system(), *patience_, shown,
                         [&] { return open_file(name, flags | O_NONBLOCK | O_NOCTTY); });
}

int Folder::open_door(const std::string& name, int flags) const {
    return uninterrupted([&] { return system().open(folder_.fd(), name, flags | O_CLOEXEC, 0); });
}

int Folder::rename(const std::string& from, const std::string& to) const {
    return uninterrupted([&] { return system().rename(folder_.fd(), from, to, 0); });
}

int Folder::rename_to_new(const std::string& from, const std::string& to) const {
    const int result =
        uninterrupted([&] { return system().rename(folder_.fd(), from, to, RENAME_NOREPLACE); });
    return result == -EINVAL || result == -ENOSYS ? rename(from, to) : result;
}

int Folder::remove(const std::string& name) const {
    return uninterrupted([&] { return system().unlink(folder_.fd(), name); });
}

void Folder::remove_durably(const std::string& name, const std::string& shown) const {
    if (const int result = remove(name); result < 0) {
        fail(shown, "remove", result);
    }
    sync();
}

void Folder::sync() const {
    const int fd = open_file(".", O_RDONLY | O_DIRECTORY);
    if (fd < 0) {
        fail(path(), "open", fd);
    }
    File::adopt(system(), path(), fd).sync();
}

std::string path_of_descriptor(System& system, int fd) {
    const std::string door = fmt::format("/proc/self/fd/{}", fd);
    const int link = uninterrupted([&] { return system.open(AT_FDCWD, door, kLookAt, 0); });
    if (link < 0) {
        return {};
    }
    const File opened = File::adopt(system, door, link);
    std::string path;
    return system.readlink(link, path) == 0 && path.starts_with('/') ? path : std::string();
}

bool is_same_file(const struct stat& a, const struct stat& b) noexcept {
    return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

bool is_surely_of(const Folder& folder, const File& file) {
    if (!may_be_linked_by_others(file.status(), folder.status())) {
        return true;
    }
    constexpr const char* kSetting = "/proc/sys/fs/protected_hardlinks";
    System& system = folder.system();
    const int fd =
        uninterrupted([&] { return system.open(AT_FDCWD, kSetting, O_RDONLY | O_CLOEXEC, 0); });
    if (fd < 0) {
        return false;
    }
    File setting = File::adopt(system, kSetting, fd);
    std::array<std::byte, 1> value{};
    return setting.read_some(value) == 1 && value[0] == std::byte{'1'};
}

std::string Place::real_path() const {
    return is_door ? shown : joined(folder->real_path(), name);
}

File Place::open(int flags, std::string_view action) const {
    if (!status) {
        fail(shown, action, -ENOENT);
    }
    System& system = folder->system();
    const bool was_regular = S_ISREG(status->st_mode);
    int fd = 0;
    if (is_door) {
        fd = folder->open_door(name, flags);
    } else {
        fd =
            was_regular ? folder->open_regular(name, flags, shown) : folder->open_file(name, flags);
    }
    if (fd == -ELOOP) {
        throw Error(Error::Kind::io,
                    {.file = shown,
                     .message = fmt::format("cannot {}: this is a symbolic link, and is not "
                                            "followed",
                                            action),
                     .hint = "somebody else may have put it here"});
    }
    if (fd == -EAGAIN) {
        throw Error(Error::Kind::io,
                    {.file = shown,
                     .message = fmt::format("cannot {}: somebody holds a lease on it, and does not "
                                            "give it up",
                                            action),
                     .hint = "/proc/locks says who"});
    }
    if (fd < 0) {
        fail(shown, action, fd);
    }
    File file = File::adopt(system, shown, fd);
    const struct stat found = file.status();
    // A regular file may have been replaced by another, as by this program itself. A pipe or a
    // device is written into without further questions: it must be that one.
    if (was_regular ? !S_ISREG(found.st_mode) : !is_same_file(*status, found)) {
        throw Error(Error::Kind::io, {.file = shown,
                                      .message = fmt::format(
                                          "cannot {}: something else has taken its place", action),
                                      .hint = "somebody else renames files here; try again"});
    }
    if ((flags & O_ACCMODE) != O_RDONLY || !S_ISREG(found.st_mode)) {
        check_links(found);
    }
    return file;
}

std::shared_ptr<const Folder> Place::open_folder() const {
    constexpr int kFolder = O_PATH | O_DIRECTORY;
    const int fd = is_door ? folder->open_door(name, kFolder) : folder->open_file(name, kFolder);
    if (fd < 0) {
        fail(shown, "open", fd);
    }
    File opened = File::adopt(folder->system(), shown, fd);
    const auto distrust = distrust_of(opened.status());
    return std::make_shared<Folder>(std::move(opened), folder->patience(), distrust);
}

std::optional<Distrust> Place::distrust_of(const struct stat& found) const {
    for (const uid_t link_owner : link_owners) {
        if (!may_lead_to(link_owner, found.st_uid)) {
            return Distrust{link_owner, found.st_uid};
        }
    }
    return folder->distrust();
}

void Place::check_links(const struct stat& found) const {
    if (const auto distrust = distrust_of(found)) {
        throw Error(Error::Kind::io,
                    {.file = shown,
                     .message = fmt::format("a symbolic link of user {} leads to what belongs to "
                                            "user {} here: it is not followed",
                                            distrust->link_owner, distrust->owner),
                     .hint = "name the file itself, if it is meant"});
    }
}

void Place::check_links() const {
    check_links(status ? *status : folder->status());
}

}  // namespace ckpt_lease::io
