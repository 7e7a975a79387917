// SPDX-License-Identifier: GPL-2.0-or-later
#include "rewrite/attributes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/base/text.hpp"

namespace ckpt_lease {
namespace {

using Bytes = std::vector<std::byte>;

const std::string kAccessList = "system.posix_acl_access";

// The kernel makes the first two of the contents, and refuses a file with those of other contents.
// The last one gives rights to whoever runs the contents: like the bits for set-user-ID, the kernel
// takes it away when the contents change.
constexpr std::array<std::string_view, 3> kOfContents = {"security.ima", "security.evm",
                                                         "security.capability"};

constexpr mode_t kGroup = S_IRWXG;
constexpr mode_t kPermissions = 0777;
constexpr mode_t kWholeMode = S_ISVTX | kPermissions;

bool has_none(std::int64_t error) {
    return error == -ENODATA || error == -ENOTSUP || error == -ENOSYS;
}

// What `call` fills a span with, which says how much that is when it gets an empty one.
template <typename Call>
std::int64_t read_all(Bytes& into, Call call) {
    while (true) {
        const std::int64_t size = io::uninterrupted([&] { return call(std::span<std::byte>()); });
        if (size < 0) {
            return size;
        }
        into.resize(static_cast<std::size_t>(size));
        if (size == 0) {
            return 0;
        }
        const std::int64_t got = io::uninterrupted([&] { return call(std::span(into)); });
        if (got != -ERANGE) {
            into.resize(static_cast<std::size_t>(std::max<std::int64_t>(got, 0)));
            return got;
        }
    }
}

std::optional<Bytes> attribute_of(const io::File& file, const std::string& name) {
    Bytes value;
    const std::int64_t result = read_all(value, [&](std::span<std::byte> into) {
        return file.system().fgetxattr(file.fd(), name, into);
    });
    if (has_none(result)) {
        return std::nullopt;
    }
    if (result < 0) {
        file.fail(fmt::format("read the attribute {} of", escape(name)), result);
    }
    return value;
}

std::vector<std::string> attributes_of(const io::File& file) {
    Bytes list;
    const std::int64_t result = read_all(
        list, [&](std::span<std::byte> into) { return file.system().flistxattr(file.fd(), into); });
    if (result < 0 && !has_none(result)) {
        file.fail("read the attributes of", result);
    }
    std::vector<std::string> names;
    for (std::string_view left = as_text(list); !left.empty();) {
        const std::size_t end = std::min(left.find('\0'), left.size());
        names.emplace_back(left.substr(0, end));
        left.remove_prefix(std::min(end + 1, left.size()));
    }
    return names;
}

int set_attribute(io::File& file, const std::string& name, const Bytes& value) {
    return io::uninterrupted([&] { return file.system().fsetxattr(file.fd(), name, value); });
}

void set_mode(io::File& file, mode_t mode) {
    const int result = io::uninterrupted([&] { return file.system().fchmod(file.fd(), mode); });
    if (result < 0) {
        file.fail("set the mode of", result);
    }
}

// Returns 0, or -EPERM.
int set_owner(const struct stat& from, io::File& to) {
    const struct stat found = to.status();
    if (from.st_uid == found.st_uid && from.st_gid == found.st_gid) {
        return 0;
    }
    const int result =
        io::uninterrupted([&] { return to.system().fchown(to.fd(), from.st_uid, from.st_gid); });
    if (result < 0 && result != -EPERM) {
        to.fail("set the owner of", result);
    }
    return result;
}

[[noreturn]] void refuse_to_lose(const io::File& file, const std::string& what) {
    throw Error(Error::Kind::io,
                {.file = file.name(),
                 .message = fmt::format("{} of the file that is there cannot be kept: it was not "
                                        "replaced",
                                        what),
                 .hint = "run as a user who may",
                 .advice = Advice::write_elsewhere});
}

void remove_access_list(io::File& file) {
    const int result =
        io::uninterrupted([&] { return file.system().fremovexattr(file.fd(), kAccessList); });
    if (result < 0 && !has_none(result)) {
        file.fail("remove the access control list of", result);
    }
}

// A list that the folder has given to all its new files goes: it is not that of `from`. Returns
// false if `from` has one and `to` cannot. The group's bits of a mode are those of the list, where
// there is one, and mean more than the group: so the list is there before the mode.
bool set_access_list(const io::File& from, io::File& to) {
    if (const std::optional<Bytes> list = attribute_of(from, kAccessList)) {
        return set_attribute(to, kAccessList, *list) == 0;
    }
    remove_access_list(to);
    return true;
}

void keep_attribute(const io::File& from, io::File& to, const std::string& name) {
    const std::optional<Bytes> value = attribute_of(from, name);
    if (value && attribute_of(to, name) != value && set_attribute(to, name, *value) < 0) {
        refuse_to_lose(to, fmt::format("the attribute {}", escape(name)));
    }
}

}  // namespace

void keep_attributes(const io::File& from, io::File& to) {
    const struct stat status = from.status();
    if (set_owner(status, to) < 0) {
        refuse_to_lose(to,
                       fmt::format("the owner (user {}, group {})", status.st_uid, status.st_gid));
    }
    if (!set_access_list(from, to)) {
        refuse_to_lose(to, "the access control list");
    }
    for (const std::string& name : attributes_of(from)) {
        if (name != kAccessList &&
            std::find(kOfContents.begin(), kOfContents.end(), name) == kOfContents.end()) {
            keep_attribute(from, to, name);
        }
    }
    set_mode(to, status.st_mode & kWholeMode);
}

void keep_permissions(const io::File& from, io::File& to) {
    const mode_t mode = from.status().st_mode & kPermissions;
    set_mode(to, set_access_list(from, to) ? mode : mode & ~kGroup);
}

void let_others_read(const io::File& from, io::File& to) {
    constexpr mode_t kOnlyOwner = 0600;
    constexpr mode_t kOthersWrite = S_IWGRP | S_IWOTH;
    const bool has_list = attribute_of(from, kAccessList).has_value();
    remove_access_list(to);
    set_mode(to, has_list ? kOnlyOwner : from.status().st_mode & kPermissions & ~kOthersWrite);
}

void share_with_users_of(const io::File& from, io::File& to) {
    if (set_owner(from.status(), to) == 0) {
        keep_permissions(from, to);
    }
}

}  // namespace ckpt_lease
