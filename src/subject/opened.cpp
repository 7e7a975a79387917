// SPDX-License-Identifier: GPL-2.0-or-later
#include "subject/opened.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "criu/captured_leases.hpp"

namespace ckpt_lease {
namespace {

// CRIU's action script may do so, of a dump that has just been made; others may have made names on
// purpose.
void refuse_several_names(const io::File& file) {
    if (file.status().st_nlink > 1) {
        throw Error(Error::Kind::io,
                    {.file = file.name(),
                     .message = "the file has several names (hard links): the others would lead to "
                                "what was there before",
                     .advice = Advice::write_elsewhere});
    }
}

[[noreturn]] void fail_changed(const io::File& file) {
    throw Error(Error::Kind::damaged, {.file = file.name(),
                                       .message = "it has changed since it was read",
                                       .hint = "somebody else writes to this file; try again",
                                       .code = Problem::Code::changed_meanwhile});
}

}  // namespace

void Opened::need_image() const {
    if (!has_image_) {
        throw Error(
            Error::Kind::refused,
            {.file = name_,
             .message = fmt::format("no leases were captured with this checkpoint: there is no {}",
                                    criu::kCapturedImage),
             .advice = Advice::capture_times,
             .code = Problem::Code::not_captured});
    }
}

void Opened::refuse_stream() const {
    if (kind_ == Kind::stream) {
        throw Error(Error::Kind::refused,
                    {.file = name_,
                     .message = "what comes through a pipe is read only once, and this needs to be "
                                "read again",
                     .hint = "save the image and give its name"});
    }
}

io::Source& Opened::source() {
    need_image();
    if (kind_ == Kind::stream) {
        return *source_;
    }
    if (kind_ == Kind::archive) {
        source_ = std::make_unique<io::MemorySource>(image_name_, as_bytes(captured_));
        return *source_;
    }
    source_ = std::make_unique<io::FileSource>(file_->file());
    source_->on_progress(progress_on(file_->file()));
    return *source_;
}

std::size_t Opened::read_at(std::span<std::byte> into, std::uint64_t offset) const {
    refuse_stream();
    if (kind_ != Kind::archive) {
        return file_->file().read_at(into, offset);
    }
    const auto bytes = as_bytes(captured_);
    const auto from =
        bytes.subspan(static_cast<std::size_t>(std::min<std::uint64_t>(offset, bytes.size())));
    const std::size_t count = std::min(from.size(), into.size());
    std::copy_n(from.begin(), count, into.begin());
    return count;
}

Snapshot Opened::read(const linux_cr::Layout& layout) {
    if (!has_image_) {
        return read_checkpoint();
    }
    linux_cr::Image image = linux_cr::read_image(source(), layout);
    try {
        check_belongs(image);
    } catch (const Error& error) {
        // Whether the leases belong here cannot be told then: they can be shown all the same.
        if (error.kind() != Error::Kind::damaged) {
            throw;
        }
        image.damage = image.damage ? image.damage : error.problem();
    }
    Snapshot snapshot = linux_cr::as_snapshot(std::move(image), image_name_, layout);
    snapshot.origin.subject = name_;
    snapshot.origin.was_captured = checkpoint_ != nullptr;
    return snapshot;
}

Snapshot Opened::read_sound(const linux_cr::Layout& layout) {
    Snapshot snapshot = read(layout);
    if (snapshot.damage) {
        throw Error(Error::Kind::damaged, *snapshot.damage);
    }
    return snapshot;
}

linux_cr::Image Opened::read_sound_image(const linux_cr::Layout& layout) {
    linux_cr::Image image = linux_cr::read_sound_image(source(), layout);
    check_belongs(image);
    return image;
}

Snapshot Opened::read_checkpoint() const {
    return criu::as_snapshot(criu::read_checkpoint(*checkpoint_));
}

void Opened::check_belongs(const linux_cr::Image& image) const {
    if (checkpoint_ != nullptr) {
        criu::check_captured_with(*checkpoint_, image.facts.checkpoint_id, image.locks);
    }
}

std::string Opened::read_file_locks() const {
    // In a folder it is the image that is open and locked that is read and replaced. checkpoint_
    // reads by name: who decides by that compares the entries.
    return kind_ == Kind::folder && file_ ? criu::read_image(file_->file())
                                          : checkpoint_->read(criu::kFileLocksImage).value_or("");
}

bool Opened::writes_file() const noexcept {
    return where_ == Where::itself || (where_ == Where::output && output_->takes_file);
}

// If the input is the output too, the output would be read again, without end.
io::File Opened::standard_output() const {
    io::File out = io::File::borrow(system_, "standard output", STDOUT_FILENO);
    const struct stat from = input_ ? *input_ : file_->file().status();
    const struct stat to = out.status();
    if (S_ISREG(from.st_mode) && io::is_same_file(from, to)) {
        throw Error(Error::Kind::refused, {.file = name_,
                                           .message = "the image is the output too",
                                           .hint = "open it by its name to rewrite it in place"});
    }
    return out;
}

void Opened::as_of_folder(const std::function<void()>& work) const {
    try {
        work();
    } catch (const Error& error) {
        Problem problem = error.problem();
        if (kind_ != Kind::folder || problem.advice != Advice::write_elsewhere) {
            throw;
        }
        problem.advice = Advice::none;
        problem.hint += problem.hint.empty() ? "" : "; or ";
        problem.hint += "copy the folder, and give the copy";
        throw Error(error.kind(), std::move(problem));
    }
}

void Opened::rewrite(const EditList& edits) {
    if (kind_ != Kind::archive) {
        rewrite_file(edits);
    } else if (extent_) {
        // No policy changes the size of an image: the archive is rewritten as the image would be.
        EditList moved;
        for (std::size_t i = 0; i < edits.size(); ++i) {
            const Edit edit = edits.at(i);
            moved.add(extent_->offset + edit.offset, edit.old_bytes, edit.new_bytes);
        }
        rewrite_file(moved);
    } else {
        criu::ArchiveChanges changes;
        if (!edits.empty()) {
            std::string& bytes = changes[std::string(criu::kCapturedImage)];
            bytes = captured_;
            for (std::size_t i = 0; i < edits.size(); ++i) {
                apply_edit(edits.at(i), std::as_writable_bytes(std::span(bytes)), 0, image_name_);
            }
        }
        rewrite_archive(changes);
    }
}

void Opened::rewrite_file(const EditList& edits) {
    const io::Progress progress = progress_on(file_->file());
    switch (where_) {
        case Where::nowhere:
            break;
        case Where::itself:
            as_of_folder(
                [&] { write_in_place(*file_, edits, options_.target->undo_file, progress); });
            break;
        case Where::standard_output: {
            io::File out = standard_output();
            write_stream(file_->file(), edits, out, progress);
            break;
        }
        case Where::output:
            write_copy(*file_, edits, *output_, progress);
            break;
    }
}

void Opened::rewrite_file_locks(const std::string& before, const std::string& after) {
    if (kind_ == Kind::archive) {
        criu::ArchiveChanges changes;
        if (before != after) {
            changes.emplace(criu::kFileLocksImage, after);
        }
        rewrite_archive(changes);
    } else if (!file_ && before != after && !options_.target->dry_run) {
        // It was not there to be locked.
        criu::fail_changed(checkpoint_->path_of(criu::kFileLocksImage));
    } else if (where_ == Where::itself && before != after) {
        // The lock keeps only those out who ask for it.
        if (read_file_locks() != before) {
            fail_changed(file_->file());
        }
        as_of_folder([&] {
            refuse_several_names(file_->file());
            replace_file(*file_, as_bytes(after));
        });
    }
}

void Opened::rewrite_archive(const criu::ArchiveChanges& changes) {
    const io::File& in = file_->file();
    const auto fill = [&](io::File& out) {
        criu::edit_archive(in, *checkpoint_, changes, out, progress_on(in));
        return true;
    };
    switch (where_) {
        case Where::nowhere:
            // What cannot be written is told by a dry run, too.
            if (!changes.empty()) {
                io::File nothing(io::posix_system(), "/dev/null", O_WRONLY);
                fill(nothing);
            }
            break;
        case Where::itself:
            if (!changes.empty()) {
                refuse_several_names(in);
                replace_file(*file_, fill);
            }
            break;
        case Where::standard_output: {
            io::File out = standard_output();
            fill(out);
            break;
        }
        case Where::output:
            write_new(*output_, &in, fill);
            break;
    }
}

void Opened::rewrite_stream(const std::function<bool(PassThrough& source)>& edit) {
    if (kind_ != Kind::stream) {
        throw Error(Error::Kind::refused,
                    {.file = name_, .message = "this is no stream, which is rewritten on its way"});
    }
    const auto pass_to = [&](io::File& out) {
        stream_->copy_to(out);
        const bool is_wanted = edit(*stream_);
        stream_->finish();
        return is_wanted;
    };
    // What is written into a pipe or a device cannot be taken back.
    const auto pass_at_once = [&](io::File& out) {
        try {
            return pass_to(out);
        } catch (const Error& error) {
            throw with_outcome(error, stream_->has_written()
                                          ? "what was passed on is no whole image: throw it away"
                                          : "nothing was passed on");
        }
    };
    switch (where_) {
        case Where::nowhere:
            static_cast<void>(edit(*stream_));
            break;
        case Where::itself:  // of no stream
            break;
        case Where::standard_output: {
            io::File out = standard_output();
            pass_at_once(out);
            break;
        }
        case Where::output:
            write_new(*output_, nullptr, [&](io::File& out) {
                return output_->takes_file ? pass_to(out) : pass_at_once(out);
            });
            break;
    }
}

}  // namespace ckpt_lease
