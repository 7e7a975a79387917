// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "ckpt-lease/io/file.hpp"
#include "ckpt-lease/rewrite/edit_list.hpp"

namespace ckpt_lease {

/// True if the old bytes of all edits stand in `image`, or with `old_bytes` false the new ones.
[[nodiscard]] bool holds(const io::File& image, const EditList& edits, bool old_bytes);

}  // namespace ckpt_lease
