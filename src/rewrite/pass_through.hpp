// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>

#include "ckpt-lease/rewrite/edit_list.hpp"
#include "io/file.hpp"
#include "io/source.hpp"

namespace ckpt_lease {

/// A stream that is copied to `out` while it is read: what has been passed over is written before
/// more is read. Long payloads go from pipe to pipe without passing through this process. Edits can
/// be added as long as their place has not been passed.
class PassThrough final : public io::StreamSource {
 public:
    PassThrough(io::File& in, io::File& out) : StreamSource(in), in_(in), out_(&out) {}
    /// Until it is told where to, nothing is copied.
    explicit PassThrough(io::File& in) : StreamSource(in), in_(in) {}

    /// From here on all is copied to `out`: only as long as nothing has been passed over.
    void copy_to(io::File& out) noexcept { out_ = &out; }
    /// Whether something was written, all of it or a part.
    [[nodiscard]] bool has_written() const noexcept { return has_written_; }

    /// Takes over all edits of `edits`, at or behind offset(), in order.
    void add(const EditList& edits);

    /// Writes what has been passed over and not yet written.
    void finish();

 protected:
    void leaving(std::span<std::byte> passed, std::uint64_t offset) override;
    std::uint64_t skip_beyond_window(std::uint64_t count) override;

 private:
    std::uint64_t splice_on(std::uint64_t count);

    io::File& in_;
    io::File* out_ = nullptr;
    EditList pending_;
    std::size_t next_ = 0;
    bool has_written_ = false;
    bool can_splice_ = true;
    bool pipes_are_wide_ = false;
};

}  // namespace ckpt_lease
