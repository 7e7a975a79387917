// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "ckpt-lease/criu/edit_archive.hpp"
#include "ckpt-lease/io/file.hpp"
#include "cli/command.hpp"
#include "cli/options.hpp"

namespace ckpt_lease::cli {

/// `bytes` as a file that is nowhere but in memory, and is called `name`.
[[nodiscard]] io::File file_in_memory(io::System& system, const std::string& name,
                                      std::span<const std::byte> bytes);

/// Writes the archive `name` with `changes` where the options say: another archive takes its place,
/// or is OUT, or nothing is written. Throws Error as criu::edit_archive() does, and Error(refused)
/// if there is to be an undo file, or if the archive has several names: only one would lead to what
/// is new.
void rewrite_archive(const Context& context, const std::string& name,
                     const criu::ArchiveChanges& changes, const OutputOptions& output);

}  // namespace ckpt_lease::cli
