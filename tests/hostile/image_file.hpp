// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "support/image_builder.hpp"

namespace hostile {

/// An image that is written piece by piece, in the working directory, and may be larger than any
/// disk: the payloads of long records are holes.
class ImageFile {
 public:
    explicit ImageFile(std::string name);
    ImageFile(const ImageFile&) = delete;
    ImageFile& operator=(const ImageFile&) = delete;
    ~ImageFile();

    ImageFile& add(std::string_view bytes);
    ImageFile& add(const test_support::ImageBuilder& records) { return add(records.bytes()); }
    ImageFile& add_many(const test_support::ImageBuilder& records, std::size_t times);
    /// A record of zeros that is all there, or not: `has_payload`.
    ImageFile& add_long(std::uint32_t type, std::uint32_t length, bool has_payload = true);

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
    [[nodiscard]] std::string start() const;  ///< the first bytes, up to 64 KiB

 private:
    std::string name_;
    int fd_;
    std::uint64_t size_ = 0;
};

/// HEADER, TREE and TASK of a job of one task, and what stands at its end if its table is object 1.
[[nodiscard]] test_support::ImageBuilder beginning();
[[nodiscard]] test_support::ImageBuilder ending();
/// A table of one file, /a, that a lease being broken is held on; without its FILE_LOCKS.
[[nodiscard]] test_support::ImageBuilder one_file();

}  // namespace hostile
