// SPDX-License-Identifier: GPL-2.0-or-later
#include "snapshot.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <functional>
#include <stdexcept>
#include <vector>

#include "support.hpp"

namespace attack {
namespace {

namespace fs = std::filesystem;

std::string hash_of(const std::string& bytes) {
    return fmt::format("{} bytes {:016x}", bytes.size(), std::hash<std::string>()(bytes));
}

std::string attributes_of(const fs::path& file) {
    constexpr std::size_t kMost = 65536;
    std::vector<char> list(kMost);
    const ssize_t size = llistxattr(file.c_str(), list.data(), list.size());
    std::map<std::string, std::string> found;
    for (ssize_t at = 0; at < size;) {
        const std::string name = &list[static_cast<std::size_t>(at)];
        std::vector<char> value(kMost);
        const ssize_t length = lgetxattr(file.c_str(), name.c_str(), value.data(), value.size());
        if (length >= 0) {
            found[name] = hash_of({value.data(), static_cast<std::size_t>(length)});
        }
        at += static_cast<ssize_t>(name.size()) + 1;
    }
    std::string text;
    for (const auto& [name, value] : found) {
        text += fmt::format(", {}: {}", name, value);
    }
    return text;
}

}  // namespace

std::string describe(const fs::path& file) {
    struct stat status {};
    if (lstat(file.c_str(), &status) != 0) {
        throw std::runtime_error("cannot look at " + file.string());
    }
    std::string text = fmt::format("{:06o} {}:{}", status.st_mode, status.st_uid, status.st_gid);
    if (S_ISREG(status.st_mode)) {
        text += ", " + hash_of(read_file(file));
    } else if (S_ISLNK(status.st_mode)) {
        text += ", " + fs::read_symlink(file).string();
    }
    return text + attributes_of(file);
}

Snapshot snapshot(const fs::path& folder) {
    Snapshot all{{folder.string(), describe(folder)}};
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        all[entry.path().string()] = describe(entry.path());
    }
    return all;
}

}  // namespace attack
