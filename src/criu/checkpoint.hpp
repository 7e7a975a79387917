// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/lease/lock.hpp"
#include "ckpt-lease/lease/lock_list.hpp"
#include "ckpt-lease/lease/snapshot.hpp"
#include "criu/file_locks.hpp"
#include "io/file.hpp"
#include "io/folder.hpp"
#include "io/source.hpp"
#include "io/system.hpp"

namespace ckpt_lease::criu {

/// The image of leases that was captured beside CRIU's own: a linux-cr image.
inline constexpr std::string_view kCapturedImage = "ckpt-lease.img";
/// The image that says which locks there are.
inline constexpr std::string_view kFileLocksImage = "filelocks.img";
/// The one that every checkpoint has.
inline constexpr std::string_view kInventoryImage = "inventory.img";

/// Where the images of a folder are looked for: podman and docker put them into one below.
inline constexpr std::array<std::string_view, 2> kPlaces{"", "checkpoint/"};

/// The most bytes that one image may have, and all that are kept of an archive. Sizes that an image
/// states are not believed beyond these limits.
inline constexpr std::size_t kLargestImage = std::size_t{64} * 1024 * 1024;
inline constexpr std::size_t kLargestImages = std::size_t{256} * 1024 * 1024;

/// Where something stands in a file, in bytes from its start.
struct Extent {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;

    friend bool operator==(const Extent&, const Extent&) = default;
};

/// The images of one checkpoint, wherever they lie; pages of memory are never looked at.
class CheckpointFiles {
 public:
    CheckpointFiles(const CheckpointFiles&) = delete;
    CheckpointFiles& operator=(const CheckpointFiles&) = delete;
    virtual ~CheckpointFiles() = default;

    /// The folder or archive, as the user named it.
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    /// What an image is called in messages: "img/filelocks.img",
    /// "c.tar.gz:checkpoint/filelocks.img".
    [[nodiscard]] virtual std::string path_of(std::string_view image) const = 0;
    /// The bytes of an image, by its name within the checkpoint; nothing if it is not there. Throws
    /// Error(io), and Error(damaged) if it is larger than kLargestImage or no regular file.
    [[nodiscard]] virtual std::optional<std::string> read(std::string_view image) = 0;
    /// True if the image is there: it need not be readable.
    [[nodiscard]] virtual bool has(std::string_view image) = 0;
    /// Where an image stands in a folder, links followed; nothing in an archive. Throws Error(io).
    [[nodiscard]] virtual std::optional<io::Place> place_of(std::string_view image) const = 0;
    /// Where the bytes of an image stand in an archive that is not compressed: changing them there
    /// changes the image. Nothing if the image is not there, in other archives, of sparse
    /// members, and in a folder.
    [[nodiscard]] virtual std::optional<Extent> extent_of(std::string_view /*image*/) const {
        return std::nullopt;
    }

 protected:
    explicit CheckpointFiles(std::string name) : name_(std::move(name)) {}

 private:
    std::string name_;
};

/// The bytes of an image that is open. Throws Error(io), and Error(damaged) if it is larger than
/// kLargestImage.
[[nodiscard]] std::string read_image(const io::File& file);

/// True if a file that begins with these bytes (512 are looked at) is a tar archive, or compressed
/// as one may be: with gzip, zstd (also where it begins with a frame to be skipped, as pzstd's
/// files do), xz, bzip2 or lz4. No linux-cr image begins so.
[[nodiscard]] bool may_be_archive(std::span<const std::byte> first_bytes);

/// Opens CRIU's image directory, or a folder with it in a place of kPlaces. Null if there is no
/// inventory.img. Throws Error(io).
[[nodiscard]] std::unique_ptr<CheckpointFiles> find_checkpoint(
    const std::shared_ptr<const io::Folder>& folder);
/// The same, but throws Error(damaged) if there is none.
[[nodiscard]] std::unique_ptr<CheckpointFiles> open_checkpoint(
    const std::shared_ptr<const io::Folder>& folder);
/// A regular file in one of kPlaces; nothing if there is none.
[[nodiscard]] std::optional<io::Place> find_image(const io::Folder& folder, std::string_view image);

/// Opens a tar archive of CRIU's images, as podman, CRI-O and people make them: ustar, pax, GNU or
/// v7, plain or compressed as may_be_archive() has it. The images lie at the top, in one folder, or
/// in checkpoint/ of one folder. The archive is read once, here, from its front to its back, and
/// not needed after; only the small images of kinds that are needed are kept, and of a file that is
/// not compressed the others are not read. `source` must not have been read from. Throws Error(io),
/// Error(damaged) if there is no inventory.img, the archive cannot be read, or an image that may be
/// changed stands in it twice or as a link, Error(refused) if there are images of several
/// checkpoints in it.
[[nodiscard]] std::unique_ptr<CheckpointFiles> open_archive(io::Source& source);

/// What is known of a lock's descriptor beside the lock.
struct LockDetails {
    /// F_GETOWN_EX, F_GETOWNER_UIDS, F_GETSIG; nothing if the images do not say.
    std::optional<LeaseOwner> owner;
    std::uint32_t open_flags = 0;  ///< F_GETFL
    FileLockEntry entry;           ///< what filelocks.img says of it
    /// How many open files of the checkpoint have the path of the lock's file. They may be more
    /// than have the file itself open: a path can be of several files, in several mount namespaces.
    std::size_t openers = 0;

    /// The lock is held through a descriptor that is open for writing. Of a lease this tells of the
    /// whole file: the kernel gives a write lease to a sole opener only, and while a lease is held
    /// or being broken, nobody else has its file open for writing (check_conflicting_open() and
    /// break_lease() in Linux' fs/locks.c).
    [[nodiscard]] bool is_writable() const noexcept { return (open_flags & 3U) != 0; }
};

/// The locks and leases of a checkpoint.
struct Checkpoint {
    std::string name;  ///< the folder or archive, as the user named it
    /// CRIU writes filelocks.img with the first lock: where it is not, CRIU found no lock, as it
    /// gives up a dump with locks that was not to have them (dump_file_locks() in its file-lock.c),
    /// or the image was lost since.
    CriuTasks tasks;
    /// In the order of filelocks.img. A lock's offset is that of its entry there. CRIU writes a
    /// lock that several descriptors share once. Of a lease that is being broken it knows neither
    /// the time that is left nor the type it had (unbroken() does); it was notified, as a break
    /// begins with the signal. OFD locks are LockKind::other. Where the checkpoint is damaged, a
    /// lock may have no tasks, and a file no path.
    LockList locks;
    std::vector<LockDetails> details;  ///< by the index of the lock
    /// Entries of filelocks.img that say no lock and are not among `locks`; more if it is cut.
    std::size_t left_out = 0;
    /// The first thing that is wrong with the images: what can be read beside it was read.
    std::optional<Problem> damage;
};

/// Reads inventory, process tree, and whose the locks are, as far as they can be read. Throws
/// Error(damaged) only if inventory.img is none of a version that is known, or filelocks.img is
/// another file; Error(io).
[[nodiscard]] Checkpoint read_checkpoint(CheckpointFiles& files);

/// The same, in the words that all formats share.
[[nodiscard]] Snapshot as_snapshot(Checkpoint&& checkpoint);
/// As read_checkpoint(), but throws Error(damaged) if there is any damage: for whoever is going to
/// change the checkpoint.
[[nodiscard]] Checkpoint read_sound_checkpoint(CheckpointFiles& files);
/// What that says of an entry of `file`, which is filelocks.img and may be open and locked: the
/// checkpoint was read by the names of its images, and another image may have been put in its place
/// meanwhile. Throws as fail_changed() then.
[[nodiscard]] const LockDetails& details_of(const Checkpoint& checkpoint, const std::string& file,
                                            const FileLockEntry& entry);
/// Throws Error(damaged): `file` has changed since it was read.
[[noreturn]] void fail_changed(const std::string& file);

/// As read_checkpoint(), and tells `problems` of everything that is wrong with the images that it
/// reads, and of those of the other processes' descriptors: missing and cut ones, versions that are
/// not known, locks without their process, descriptor or file, numbers that no kernel could have
/// had, and leases that CRIU leaves to a captured image that is not there. What that image says is
/// compare_captured()'s business. Throws Error(io).
[[nodiscard]] Checkpoint verify_checkpoint(CheckpointFiles& files, const ProblemSink& problems);

}  // namespace ckpt_lease::criu
