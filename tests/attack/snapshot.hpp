// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace attack {

/// What there is to be lost of a folder and all that is in it, by path: kind, mode, owner, group,
/// bytes or target, and every extended attribute, access control lists among them. When a file was
/// written does not count.
using Snapshot = std::map<std::string, std::string>;

Snapshot snapshot(const std::filesystem::path& folder);

/// The same of one file.
std::string describe(const std::filesystem::path& file);

}  // namespace attack
