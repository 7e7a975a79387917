// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace test_support {

/// Paths and contents, in the order of an archive.
using TarMembers = std::vector<std::pair<std::string, std::string>>;

/// A file in a tar archive as POSIX.1 has it: its header, spelled out, and its contents. The path
/// has at most 100 bytes.
[[nodiscard]] std::string tar_member(const std::string& path, const std::string& bytes);
/// A whole archive of them, with the zeros at its end.
[[nodiscard]] std::string tar(const TarMembers& members);

}  // namespace test_support
