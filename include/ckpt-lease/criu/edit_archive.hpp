// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>

#include "ckpt-lease/io/file.hpp"
#include "ckpt-lease/io/source.hpp"

namespace ckpt_lease::criu {

/// What is to stand in the archive of a checkpoint; what is empty stays as it is.
struct ArchiveChanges {
    std::optional<std::string> file_locks;  ///< the bytes of filelocks.img, which must be there
    std::optional<std::string> captured;    ///< of ckpt-lease.img, which is added if it is not
};

/// Writes the archive `in` to `out` with `changes`. All other members are the same byte for byte,
/// with all that the archive says of them, and the whole is compressed as it was: with gzip, zstd
/// or not at all. `in` is a regular file; it is read twice, and `progress` is told how far. Throws
/// Error(damaged) if the archive cannot be read, Error(refused) if a member that is to be changed
/// is missing, or stored in a way that is not known (as a sparse file), Error(io), and what
/// `progress` throws.
void edit_archive(const io::File& in, const ArchiveChanges& changes, io::File& out,
                  const io::Progress& progress = {});

}  // namespace ckpt_lease::criu
