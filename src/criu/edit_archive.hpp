// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <map>
#include <string>

#include "criu/checkpoint.hpp"
#include "io/file.hpp"
#include "io/source.hpp"

namespace ckpt_lease::criu {

/// New bytes of images, by their names within the checkpoint: "ckpt-lease.img". All others stay as
/// they are.
using ArchiveChanges = std::map<std::string, std::string>;

/// Writes the archive `in` to `out` with `changes`: `archive` is what open_archive() has read from
/// it, and has the images that are to be changed. All other members are the same byte for byte,
/// with all that the archive says of them, and the whole is compressed as it was. Of a changed
/// member the headers stay as well if its size does; else it is packed anew with path, mode, owner,
/// times and extended attributes that it had.
///
/// `in` is a regular file; it is read once, and `progress` is told how far. Throws Error(damaged)
/// if a member that is to be changed is not what was read before, Error(refused) if there is none,
/// or something that is said of it would be lost, Error(io), and what `progress` throws.
void edit_archive(const io::File& in, const CheckpointFiles& archive, const ArchiveChanges& changes,
                  io::File& out, const io::Progress& progress = {});

}  // namespace ckpt_lease::criu
