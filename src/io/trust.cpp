// SPDX-License-Identifier: GPL-2.0-or-later
#include "io/trust.hpp"

#include <unistd.h>

namespace ckpt_lease::io {
namespace {

constexpr mode_t kOthersWrite = S_IWGRP | S_IWOTH;

}  // namespace

bool is_trusted(uid_t owner) noexcept {
    return owner == 0 || owner == geteuid();
}

bool others_can_write(const struct stat& file) noexcept {
    return (file.st_mode & kOthersWrite) != 0;
}

bool may_lead_to(uid_t link_owner, uid_t owner) noexcept {
    return is_trusted(link_owner) || link_owner == owner;
}

bool may_be_replaced(const struct stat& file, const struct stat& folder) noexcept {
    const bool is_shared = (folder.st_mode & S_ISVTX) != 0 && others_can_write(folder);
    return !is_shared || is_trusted(file.st_uid) || file.st_uid == folder.st_uid;
}

bool may_be_linked_by_others(const struct stat& file, const struct stat& folder) noexcept {
    return others_can_write(folder) || (!is_trusted(folder.st_uid) && folder.st_uid != file.st_uid);
}

}  // namespace ckpt_lease::io
