// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>

#include "ckpt-lease/rewrite/edit_list.hpp"
#include "io/file.hpp"

namespace ckpt_lease {

/// True if the old bytes of all edits stand in `image`, or with `old_bytes` false the new ones.
[[nodiscard]] bool holds(const io::File& image, const EditList& edits, bool old_bytes);

/// Puts the bytes that `edit` makes of those in `image` into `bytes`, and returns them. Throws
/// Error(damaged), naming `file`, if other bytes stand there than the edit was made for, or none.
std::span<const std::byte> edited(const io::File& image, const Edit& edit, const std::string& file,
                                  std::array<std::byte, EditList::kMostBytes>& bytes);

}  // namespace ckpt_lease
