// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/linux_cr/layout.hpp"
#include "linux_cr/walker.hpp"

/// What the fuzz targets share. A target is a file with LLVMFuzzerTestOneInput(): libFuzzer feeds
/// it (scripts/fuzz), or replay.cpp with the files of the corpus, in the ordinary tests.
namespace fuzz {

using Bytes = std::span<const std::byte>;

/// The name that all images go by in messages.
inline constexpr std::string_view kName = "image";

/// Ends the process, which is what a fuzzer looks for, if something that must hold does not.
void require(bool holds, const char* what);
/// The same, saying more: two texts that should be equal.
void require_equal(std::string_view found, std::string_view expected, const char* what);

[[nodiscard]] inline Bytes as_bytes(const std::uint8_t* data, std::size_t size) {
    return std::as_bytes(std::span(data, size));
}

/// A number that stands for all bytes of an input: what cannot be done for each input, for lack of
/// time, is done where this says so, and so for the same inputs whenever they come.
[[nodiscard]] std::uint32_t checksum(Bytes bytes);

/// The file that is replayed, of replay.cpp, not the input of a fuzzer: all is done then.
[[nodiscard]] bool is_replay();
void set_replay();

/// The records of an image as the format's description says, found a second time in the plainest
/// way.
struct Framing {
    bool is_image = false;
    bool whole = false;  ///< the last record ends where the input does
    ckpt_lease::ByteOrder order = ckpt_lease::ByteOrder::little;
    std::vector<ckpt_lease::linux_cr::Record> records;  ///< the last one may be cut off
};
void find_framing(Bytes image, Framing& into);

[[nodiscard]] std::uint32_t read_u32(Bytes bytes, std::size_t at, ckpt_lease::ByteOrder order);

/// Layouts of one type and length of FILE_LOCK, so that one image can be read with each: lease-1,
/// whole seconds, narrow fields, wide fields, and lists that end in a marker.
[[nodiscard]] const std::vector<ckpt_lease::linux_cr::Layout>& layouts();

}  // namespace fuzz
