// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ckpt-lease/base/problem.hpp"
#include "io/file.hpp"
#include "io/folder.hpp"

namespace ckpt_lease::criu {

/// The most bytes of an OCI image's index or manifest that are read.
inline constexpr std::size_t kLargestIndex = std::size_t{1024} * 1024;

/// What stands where a checkpoint was looked for and is none, but has to do with one.
struct NoCheckpoint {
    enum class Kind : std::uint8_t {
        unreadable,  ///< a folder that this user may not look into
        below,       ///< checkpoints lie in folders of this one
        other,       ///< a dump that was not finished, a pre-dump, an OCI image, a single image
    };

    Kind kind = Kind::other;
    Problem problem;  ///< that, in words: where, what, and what would help

    /// What to throw: Error(io) if it cannot be read, otherwise Error(damaged).
    [[nodiscard]] Error error() const;
};

/// Says what a folder is in which there is no checkpoint; nothing if it has nothing to do with
/// CRIU, or if it is one. Looks at the names in it and in two levels of folders below, as far as
/// they are on the same file system, and at some thousands at most. So are found LXD's state/,
/// Docker's checkpoints/NAME/, and whatever else a folder with checkpoints may be called.
[[nodiscard]] std::optional<NoCheckpoint> why_no_checkpoint(const io::Folder& folder);

/// The same of a list of names, such as those of all members of an archive: paths without a
/// leading "./", in any order. `name` is what the whole is called. `read` gives the bytes of a
/// small one, or nothing; it is asked for the index of an OCI image only, and may be empty.
[[nodiscard]] std::optional<NoCheckpoint> why_no_checkpoint(
    const std::string& name, const std::vector<std::string>& members,
    const std::function<std::optional<std::string>(const std::string&)>& read = {});

/// The same of a regular file that is open: whether it is a single image of CRIU's.
[[nodiscard]] std::optional<NoCheckpoint> why_no_checkpoint(const io::File& file);

}  // namespace ckpt_lease::criu
