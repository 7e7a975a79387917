// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "ckpt-lease/base/api.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/lease/snapshot.hpp"

namespace ckpt_lease {

namespace io {
class File;
class System;
}  // namespace io
namespace linux_cr {
struct Layout;
}  // namespace linux_cr
class Opened;

/// Where a changed subject is to go.
struct Target {
    std::string out;        ///< a path; "-": standard output; empty: the subject itself
    bool dry_run = false;   ///< nothing is written
    std::string undo_file;  ///< keeps the old bytes of an image that is changed itself; or empty

    /// The bytes of the subject `name` go to standard output.
    [[nodiscard]] bool is_standard_output(const std::string& name) const {
        return !dry_run && (out == "-" || (out.empty() && name == "-"));
    }
};

/// What a name stands for: an image of leases, or a checkpoint of CRIU's with one in it or without.
/// It is identified once and opened once. As long as this lives, no other ckpt-lease writes to it
/// (or, if it is to be changed itself, reads it). Of CRIU's own images in a folder only
/// filelocks.img is locked, if it is to be changed.
///
/// A name is a path, or "-" for standard input. A linux-cr image can be a file, a device, or come
/// through a pipe. A checkpoint is CRIU's image directory, a folder with that under checkpoint/, or
/// an archive. The leases that were captured with it stand in an image of their own,
/// ckpt-lease.img: where it is there, it is the image of this subject. A folder with this image and
/// without inventory.img stands for the image.
class CKPT_LEASE_API Subject {
 public:
    enum class Kind : std::uint8_t {
        image,    ///< a linux-cr image that has a name, or is in a file and only looked at
        stream,   ///< one that comes through standard input or a pipe: it is read, or rewritten,
                  ///< once, from its front to its back
        folder,   ///< CRIU's images in a folder, with captured leases or without
        archive,  ///< the same in an archive
    };

    struct Options {
        std::optional<Target> target = {};  ///< the subject is to be changed
        bool wait = false;                  ///< for others to be done with it
        /// It is only looked at: links of others to what is not theirs are
        /// followed, too.
        bool any_link = false;
        /// Makes what is told of the progress of work on a file: how many of its bytes were passed.
        /// It may throw to stop the work.
        std::function<std::function<void(std::uint64_t bytes)>(const io::File& file)> progress = {};
    };

    /// Throws Error(io) if it cannot be opened or is in use. Throws Error(damaged) if it is no
    /// checkpoint though it looks like one (the message says what it is), or if there is a journal
    /// that cannot be trusted. Throws Error(refused) if the target makes no sense for it, or if it
    /// is an archive of several checkpoints.
    explicit Subject(const std::string& name);
    Subject(const std::string& name, Options options);
    /// The same on another system than this one: for tests.
    Subject(io::System& system, const std::string& name, Options options);
    Subject(const Subject&) = delete;
    Subject& operator=(const Subject&) = delete;
    ~Subject();

    /// As the user named it.
    [[nodiscard]] const std::string& name() const noexcept;
    [[nodiscard]] Kind kind() const noexcept;
    /// There is an image of leases; without one, there are only CRIU's images.
    [[nodiscard]] bool has_image() const noexcept;
    /// What messages call that image: "job.img", "img/ckpt-lease.img",
    /// "job.tar:checkpoint/ckpt-lease.img".
    [[nodiscard]] const std::string& image_name() const noexcept;
    /// There are images of CRIU.
    [[nodiscard]] bool has_checkpoint() const noexcept;
    /// To carry out a plan changes or makes a file: it is better not to be killed meanwhile.
    [[nodiscard]] bool writes_file() const noexcept;

    /// Reads the image up to its end or to the first place where it is damaged; without one, what
    /// CRIU's images say, as far as they can be read. Throws Error(io), Error(refused) if the image
    /// was captured with another dump than the one whose images are here, and Error(damaged) as
    /// criu::read_checkpoint() does.
    [[nodiscard]] Snapshot read(const linux_cr::Layout& layout);
    /// The same; throws Error(damaged) if the subject is.
    [[nodiscard]] Snapshot read_sound(const linux_cr::Layout& layout);
    /// What CRIU's images say, also of locks that are no leases. Only if has_checkpoint().
    [[nodiscard]] Snapshot read_checkpoint() const;

    /// For the library itself.
    [[nodiscard]] Opened& opened() const noexcept { return *opened_; }

 private:
    std::unique_ptr<Opened> opened_;
};

/// Finds everything that is wrong with a subject and tells `problems`: with CRIU's images first, if
/// there are any, then with the image of leases, and at last, where neither is damaged, how the two
/// differ. Returns how many records there are: of the image, or of CRIU's list of locks where there
/// is none. Throws Error(io), and Error(refused) if the image was captured with another checkpoint.
CKPT_LEASE_API std::uint64_t verify(Subject& subject, const linux_cr::Layout& layout,
                                    const ProblemSink& problems);

}  // namespace ckpt_lease
