// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/base/problem.hpp"

namespace google::protobuf {
class MessageLite;
}  // namespace google::protobuf

namespace ckpt_lease::criu {

/// The numbers that CRIU's images begin with, behind the one that most have in common: the names
/// and values are those of its magic.h.
enum class Magic : std::uint32_t {
    inventory = 0x58313116,
    pstree = 0x50273030,
    fdinfo = 0x56213732,
    core = 0x55053847,
    ids = 0x54432030,
    reg_files = 0x50363636,
    files = 0x56303138,
    file_locks = 0x54323616,
    timens = 0x43114433,
};
/// IMG_COMMON_MAGIC: what images begin with since CRIU 1.6, inventory.img apart.
inline constexpr std::uint32_t kCommonMagic = 0x54564319;

/// The most bytes that one entry can have. Those of CRIU have some thousands at most.
inline constexpr std::size_t kLargestEntry = std::size_t{1024} * 1024;

/// One message of an image.
struct Entry {
    std::uint64_t index = 0;   ///< from 0
    std::uint64_t offset = 0;  ///< of its size, which stands before it
    std::string_view message;  ///< protobuf
};

/// Walks over an image of CRIU: numbers that say which one it is, and then messages, each behind
/// its size. Numbers are in the byte order of the machine that wrote the image, which the first one
/// tells.
class ImageReader {
 public:
    /// `bytes` are the whole image and must outlive the reader; `file` is for messages. Throws
    /// Error(damaged) if this is no image that begins with `magic`.
    ImageReader(std::string file, std::string_view bytes, Magic magic);

    /// The next entry; nothing at the end. Throws Error(damaged) if the image ends within one, or
    /// if one says that it is larger than kLargestEntry.
    [[nodiscard]] std::optional<Entry> next();

    /// The bytes before the first entry.
    [[nodiscard]] std::string_view head() const noexcept { return bytes_.substr(0, head_); }
    [[nodiscard]] ByteOrder order() const noexcept { return order_; }

    /// Reads the message of an entry. Throws Error(damaged) if it is none.
    void parse(const Entry& entry, google::protobuf::MessageLite& into) const;

    /// Throws Error(damaged) about `entry`.
    [[noreturn]] void fail(const Entry& entry, std::string message) const;

 private:
    [[noreturn]] void fail_at(std::uint64_t offset, std::string record, std::string message) const;
    [[nodiscard]] std::uint32_t number_at(std::size_t offset) const;

    std::string file_;
    std::string_view bytes_;
    std::size_t head_ = 0;
    std::size_t offset_ = 0;
    std::uint64_t index_ = 0;
    ByteOrder order_ = ByteOrder::little;
};

/// Throws Error(damaged) that is about all of `file`.
[[noreturn]] void fail_damaged(std::string file, std::string message, std::string hint = {},
                               Problem::Code code = Problem::Code::damaged);

/// Calls `work`, and tells `problems` of an Error(damaged) that it throws, so that the caller can
/// go on with what stands beside. Returns whether there was none. Without `problems` it is thrown.
template <typename Work>
bool attempt(const ProblemSink& problems, Work work) {
    try {
        work();
        return true;
    } catch (const Error& error) {
        if (error.kind() != Error::Kind::damaged || !problems) {
            throw;
        }
        problems(error.problem());
        return false;
    }
}

}  // namespace ckpt_lease::criu
