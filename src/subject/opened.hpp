// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "ckpt-lease/lease/snapshot.hpp"
#include "ckpt-lease/rewrite/edit_list.hpp"
#include "ckpt-lease/subject/subject.hpp"
#include "criu/checkpoint.hpp"
#include "criu/edit_archive.hpp"
#include "io/source.hpp"
#include "io/system.hpp"
#include "linux_cr/image.hpp"
#include "rewrite/image_file.hpp"
#include "rewrite/pass_through.hpp"
#include "rewrite/writers.hpp"

namespace ckpt_lease {

/// What is behind a Subject: the files that are open, and how they are read and rewritten.
class Opened {
 public:
    using Kind = Subject::Kind;
    using Options = Subject::Options;

    /// Throws as Subject does.
    Opened(io::System& system, const std::string& name, Options options);
    Opened(const Opened&) = delete;
    Opened& operator=(const Opened&) = delete;
    ~Opened();

    /// As the user named it.
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] Kind kind() const noexcept { return kind_; }
    /// There is an image of leases; without one, there are only CRIU's images.
    [[nodiscard]] bool has_image() const noexcept { return has_image_; }
    /// What messages call that image: "job.img", "img/ckpt-lease.img",
    /// "job.tar:checkpoint/ckpt-lease.img".
    [[nodiscard]] const std::string& image_name() const noexcept { return image_name_; }
    /// CRIU's images; null if there are none.
    [[nodiscard]] criu::CheckpointFiles* checkpoint() const noexcept { return checkpoint_.get(); }
    /// The image as a file; only if is_in_file(). Its bytes are those before an interrupted change.
    [[nodiscard]] const ImageFile& file() const noexcept { return *file_; }
    /// A file of its own is the image or, of CRIU's images without one, the list of locks.
    [[nodiscard]] bool is_in_file() const noexcept { return file_.has_value(); }

    /// Throws Error(refused) unless has_image().
    void need_image() const;
    /// Throws Error(refused) if this is a stream: plans are made of what can be read again.
    void refuse_stream() const;
    /// The image from its first byte on: once if it is a stream. Throws as need_image().
    [[nodiscard]] io::Source& source();
    /// Fills `into` with bytes of the image from `offset` on; fewer only where it ends. Only if
    /// has_image(). Throws as refuse_stream().
    [[nodiscard]] std::size_t read_at(std::span<std::byte> into, std::uint64_t offset) const;
    /// Reads the image up to its end or to the first place where it is damaged; without one, what
    /// CRIU's images say. What is wrong with those that tell whether the image belongs to them is
    /// damage too. Throws Error(io), and Error(refused) if the image was captured with another
    /// checkpoint than the one that it is in.
    [[nodiscard]] Snapshot read(const linux_cr::Layout& layout);
    /// The same; throws Error(damaged) if the subject is.
    [[nodiscard]] Snapshot read_sound(const linux_cr::Layout& layout);
    /// The same of the image, with all that only images of linux-cr say. Throws as need_image().
    [[nodiscard]] linux_cr::Image read_sound_image(const linux_cr::Layout& layout);
    /// What CRIU's images say, also of locks that are no leases. Only if there are any.
    [[nodiscard]] Snapshot read_checkpoint() const;
    /// Throws Error(refused) if this image of it was captured with another checkpoint, and
    /// Error(damaged) if that cannot be told, as CRIU's images are damaged.
    void check_belongs(const linux_cr::Image& image) const;
    /// The bytes of filelocks.img of a checkpoint without captured leases; empty if there is none.
    /// In a folder, those of the image that is locked: what checkpoint() reads may be another one.
    [[nodiscard]] std::string read_file_locks() const;

    /// A file is changed or made: it is better not to be killed meanwhile.
    [[nodiscard]] bool writes_file() const noexcept;
    /// Carries out `edits` of the image, which can be read more than once, as the target says.
    /// Throws as write_in_place() and the like do.
    void rewrite(const EditList& edits);
    /// The same of a checkpoint without captured leases: filelocks.img, which holds `before`, holds
    /// `after` from now on. Throws Error(damaged) if it holds something else.
    void rewrite_file_locks(const std::string& before, const std::string& after);
    /// The same of a stream: `edit` walks the source to its end and tells it about edits as it
    /// goes. Returns nothing of it is to be kept if `edit` returns false: a file does not appear
    /// then. Throws Error(refused) if this is no stream.
    void rewrite_stream(const std::function<bool(PassThrough& source)>& edit);

 private:
    enum class Where : std::uint8_t { nowhere, itself, standard_output, output };

    void open_standard_input();
    void open_stream();
    void refuse_interrupted() const;
    void save_stream();
    void open_folder(io::Place place);
    void open_in_folder(io::Place place);
    void refuse_for_folder(const Target& target) const;
    void open_file(io::Place place);
    void open_archive();
    void open_archive(io::Source& source);
    void resolve_target(const io::Place* place);
    void find_output(const io::Place* place);
    [[nodiscard]] ImageFile::Options file_options() const;
    [[nodiscard]] io::Progress progress_on(const io::File& file) const;
    [[nodiscard]] io::File standard_output() const;
    // Does `work`. Of a folder no other can be written: that is no advice then.
    void as_of_folder(const std::function<void()>& work) const;
    void rewrite_file(const EditList& edits);
    void rewrite_archive(const criu::ArchiveChanges& changes);

    io::System& system_;
    std::string name_;
    Options options_;
    Kind kind_ = Kind::image;
    bool has_image_ = true;
    std::string image_name_;
    Where where_ = Where::nowhere;
    std::optional<Output> output_;
    std::optional<struct stat> input_;  // of standard input
    std::optional<ImageFile> file_;     // the image, the archive, or the list of locks
    std::unique_ptr<criu::CheckpointFiles> checkpoint_;
    std::optional<io::File> saved_;       // what came through a pipe and had to be kept
    std::string captured_;                // the bytes of the image in an archive
    std::optional<criu::Extent> extent_;  // where they stand in one that is not compressed
    std::unique_ptr<io::Source> source_;
    PassThrough* stream_ = nullptr;  // that is source_
};

}  // namespace ckpt_lease
