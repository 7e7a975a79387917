// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

namespace ckpt_lease::io {

/// Whom the library believes. ckpt-lease runs as root on files and in folders of other users: these
/// few rules, which SECURITY.md explains, are all that decides.

/// True for root and for the user as whom the program runs: nobody else can have made such a file.
[[nodiscard]] bool is_trusted(uid_t owner) noexcept;

/// True if users other than its owner can write to the file. An access control list that lets them
/// shows in the group's bits (acl(5)).
[[nodiscard]] bool others_can_write(const struct stat& file) noexcept;

/// True if a symbolic link of `link_owner` may be followed to something of `owner`: nobody leads
/// others to what is not his own. The kernel has such a rule too (fs.protected_symlinks in
/// proc_sys_fs(5)), for some folders and where it is switched on.
[[nodiscard]] bool may_lead_to(uid_t link_owner, uid_t owner) noexcept;

/// True if an output may replace `file`, which is there already in `folder`, or be written into it.
/// False for a file of somebody else in a folder where everybody can make files (sticky, as /tmp).
/// The kernel's rule is fs.protected_regular and fs.protected_fifos.
[[nodiscard]] bool may_be_replaced(const struct stat& file, const struct stat& folder) noexcept;

/// True if somebody else than those who may write to `file` anyway can have given it the name that
/// it has in `folder`, by a hard link that may be gone by now: fs.protected_hardlinks is what keeps
/// others from that, where it is switched on.
[[nodiscard]] bool may_be_linked_by_others(const struct stat& file,
                                           const struct stat& folder) noexcept;

}  // namespace ckpt_lease::io
