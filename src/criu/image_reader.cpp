// SPDX-License-Identifier: GPL-2.0-or-later
#include "criu/image_reader.hpp"

#include <fmt/format.h>
#include <google/protobuf/message_lite.h>

#include <utility>

#include "ckpt-lease/base/problem.hpp"

namespace ckpt_lease::criu {
namespace {

constexpr std::size_t kNumber = 4;  // bytes of a magic number and of a size
constexpr std::string_view kDamaged = "the image is damaged; copy it again";

}  // namespace

void fail_damaged(std::string file, std::string message, std::string hint, Problem::Code code) {
    throw Error(Error::Kind::damaged, {.file = std::move(file),
                                       .message = std::move(message),
                                       .hint = std::move(hint),
                                       .code = code});
}

ImageReader::ImageReader(std::string file, std::string_view bytes, Magic magic)
    : file_(std::move(file)), bytes_(bytes) {
    const auto wanted = static_cast<std::uint32_t>(magic);
    if (bytes_.size() < kNumber) {
        fail_at(0, "magic", fmt::format("the image ends after {} bytes", bytes_.size()));
    }
    for (const ByteOrder order : {ByteOrder::little, ByteOrder::big}) {
        order_ = order;
        const std::uint32_t first = number_at(0);
        if (first == wanted) {  // inventory.img, and all images before there was a common number
            offset_ = head_ = kNumber;
            return;
        }
        if (first == kCommonMagic && magic != Magic::inventory) {
            if (bytes_.size() < 2 * kNumber) {
                fail_at(kNumber, "magic",
                        fmt::format("the image ends after {} bytes", bytes_.size()));
            }
            if (number_at(kNumber) != wanted) {
                fail_at(kNumber, "magic",
                        fmt::format("{:#010x} is another image of CRIU: {:#010x} is what this "
                                    "one begins with",
                                    number_at(kNumber), wanted));
            }
            offset_ = head_ = 2 * kNumber;
            return;
        }
    }
    order_ = ByteOrder::little;
    fail_at(0, "magic",
            fmt::format("{:#010x} is not what an image of CRIU begins with", number_at(0)));
}

std::uint32_t ImageReader::number_at(std::size_t offset) const {
    return load_u32(as_bytes(bytes_), offset, order_);
}

std::optional<Entry> ImageReader::next() {
    const std::size_t left = bytes_.size() - offset_;
    if (left == 0) {
        return {};
    }
    const std::string record = fmt::format("entry {}", index_);
    if (left < kNumber) {
        fail_at(offset_, record,
                fmt::format("the image ends within its size, after {} bytes", left));
    }
    const std::uint32_t size = number_at(offset_);
    if (size > kLargestEntry) {
        fail_at(
            offset_, record,
            fmt::format("a size of {} bytes: {} are the most that is read", size, kLargestEntry));
    }
    if (size > left - kNumber) {
        fail_at(offset_, record,
                fmt::format("it has {} bytes, and the image ends after {} of them", size,
                            left - kNumber));
    }
    const Entry entry{index_, offset_, bytes_.substr(offset_ + kNumber, size)};
    offset_ += kNumber + size;
    ++index_;
    return entry;
}

void ImageReader::parse(const Entry& entry, google::protobuf::MessageLite& into) const {
    if (!into.ParseFromArray(entry.message.data(), static_cast<int>(entry.message.size()))) {
        fail(entry, "the protobuf message cannot be read");
    }
}

void ImageReader::fail(const Entry& entry, std::string message) const {
    fail_at(entry.offset, fmt::format("entry {}", entry.index), std::move(message));
}

void ImageReader::fail_at(std::uint64_t offset, std::string record, std::string message) const {
    throw Error(Error::Kind::damaged,
                {Problem::Severity::structure, file_, offset, std::move(record), std::move(message),
                 std::string(kDamaged)});
}

}  // namespace ckpt_lease::criu
