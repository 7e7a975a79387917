// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>

#include "io/file.hpp"
#include "io/source.hpp"

namespace ckpt_lease {

/// How much goes through user space at a time, in bytes, where the kernel can't move it alone.
constexpr std::size_t kBufferSize = std::size_t{256} * 1024;

/// Makes `out`, an empty regular file, hold what `in` holds; holes stay holes. They share their
/// blocks where the file system can do that (reflink), and else the kernel moves the bytes where it
/// can.
void copy_contents(const io::File& in, io::File& out, const io::Progress& progress);

}  // namespace ckpt_lease
