// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <vector>

#include "criu/archive.hpp"
#include "io/source.hpp"

namespace ckpt_lease::criu {

/// The bytes that another source has when nothing of it is compressed any more. It is here because
/// libarchive reads a compressed archive to the end mark of tar, and looks neither for the end of
/// what is compressed nor at the checksum there: whoever reads this to its end has done both.
/// Reading throws what ArchiveReader does.
class DecompressedSource final : public io::Source {
 public:
    /// `compressed` is read on from where it is, and must outlive this.
    explicit DecompressedSource(io::Source& compressed);

    /// As ArchiveReader::compression().
    [[nodiscard]] int compression() const { return reader_.compression(); }

 protected:
    void fill(std::size_t count) override;

 private:
    ArchiveReader reader_;
    std::vector<std::byte> buffer_;  // what was asked for and did not come in one piece
};

}  // namespace ckpt_lease::criu
