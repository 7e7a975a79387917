// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "io/file.hpp"
#include "io/folder.hpp"
#include "rewrite/journal.hpp"

namespace ckpt_lease {

/// Where the journal of a change to the image at `path` (with symbolic links followed) stands:
/// beside it, NAME.ckpt-lease-journal.
[[nodiscard]] std::string journal_path(const std::string& path);
/// The same of a name in a folder.
[[nodiscard]] std::string journal_name(const std::string& name);
[[nodiscard]] bool is_journal_name(const std::string& name);

/// An image that is open for a command, with everything that may be going on around it taken care
/// of: while this lives, no other ckpt-lease writes to the image (or, open for writing, reads it),
/// and what an interrupted change has left there is not seen.
///
/// The lock is an open file description lock on the whole file (fcntl(2), F_OFD_SETLK), which works
/// over NFS too. A file system without locks is used without.
class ImageFile {
 public:
    enum class Access : std::uint8_t { read, write };
    struct Options {
        Access access = Access::read;
        bool wait = false;    ///< for others to be done with the image
        bool copied = false;  ///< the journal came along with a copy: it may be of another inode
        bool only_regular = false;  ///< refuse pipes and devices, without opening them
        /// The image is only looked at: whatever links lead to it are followed, also those of
        /// others to what is not theirs (io::may_lead_to()).
        bool any_link = false;
        /// If `wait`: no longer than the patience() that is left of the folder.
        bool patiently = false;
    };

    /// Opens the image at `path`. If an interrupted change has left a journal, the old bytes are
    /// put back (Access::write), or file().read_at() gives them although the new ones are on disk.
    ///
    /// Throws Error(io) if the image cannot be opened or is in use, and Error(damaged) if there is
    /// a journal that cannot be trusted or is not the image's.
    ImageFile(io::System& system, const std::string& path, const Options& options);
    /// The same of a path that was walked already.
    ImageFile(io::Place place, const Options& options);
    /// An image that comes through an open descriptor: standard input. Always Access::read.
    ImageFile(io::System& system, const std::string& name, int fd, const Options& options);

    [[nodiscard]] io::File& file() noexcept { return file_; }
    [[nodiscard]] const io::File& file() const noexcept { return file_; }
    /// With symbolic links followed; empty if it has none, or none any more.
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    /// The folder and the name that path() is about; only if that is not empty.
    [[nodiscard]] const io::Place& place() const noexcept { return *place_; }

    /// Throws Error(io) if what is written into the image could be seen where nobody expects it:
    /// if it has several names (hard links) or none, or may have been linked here by others.
    void check_names() const;

    [[nodiscard]] Access access() const noexcept { return access_; }
    /// A change to the image had been interrupted, and its bytes were put back or are hidden.
    [[nodiscard]] bool was_interrupted() const noexcept { return interrupted_ != nullptr; }
    /// What the interrupted change was; only if was_interrupted().
    [[nodiscard]] const EditList& interrupted() const noexcept { return interrupted_->edits; }
    /// The bytes of the interrupted change are still on disk, where read_at() does not show them.
    [[nodiscard]] bool hides_change() const noexcept {
        return was_interrupted() && access_ == Access::read;
    }

 private:
    void settle(io::Place place, const Options& options);
    void find_journal(const Options& options);
    void hide();

    Access access_;
    io::File file_;
    std::optional<io::Place> place_;
    std::string path_;
    std::shared_ptr<const Journal> interrupted_;
};

/// Writes the old bytes of `edits`, and flushes nothing. Throws Error(io).
void take_back(io::File& file, const EditList& edits);

}  // namespace ckpt_lease
