// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ckpt-lease/io/file.hpp"
#include "ckpt-lease/io/folder.hpp"
#include "ckpt-lease/io/source.hpp"
#include "ckpt-lease/io/system.hpp"
#include "ckpt-lease/lease/lock_list.hpp"
#include "ckpt-lease/lease/owner.hpp"

namespace ckpt_lease::criu {

/// The image of leases that was captured beside CRIU's own: a linux-cr image.
inline constexpr std::string_view kCapturedImage = "ckpt-lease.img";
/// The image that says which locks there are.
inline constexpr std::string_view kFileLocksImage = "filelocks.img";

/// The most bytes that one image may have, and all that are kept of an archive: nobody's word is
/// taken for less memory than that.
inline constexpr std::size_t kLargestImage = std::size_t{64} * 1024 * 1024;
inline constexpr std::size_t kLargestImages = std::size_t{256} * 1024 * 1024;

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
    [[nodiscard]] virtual bool is_archive() const noexcept = 0;
    /// Where an image stands in a folder, links followed; nothing in an archive. Throws Error(io).
    [[nodiscard]] virtual std::optional<io::Place> place_of(std::string_view image) const = 0;

 protected:
    explicit CheckpointFiles(std::string name) : name_(std::move(name)) {}

 private:
    std::string name_;
};

/// The bytes of an image that is open. Throws Error(io), and Error(damaged) if it is larger than
/// kLargestImage.
[[nodiscard]] std::string read_image(const io::File& file);

/// True if `path` is a folder, or a file that begins as a tar archive does, or as one compressed
/// with gzip or zstd: no linux-cr image begins so. Throws Error(io) if it cannot be read.
[[nodiscard]] bool may_be_checkpoint(io::System& system, const std::string& path);

/// Opens a checkpoint: CRIU's image directory, a folder with it under checkpoint/, or an archive of
/// either, as podman and crun make them (.tar, .tar.gz, .tar.zst). An archive is read once, here,
/// and `progress` is told how far; only the small images of kinds that are needed are kept. Throws
/// Error(io), and Error(damaged) if there is no inventory.img or the archive cannot be read.
[[nodiscard]] std::unique_ptr<CheckpointFiles> open_checkpoint(io::System& system,
                                                               const std::string& path,
                                                               const io::Progress& progress = {});

/// As open_checkpoint(), of a folder that is open already.
[[nodiscard]] std::unique_ptr<CheckpointFiles> open_checkpoint(
    const std::shared_ptr<const io::Folder>& folder);

/// As open_checkpoint(), of an archive that is open already. It is read here, and not needed after.
[[nodiscard]] std::unique_ptr<CheckpointFiles> open_archive(const io::File& file,
                                                            const io::Progress& progress = {});

/// Tells one dump from another: a hash of inventory.img, in which CRIU notes the time (in
/// hundredths of a second since the machine was started) and, since 4.2, an id of its run. Never 0.
/// Throws Error(io) and Error(damaged) as CheckpointFiles::read() does.
[[nodiscard]] std::uint64_t checkpoint_id(CheckpointFiles& files);

/// What a checkpoint says of itself.
struct CheckpointFacts {
    std::string name;             ///< the folder or archive, as the user named it
    std::uint32_t version = 0;    ///< img_version of inventory.img: 1, or 2 since CRIU 1.6
    std::int32_t root_pid = 0;    ///< in its pid namespace
    std::size_t tasks = 0;        ///< processes; threads are not counted
    bool has_file_locks = false;  ///< filelocks.img is there: some locks were dumped
    bool has_captured = false;    ///< ckpt-lease.img is there
};

/// What is known of a lock's descriptor beside the lock.
struct LockDetails {
    LeaseOwner owner;              ///< F_GETOWN_EX, F_GETOWNER_UIDS, F_GETSIG
    std::uint32_t open_flags = 0;  ///< F_GETFL
    std::uint32_t entry_type = 0;  ///< `type` as filelocks.img has it
    /// Some descriptor of the checkpoint has the lock's file open for writing.
    bool file_is_written = false;
};

/// The locks and leases of a checkpoint.
struct Checkpoint {
    CheckpointFacts facts;
    /// In the order of filelocks.img. A lock's offset is that of its entry there. CRIU writes a
    /// lock that several descriptors share once. Of a lease that is being broken it knows neither
    /// the time that is left nor the type it had; it was notified, as a break begins with the
    /// signal. OFD locks are LockKind::other.
    LockList locks;
    std::vector<LockDetails> details;  ///< by the index of the lock
};

/// Reads inventory, process tree, and whose the locks are. Throws Error(damaged) at the first thing
/// that is wrong, Error(io).
[[nodiscard]] Checkpoint read_checkpoint(CheckpointFiles& files);

}  // namespace ckpt_lease::criu
