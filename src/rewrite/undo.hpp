// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>

#include "io/source.hpp"
#include "io/system.hpp"
#include "rewrite/image_file.hpp"
#include "rewrite/journal.hpp"

namespace ckpt_lease {

/// An undo file says which bytes are written, and into which file. So it is believed only if nobody
/// but the caller or root can have written it.

/// Reads the undo file at `path`. Throws Error(io); Error(damaged) if it belongs to somebody else,
/// if others can write to it, or as read_journal() does; Error(refused) if it is the journal of an
/// interrupted change.
[[nodiscard]] Journal read_undo_file(io::System& system, const std::string& path);

struct UndoOptions {
    bool copied = false;  ///< the image is a copy of the one that the undo file was made for
    bool wait = false;    ///< for others to be done with the image
};

/// Opens the image at `place` for writing, once it was seen to be the one that `journal`, the
/// contents of `undo_file`, was made for: the same file (unless `copied`), of that size, with that
/// beginning, and with the new bytes in it or the old. Throws Error(damaged) otherwise, and
/// Error(io).
[[nodiscard]] ImageFile open_to_undo(const io::Place& place, const Journal& journal,
                                     const std::string& undo_file, const UndoOptions& options);

/// What undo() found.
enum class Undone : std::uint8_t {
    now,      ///< the old bytes were put back
    already,  ///< they were there already
};

/// Puts the old bytes of an undo file back into the image that it was made for, which must hold the
/// new ones: throws Error(damaged) otherwise. `copied`: the image is a copy of that, at a place of
/// its own.
[[nodiscard]] Undone undo(ImageFile& image, const Journal& journal, const std::string& undo_file,
                          bool copied, const io::Progress& progress);

}  // namespace ckpt_lease
