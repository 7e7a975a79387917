// SPDX-License-Identifier: GPL-2.0-or-later
// What a name stands for, and how that is opened.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <limits>
#include <utility>

#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "criu/no_checkpoint.hpp"
#include "subject/find_image.hpp"
#include "subject/opened.hpp"

namespace ckpt_lease {
namespace {

[[noreturn]] void fail_empty(const io::Folder& folder) {
    if (const auto why = criu::why_no_checkpoint(folder)) {
        throw why->error();
    }
    throw Error(Error::Kind::io,
                {.file = folder.path(),
                 .message = fmt::format("there is no checkpoint and no {} in this folder",
                                        criu::kCapturedImage),
                 .hint = "an image with another name must be given itself",
                 .code = Problem::Code::not_a_checkpoint});
}

constexpr std::size_t kArchiveBegin = 512;

bool begins_as_archive(const io::File& file) {
    std::array<std::byte, kArchiveBegin> bytes{};
    return criu::may_be_archive(std::span(bytes).first(file.read_at(bytes, 0)));
}

bool is_folder(const io::Place& place) {
    return place.status && S_ISDIR(place.status->st_mode);
}

}  // namespace

std::optional<io::Place> find_image(io::System& system, const std::string& name) {
    io::Place place = io::find_place(system, name, "open");
    if (!is_folder(place)) {
        return place;
    }
    const std::shared_ptr<const io::Folder> folder = place.open_folder();
    if (const auto checkpoint = criu::find_checkpoint(folder)) {
        place = checkpoint->place_of(criu::kCapturedImage).value();
        return place.status ? std::optional(std::move(place)) : std::nullopt;
    }
    std::optional<io::Place> alone = criu::find_image(*folder, criu::kCapturedImage);
    if (!alone) {
        fail_empty(*folder);
    }
    return alone;
}

Opened::Opened(io::System& system, const std::string& name, Options options)
    : system_(system), name_(name), options_(std::move(options)), image_name_(name) {
    if (name == "-") {
        open_standard_input();
        return;
    }
    io::Place place = io::find_place(system, name, "open");
    if (is_folder(place)) {
        open_folder(std::move(place));
    } else {
        open_file(std::move(place));
    }
}

Opened::~Opened() = default;

io::Progress Opened::progress_on(const io::File& file) const {
    return options_.progress ? options_.progress(file) : io::Progress();
}

ImageFile::Options Opened::file_options() const {
    return {.access = where_ == Where::itself ? ImageFile::Access::write : ImageFile::Access::read,
            .wait = options_.wait,
            .any_link = options_.any_link};
}

// "-o, -, in place, dry run" is decided here, and nowhere else. `place`: of the file that would be
// changed; null if there is none.
void Opened::resolve_target(const io::Place* place) {
    if (!options_.target) {
        return;
    }
    if (!options_.target->dry_run) {
        find_output(place);
    }
    if (!options_.target->undo_file.empty() && where_ != Where::itself) {
        throw Error(Error::Kind::refused,
                    {.file = name_,
                     .message = "an undo file is for an image that is rewritten in place",
                     .advice = Advice::no_undo_file});
    }
}

void Opened::find_output(const io::Place* place) {
    if (options_.target->is_standard_output(name_)) {
        where_ = Where::standard_output;
        return;
    }
    if (options_.target->out.empty()) {
        where_ = Where::itself;
        return;
    }
    io::Place found = find_output_place(system_, options_.target->out);
    if (place != nullptr && place->status && found.status &&
        io::is_same_file(*place->status, *found.status)) {
        where_ = Where::itself;
        return;
    }
    where_ = Where::output;
    output_.emplace(output_at(std::move(found)));
}

void Opened::open_standard_input() {
    file_.emplace(system_, name_, STDIN_FILENO, ImageFile::Options{.wait = options_.wait});
    input_ = file_->file().status();
    if (!options_.target && io::is_seekable(file_->file())) {
        if (begins_as_archive(file_->file())) {
            open_archive();
        }
        return;
    }
    resolve_target(nullptr);
    open_stream();
}

// What is read in order is read past the journal of an interrupted change.
void Opened::refuse_interrupted() const {
    if (file_->hides_change()) {
        throw Error(Error::Kind::refused,
                    {.message = options_.target
                                    ? "a change to this image was interrupted: it cannot be "
                                      "rewritten as a stream"
                                    : "an image of which a change was interrupted cannot be read "
                                      "from its middle",
                     .advice = Advice::recover_or_name,
                     .code = Problem::Code::interrupted_change});
    }
}

void Opened::open_stream() {
    refuse_interrupted();
    auto stream = std::make_unique<PassThrough>(file_->file());
    stream->on_progress(progress_on(file_->file()));
    stream_ = stream.get();
    source_ = std::move(stream);
    if (!criu::may_be_archive(stream_->peek(kArchiveBegin))) {
        kind_ = Kind::stream;
        return;
    }
    if (where_ == Where::nowhere) {
        open_archive(*stream_);
        // Whoever fills a pipe takes its end for a failure.
        stream_->skip(std::numeric_limits<std::uint64_t>::max());
        return;
    }
    // What is to become of its first members is known when the last ones were read.
    save_stream();
    open_archive();
}

void Opened::save_stream() {
    try {
        saved_.emplace(io::save_stream(*stream_, system_));
    } catch (const Error& error) {
        Problem problem = error.problem();
        if (problem.file == name_) {
            throw;
        }
        problem.advice = Advice::none;
        problem.hint =
            "an archive from a pipe is kept in $TMPDIR, or /var/tmp, while it is rewritten: name "
            "another folder there, with room for it";
        throw Error(error.kind(), std::move(problem));
    }
    file_.emplace(system_, name_, saved_->fd(), ImageFile::Options{});
}

void Opened::open_file(io::Place place) {
    resolve_target(&place);
    const bool is_regular = place.status && S_ISREG(place.status->st_mode);
    file_.emplace(std::move(place), file_options());
    if (is_regular && begins_as_archive(file_->file())) {
        open_archive();
        return;
    }
    if (io::is_seekable(file_->file())) {
        if (const auto why = criu::why_no_checkpoint(file_->file())) {
            throw why->error();
        }
        return;
    }
    if (where_ == Where::itself) {
        throw Error(Error::Kind::io, {.file = name_,
                                      .message = "only regular files can be rewritten by name",
                                      .hint = "save the image and give its name",
                                      .advice = Advice::stream_elsewhere});
    }
    open_stream();
}

void Opened::open_archive(io::Source& source) {
    kind_ = Kind::archive;
    source.on_progress(progress_on(file_->file()));
    checkpoint_ = criu::open_archive(source);
    has_image_ = checkpoint_->has(criu::kCapturedImage);
    if (has_image_) {
        image_name_ = checkpoint_->path_of(criu::kCapturedImage);
        captured_ = checkpoint_->read(criu::kCapturedImage).value_or("");
        extent_ = checkpoint_->extent_of(criu::kCapturedImage);
    }
    if (options_.target && !options_.target->undo_file.empty() && !extent_) {
        throw Error(Error::Kind::refused,
                    {.file = name_,
                     .message = "there is no undo file for this archive, which is written anew",
                     .advice = Advice::no_undo_file});
    }
}

void Opened::open_archive() {
    io::FileSource source(file_->file());
    open_archive(source);
}

void Opened::open_folder(io::Place place) {
    const std::shared_ptr<const io::Folder> folder = place.open_folder();
    checkpoint_ = criu::find_checkpoint(folder);
    if (checkpoint_ == nullptr) {
        std::optional<io::Place> alone = criu::find_image(*folder, criu::kCapturedImage);
        if (!alone) {
            fail_empty(*folder);
        }
        // With other images of CRIU's beside it, it is not all that there was to be.
        if (const auto why = criu::why_no_checkpoint(*folder);
            why && why->kind == criu::NoCheckpoint::Kind::other) {
            throw why->error();
        }
        image_name_ = alone->shown;
        open_in_folder(std::move(*alone));
        return;
    }
    kind_ = Kind::folder;
    place = checkpoint_->place_of(criu::kCapturedImage).value();
    has_image_ = place.status.has_value();
    if (has_image_) {
        image_name_ = place.shown;
    } else {
        place = checkpoint_->place_of(criu::kFileLocksImage).value();
    }
    if (options_.target) {
        refuse_for_folder(*options_.target);
    }
    // CRIU's images need no lock to be looked at.
    if (has_image_ || (place.status && options_.target)) {
        open_in_folder(std::move(place));
    }
}

void Opened::open_in_folder(io::Place place) {
    resolve_target(&place);
    ImageFile::Options options = file_options();
    options.only_regular = checkpoint_ != nullptr;
    as_of_folder([&] { file_.emplace(std::move(place), options); });
}

void Opened::refuse_for_folder(const Target& target) const {
    if (!target.out.empty()) {
        throw Error(Error::Kind::refused,
                    {.file = name_,
                     .message = "a checkpoint in a folder can only be rewritten as it is",
                     .hint = "copy the folder, and give the copy"});
    }
    if (!target.undo_file.empty() && !has_image_) {
        throw Error(Error::Kind::refused,
                    {.file = name_,
                     .message = "an undo file is for an image of leases, and none were captured "
                                "with this checkpoint",
                     .advice = Advice::no_undo_file});
    }
}

}  // namespace ckpt_lease
