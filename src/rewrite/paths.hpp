// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>

#include "ckpt-lease/io/file.hpp"

namespace ckpt_lease {

/// Files by their names, for the writers.

/// The folder that `path` is in, and its name there.
[[nodiscard]] std::string folder_of(const std::string& path);
[[nodiscard]] std::string name_of(const std::string& path);

/// `path` with all symbolic links followed. Throws Error(io) if there is nothing.
[[nodiscard]] std::string resolve(io::System& system, const std::string& path);

/// What `path` names, symbolic links followed; nothing where there is nothing. Throws Error(io).
[[nodiscard]] std::optional<struct stat> status_if_there(io::System& system,
                                                         const std::string& path);

[[nodiscard]] bool is_same_file(const struct stat& a, const struct stat& b) noexcept;

/// Flushes the folder that `path` is in, so that what was made, renamed or removed there is so
/// after a power cut too.
void sync_folder(io::System& system, const std::string& path);

/// Removes a file, and flushes its folder.
void remove_durably(io::System& system, const std::string& path);

}  // namespace ckpt_lease
