// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "ckpt-lease/rewrite/edit_list.hpp"
#include "io/file.hpp"
#include "io/source.hpp"
#include "rewrite/image_file.hpp"
#include "rewrite/new_file.hpp"

namespace ckpt_lease {

/// The ways to carry out a list of edits. Whatever fails, the image is as it was or as it should
/// be, and no half-written file is left; all throw Error(io), and Error(damaged) if the image is no
/// longer what the edits were made for.

/// Writes the new bytes into the image itself. Before the first of them, a journal with the old
/// ones stands beside the image, flushed to disk; it goes when the new ones have been flushed. If
/// that is cut short, by a crash or a power failure, whoever opens the image next takes it back
/// (ImageFile). The cost is that of the edits, whatever the size of the image.
///
/// `image` is open for writing since before the edits were made. `undo_file`, unless empty, must
/// not exist yet and keeps the old bytes for undo(); it belongs to the caller. Refuses files that
/// are not regular or have several names. Does nothing at all if there are no edits, but for an
/// empty undo file. `progress` is told how many bytes of the image have been looked at; it can stop
/// the work only as long as nothing was changed.
void write_in_place(ImageFile& image, const EditList& edits, const std::string& undo_file,
                    const io::Progress& progress);

/// Where a path of an output leads, walked once.
struct Output {
    io::Place place;
    std::string path;                  ///< of a file that is replaced, with links followed
    std::optional<io::File> replaced;  ///< the regular file that is there
    bool takes_file = false;           ///< false: a device, a pipe or the like, to be written into
};

/// Throws Error(io), also if a journal stands there, which would be taken for that of the new file,
/// and if the file that is there must not be replaced: see io::may_be_replaced().
[[nodiscard]] Output find_output(io::System& system, const std::string& out);
/// The first half of it: walks the path. Throws Error(io).
[[nodiscard]] io::Place find_output_place(io::System& system, const std::string& out);
/// The same of a path that was walked already.
[[nodiscard]] Output output_at(io::Place place);

/// Writes the edited image to `out`, which appears complete or not at all. A file that was there
/// before is replaced and leaves its owner, mode, access control list and extended attributes; a
/// new one has the image's mode and list. Holes stay holes. Where `out` is a device or a pipe, the
/// bytes are written into it. `out` must not be the image.
void write_copy(const ImageFile& image, const EditList& edits, const Output& out,
                const io::Progress& progress);

/// Writes the edited image to an open file, from the first byte to the last.
void write_stream(const io::File& image, const EditList& edits, io::File& out,
                  const io::Progress& progress);

/// Writes the contents of a new file. Returns whether the file is to appear, after all.
using Fill = std::function<bool(io::File& file)>;

/// Has `fill` write a file to `output` as write_copy() would write an image. A new file has the
/// mode and access control list of `like`; if that is null, only its owner can use it. Throws
/// Error(io), and what `fill` throws; then nothing has changed, unless the Error says so.
void write_new(Output& output, const io::File* like, const Fill& fill);

/// The same of `bytes`.
void write_whole(Output& output, std::span<const std::byte> bytes);

/// Writes a file of the caller's that only he can use, with the name `name` in `folder`: whatever
/// has it is replaced, and no link is followed. Throws Error(io).
void write_over(const std::shared_ptr<const io::Folder>& folder, const std::string& name,
                std::span<const std::byte> bytes);

/// Has `fill` write a file that takes the place of `old`, which is open and locked, with all that
/// `old` is beside its bytes. Other names of `old` (hard links) lead to what was there before.
/// Throws as write_new() does.
void replace_file(const ImageFile& old, const Fill& fill);
/// The same of `bytes`.
void replace_file(const ImageFile& old, std::span<const std::byte> bytes);

}  // namespace ckpt_lease
