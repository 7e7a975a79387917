// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/archives.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/rewrite/writers.hpp"
#include "cli/checkpoints.hpp"
#include "cli/input.hpp"
#include "cli/rewriting.hpp"

namespace ckpt_lease::cli {
namespace {

void replace_archive(const io::File& in, const criu::ArchiveChanges& changes,
                     const io::Progress& progress) {
    const struct stat status = in.status();
    if (status.st_nlink > 1) {
        throw Error(Error::Kind::refused, {.file = in.name(),
                                           .message = "the archive has several names (hard links)",
                                           .hint = "write another one with -o"});
    }
    const auto place = find_place(in.system(), in.name());
    NewFile file(in.system(), place ? place->path : in.name());
    criu::edit_archive(in, changes, file.file(), progress);
    file.take_owner_and_mode(status);
    file.commit();
}

}  // namespace

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
    std::error_code error;
    if (std::filesystem::is_directory(name, error) ||
        !is_checkpoint(*context.environment.system, name)) {
        return std::nullopt;
    }
    return open_image(context, name, access_for(context, name, output, wait));
}

void rewrite_archive(const Context& context, const std::string& name,
                     const criu::ArchiveChanges& changes, const OutputOptions& output) {
    if (!output.undo_file.empty()) {
        throw Error(Error::Kind::refused, {.file = name,
                                           .message = "there is no undo file for an archive",
                                           .hint = "keep it as it is, and write another with -o"});
    }
    if (output.dry_run) {
        return;
    }
    const io::File in(*context.environment.system, name, O_RDONLY);
    const io::Progress progress = progress_on(context, in);
    if (output.out == "-") {
        io::File out = open_standard_output(in);
        criu::edit_archive(in, changes, out, progress);
        return;
    }
    const StopSignals stop_signals;
    if (output.is_in_place(in.system(), name)) {
        if (changes.file_locks || changes.captured) {
            replace_archive(in, changes, progress);
        }
    } else {
        write_new(in.system(), output.out, in.status().st_mode,
                  [&](io::File& file) { criu::edit_archive(in, changes, file, progress); });
    }
}

}  // namespace ckpt_lease::cli
