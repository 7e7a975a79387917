// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>

#include "ckpt-lease/criu/edit_archive.hpp"
#include "ckpt-lease/io/file.hpp"
#include "ckpt-lease/rewrite/image_file.hpp"
#include "cli/command.hpp"
#include "cli/options.hpp"

namespace ckpt_lease::cli {

/// `bytes` as a file that is nowhere but in memory, and is called `name`.
[[nodiscard]] io::File file_in_memory(io::System& system, const std::string& name,
                                      std::span<const std::byte> bytes);

/// If `name` is an archive, opens it for what the options say will be done with it: while the
/// result lives, no other ckpt-lease rewrites it. Throws Error as ImageFile does.
[[nodiscard]] std::optional<ImageFile> lock_archive(const Context& context, const std::string& name,
                                                    const OutputOptions& output, bool wait);

/// Writes the archive, which lock_archive() opened for the same options, with `changes` where the
/// options say: another archive takes its place, or is OUT, or nothing is written. Throws Error as
/// criu::edit_archive() does, and Error(refused) if there is to be an undo file, or as
/// replace_file() does.
void rewrite_archive(const Context& context, const ImageFile& archive,
                     const criu::ArchiveChanges& changes, const OutputOptions& output);

}  // namespace ckpt_lease::cli
