// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/archives.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <filesystem>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/rewrite/writers.hpp"
#include "cli/checkpoints.hpp"
#include "cli/input.hpp"
#include "cli/rewriting.hpp"

namespace ckpt_lease::cli {
io::File file_in_memory(io::System& system, const std::string& name,
                        std::span<const std::byte> bytes) {
    const int fd = memfd_create("ckpt-lease", MFD_CLOEXEC);
    if (fd < 0) {
        io::fail(name, "get memory for", -errno);
    }
    io::File file = io::File::adopt(system, name, fd);
    file.write(bytes);
    return file;
}

std::optional<ImageFile> lock_archive(const Context& context, const std::string& name,
                                      const OutputOptions& output, bool wait) {
    io::System& system = *context.environment.system;
    std::error_code error;
    if (std::filesystem::is_directory(name, error) || !is_checkpoint(system, name)) {
        return std::nullopt;
    }
    const io::Place place = io::find_place(system, name, "open");
    ImageFile archive(place, access_for(place, output, wait));
    tell_of_interruption(context, archive);
    return archive;
}

void rewrite_archive(const Context& context, const ImageFile& archive,
                     const criu::ArchiveChanges& changes, const OutputOptions& output) {
    const io::File& in = archive.file();
    if (!output.undo_file.empty()) {
        throw Error(Error::Kind::refused, {.file = in.name(),
                                           .message = "there is no undo file for an archive",
                                           .hint = "keep it as it is, and write another with -o"});
    }
    if (output.dry_run) {
        return;
    }
    const io::Progress progress = progress_on(context, in);
    const auto fill = [&](io::File& out) {
        criu::edit_archive(in, changes, out, progress);
        return true;
    };
    if (output.out == "-") {
        io::File out = open_standard_output(in);
        fill(out);
        return;
    }
    const StopSignals stop_signals;
    if (archive.access() == ImageFile::Access::read) {
        Output out = find_output(in.system(), output.out);
        write_new(out, &in, fill);
    } else if (changes.file_locks || changes.captured) {
        refuse_several_names(archive, "archive");
        replace_file(archive, fill);
    }
}

}  // namespace ckpt_lease::cli
