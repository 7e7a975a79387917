// SPDX-License-Identifier: GPL-2.0-or-later
#include "criu/gzip_source.hpp"

#define ZLIB_CONST
#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>
#include <string>
#include <string_view>

#include "ckpt-lease/base/bytes.hpp"
#include "criu/image_reader.hpp"

namespace ckpt_lease::criu {
namespace {

constexpr std::size_t kInflatedAtOnce = std::size_t{256} * 1024;
static_assert(kInflatedAtOnce >= 2 * io::Source::kPeekLimit);

z_stream_s* new_stream() {
    auto stream = std::make_unique<z_stream_s>();
    constexpr int kGzipOnly = 16;  // added to the size of the window: see zlib.h
    if (inflateInit2(stream.get(), MAX_WBITS + kGzipOnly) != Z_OK) {
        throw std::bad_alloc();
    }
    return stream.release();
}

void delete_stream(z_stream_s* stream) {
    inflateEnd(stream);
    std::default_delete<z_stream_s>()(stream);
}

[[noreturn]] void fail_gzip(const std::string& name, std::string_view reason) {
    fail_damaged(name,
                 fmt::format("these are gzip-compressed data that cannot be read: {}", reason),
                 "they are damaged, or not complete; copy them again");
}

// What zlib says, in words that say what it means for the user.
std::string_view reason_of(const z_stream_s& stream) {
    const std::string_view said = stream.msg != nullptr ? stream.msg : "no reason is given";
    if (said == "incorrect data check") {
        return "their checksum does not fit";
    }
    return said == "incorrect length check" ? "the length that they state does not fit" : said;
}

bool is_zero(std::span<const std::byte> bytes) {
    return std::all_of(bytes.begin(), bytes.end(),
                       [](std::byte byte) { return byte == std::byte{}; });
}

}  // namespace

GzipSource::GzipSource(io::Source& compressed)
    : Source(compressed.name()),
      compressed_(compressed),
      stream_(new_stream(), delete_stream),
      buffer_(kInflatedAtOnce) {}

GzipSource::~GzipSource() = default;

bool GzipSource::is_gzip(std::span<const std::byte> begin) {
    // Magic number, the one method that there is, and flags of which three are reserved.
    constexpr std::byte kReserved{0xe0};
    return begin.size() >= kHead && as_text(begin).starts_with("\x1f\x8b\x08") &&
           (begin[kHead - 1] & kReserved) == std::byte{};
}

void GzipSource::fill(std::size_t count) {
    const std::size_t kept = window_.size() - cursor_;
    if (kept > 0) {
        std::memmove(buffer_.data(), window_.data() + cursor_, kept);
    }
    window_offset_ += cursor_;
    cursor_ = 0;
    window_ = std::span(buffer_).first(kept);
    while (window_.size() < count && !ended_) {
        const std::size_t got = inflate_to(std::span(buffer_).subspan(window_.size()));
        window_ = std::span(buffer_).first(window_.size() + got);
    }
}

std::size_t GzipSource::inflate_to(std::span<std::byte> out) {
    if (compressed_.peek(1).empty()) {
        fail_gzip(name(), "they end too early");
    }
    std::span<const std::byte> in = compressed_.at_hand();
    in = in.first(std::min<std::size_t>(in.size(), std::numeric_limits<uInt>::max()));
    stream_->next_in = reinterpret_cast<const Bytef*>(in.data());
    stream_->avail_in = static_cast<uInt>(in.size());
    stream_->next_out = reinterpret_cast<Bytef*>(out.data());
    stream_->avail_out = static_cast<uInt>(out.size());
    const int result = inflate(stream_.get(), Z_NO_FLUSH);
    if (result == Z_MEM_ERROR) {
        throw std::bad_alloc();
    }
    if (result != Z_OK && result != Z_STREAM_END) {
        fail_gzip(name(), reason_of(*stream_));
    }
    compressed_.skip(in.size() - stream_->avail_in);
    if (result == Z_STREAM_END) {
        end_member();
    }
    return out.size() - stream_->avail_out;
}

void GzipSource::end_member() {
    if (is_gzip(compressed_.peek(kHead))) {
        inflateReset(stream_.get());
        return;
    }
    // gzip(1) passes over anything else with a warning; here it may be the rest of a damaged
    // archive.
    for (; !compressed_.peek(1).empty(); compressed_.skip(compressed_.at_hand().size())) {
        if (!is_zero(compressed_.at_hand())) {
            fail_gzip(name(), "something else stands behind them");
        }
    }
    ended_ = true;
}

}  // namespace ckpt_lease::criu
