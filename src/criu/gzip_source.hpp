// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "io/source.hpp"

struct z_stream_s;

namespace ckpt_lease::criu {

/// What gzip(1) makes of another source: the contents of all its gzip members (RFC 1952), one after
/// another. Zeros may follow the last one, as on tapes. It is here because libarchive 3.6 does not
/// compare the checksums of the members; this does. Reading throws Error(damaged), which names the
/// source, where a checksum or a length does not fit, where the data cannot be decompressed, end
/// too early, or have something else behind them, and what the source throws.
class GzipSource final : public io::Source {
 public:
    /// `compressed` is read on from where it is, and must outlive this.
    explicit GzipSource(io::Source& compressed);
    ~GzipSource() override;

    /// True if a gzip member begins with `begin`; its first kHead bytes suffice.
    [[nodiscard]] static bool is_gzip(std::span<const std::byte> begin);
    static constexpr std::size_t kHead = 4;

 protected:
    void fill(std::size_t count) override;

 private:
    std::size_t inflate_to(std::span<std::byte> out);
    void end_member();

    io::Source& compressed_;
    std::unique_ptr<z_stream_s, void (*)(z_stream_s*)> stream_;
    std::vector<std::byte> buffer_;
    bool ended_ = false;
};

}  // namespace ckpt_lease::criu
