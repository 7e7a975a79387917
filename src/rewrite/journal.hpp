// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>

#include "ckpt-lease/rewrite/edit_list.hpp"
#include "io/file.hpp"

namespace ckpt_lease {

/// A journal holds a list of edits and the image that they are for, on disk. One stands beside an
/// image while the image is rewritten, so that an interrupted change can be taken back; one that is
/// kept on purpose is an undo file. ckpt-lease-journal(5) describes the bytes.

/// What tells one image from another.
struct ImageIdentity {
    std::uint64_t device = 0;  ///< st_dev
    std::uint64_t inode = 0;   ///< st_ino
    std::uint64_t size = 0;    ///< in bytes
    std::uint32_t head_length =
        0;  ///< in bytes: what stands before the first edit, at most kMostHead
    std::uint64_t head_checksum = 0;  ///< XXH3 of these bytes

    static constexpr std::uint32_t kMostHead = 4096;
};

/// The identity of `image`, as it is for a journal of `edits`.
[[nodiscard]] ImageIdentity identify(const io::File& image, const EditList& edits);

struct Journal {
    enum class Purpose : std::uint8_t {
        rollback = 1,  ///< goes away once the change is complete
        undo = 2,      ///< kept on purpose
    };

    Purpose purpose = Purpose::rollback;
    ImageIdentity identity;
    std::string image;  ///< its absolute path when the journal was made: bytes
    EditList edits;
};

/// Writes `journal` to the new file `out`, from the first byte to the last. `edits` stands apart so
/// that it need not be copied into one. Throws Error(io).
void write_journal(const Journal& journal, const EditList& edits, io::File& out);

/// Reads a journal. Throws Error(io), and Error(damaged) unless it is whole: nothing of a journal
/// is believed before its checksum has been seen to be right.
[[nodiscard]] Journal read_journal(const io::File& in);
/// True if it begins as journals and undo files do. Throws Error(io).
[[nodiscard]] bool begins_as_journal(const io::File& in);

/// Throws Error(damaged), naming `journal`, unless `image` is the one that the journal was made
/// for: the same file (if `by_inode`), as large, and beginning with the same bytes.
void check_identity(const io::File& image, const Journal& journal, const std::string& journal_name,
                    bool by_inode);

}  // namespace ckpt_lease
