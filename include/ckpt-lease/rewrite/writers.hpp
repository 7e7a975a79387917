// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "ckpt-lease/io/file.hpp"
#include "ckpt-lease/io/source.hpp"
#include "ckpt-lease/rewrite/edit_list.hpp"
#include "ckpt-lease/rewrite/image_file.hpp"

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
/// not exist yet and keeps the old bytes for undo(). Refuses files that are not regular or have
/// several names. Does nothing at all if there are no edits, but for an empty undo file. `progress`
/// is told how many bytes of the image have been looked at; it can stop the work only as long as
/// nothing was changed.
void write_in_place(ImageFile& image, const EditList& edits, const std::string& undo_file,
                    const io::Progress& progress);

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

/// True if both paths lead to one file, which is there.
[[nodiscard]] bool is_same_file(io::System& system, const std::string& a, const std::string& b);

/// Writes the edited image to `out`, which appears complete or not at all. What was there before is
/// replaced and leaves its mode; a new file has the image's. Holes stay holes. Where `out` is a
/// device or a pipe, the bytes are written into it. `out` must not be the image, nor have a
/// journal.
void write_copy(const ImageFile& image, const EditList& edits, const std::string& out,
                const io::Progress& progress);

/// Has `fill` write a file to `out` as write_copy() would write an image. A new file has `mode`; a
/// file that is replaced leaves its owner as well, where NewFile::take_owner_and_mode() can. Throws
/// Error(io), and what `fill` throws.
void write_new(io::System& system, const std::string& out, mode_t mode,
               const std::function<void(io::File&)>& fill);

/// The same of `bytes`.
void write_whole(io::System& system, std::span<const std::byte> bytes, const std::string& out,
                 mode_t mode);

/// Writes the edited image to an open file, from the first byte to the last.
void write_stream(const io::File& image, const EditList& edits, io::File& out,
                  const io::Progress& progress);

/// A path at which a new file can take the place of what is there.
struct FreePlace {
    std::string path;                   ///< with symbolic links followed
    std::optional<struct stat> status;  ///< of the regular file that is there, if one is
};

/// Where `out` leads, if a new file can take its place. Nothing if it is a device, a pipe or the
/// like, to be written into. Throws Error(io) also if a journal stands there, which would be taken
/// for that of the new file.
[[nodiscard]] std::optional<FreePlace> find_place(io::System& system, const std::string& out);

/// A file that has its name only once it is whole: it is written under another name in the same
/// folder, and goes away if commit() is never reached.
class NewFile {
 public:
    enum class Name : std::uint8_t {
        unique,  ///< of the process: several can be written at once
        fixed,   ///< only one can; what one that was killed has left is written over
    };
    /// `path` is where the file is to appear; `name` says what it is called until then.
    NewFile(io::System& system, const std::string& path, Name name = Name::unique);
    NewFile(const NewFile&) = delete;
    NewFile& operator=(const NewFile&) = delete;
    ~NewFile();

    [[nodiscard]] io::File& file() noexcept { return file_; }
    /// Without this, only the owner can read and write the file.
    void set_mode(mode_t mode);
    /// The file gets the owner and the mode that `from` says. Only root can give files away:
    /// whoever else is not their owner keeps the file to himself.
    void take_owner_and_mode(const struct stat& from);
    /// Flushes the file to disk, gives it its name and flushes the folder.
    void commit();

 private:
    io::System& system_;
    std::string path_;
    std::string temporary_;
    io::File file_;
    bool committed_ = false;
};

}  // namespace ckpt_lease
