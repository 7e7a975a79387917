// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/rewriting.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "ckpt-lease/base/text.hpp"
#include "ckpt-lease/rewrite/writers.hpp"

namespace ckpt_lease::cli {

RecordReader::RecordReader(const io::File& file, const linux_cr::Layout& layout, ByteOrder order)
    : file_(file), codec_(layout, order), record_(layout.length) {}

std::span<const std::byte> RecordReader::read(const Lock& lock) {
    Lock again = lock;
    if (file_.read_at(record_, lock.offset) == record_.size()) {
        codec_.interpret(codec_.decode(record_), again);
        if (again.kind == lock.kind && again.lease == lock.lease) {
            return record_;
        }
    }
    throw Error(Error::Kind::damaged, {.file = file_.name(),
                                       .offset = lock.offset,
                                       .record = "FILE_LOCK",
                                       .message = "the record has changed since it was read",
                                       .hint = "somebody else writes to this file; try again"});
}

io::File open_standard_output(const io::File& in) {
    io::File out = io::File::borrow(in.system(), "standard output", STDOUT_FILENO);
    const struct stat from = in.status();
    const struct stat to = out.status();
    if (S_ISREG(from.st_mode) && from.st_dev == to.st_dev && from.st_ino == to.st_ino) {
        throw Error(Error::Kind::refused, {.file = in.name(),
                                           .message = "the image is the output too",
                                           .hint = "give its name alone to rewrite it in place"});
    }
    return out;
}

void refuse_several_names(const ImageFile& file, std::string_view what) {
    if (file.file().status().st_nlink > 1) {
        throw Error(Error::Kind::refused,
                    {.file = file.file().name(),
                     .message = fmt::format("the {} has several names (hard links)", what),
                     .hint = "write another one with -o"});
    }
}

ImageFile::Options access_for(const io::Place& image, const OutputOptions& output, bool wait) {
    const bool in_place = output.is_in_place(image);
    return {.access = in_place ? ImageFile::Access::write : ImageFile::Access::read, .wait = wait};
}

void log_edits(const EditList& edits) {
    for (std::size_t i = 0; i < edits.size(); ++i) {
        const Edit edit = edits.at(i);
        spdlog::debug("offset {}: {} becomes {}", edit.offset, to_hex(as_text(edit.old_bytes)),
                      to_hex(as_text(edit.new_bytes)));
    }
}

void carry_out(const Context& context, Input& input, const EditList& edits,
               const OutputOptions& options) {
    log_edits(edits);
    if (options.dry_run) {
        return;
    }
    ImageFile& image = input.image();
    const io::Progress progress = progress_on(context, image.file());
    if (options.out == "-") {
        io::File out = open_standard_output(image.file());
        write_stream(image.file(), edits, out, progress);
        return;
    }
    const StopSignals stop_signals;
    if (image.access() == ImageFile::Access::write) {
        write_in_place(image, edits, options.undo_file, progress);
    } else {
        write_copy(image, edits, options.out, progress);
    }
}

}  // namespace ckpt_lease::cli
