// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "io/file.hpp"

namespace ckpt_lease {

/// What a file is beside its bytes: its owner, its mode, its access control list (acl(5)), its
/// extended attributes (xattr(7)). New files are made with mode 0600, and these functions are
/// called when their bytes are complete.

/// `to` takes the place of `from`: it gets all of that. Throws Error(io) where it cannot; then `to`
/// must go away.
void keep_attributes(const io::File& from, io::File& to);

/// `to` is a new file of the caller's with the contents of `from`: it gets the mode and the access
/// control list. Where a file system has no lists, only the owner and "others" keep their rights.
/// Throws Error(io).
void keep_permissions(const io::File& from, io::File& to);

/// `to` is a new file of the caller's which says what stands in `from`, and is believed because
/// only he can write to it: it gets the mode without others' right to write. If `from` has an
/// access control list, `to` is the caller's alone. Throws Error(io).
void let_others_read(const io::File& from, io::File& to);

/// `to` is for those who may use `from`: it gets the owner, the mode and the access control list.
/// Whoever may not give files away keeps `to` to himself. Throws Error(io).
void share_with_users_of(const io::File& from, io::File& to);

}  // namespace ckpt_lease
