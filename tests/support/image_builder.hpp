// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ckpt-lease/base/bytes.hpp"

/// Images for tests, record by record. What is written here is spelled out once more, on purpose,
/// and not taken from the library: numbers, places and orders are those of the format's
/// description.
namespace test_support {

/// Integers of one byte order, end to end.
class Payload {
 public:
    explicit Payload(ckpt_lease::ByteOrder order) : order_(order) {}

    Payload& u8(std::uint64_t value) { return put(value, 1); }
    Payload& u16(std::uint64_t value) { return put(value, 2); }
    Payload& u32(std::uint64_t value) { return put(value, 4); }
    Payload& u64(std::uint64_t value) { return put(value, 8); }
    Payload& s32(std::int64_t value) { return put(static_cast<std::uint64_t>(value), 4); }
    Payload& s64(std::int64_t value) { return put(static_cast<std::uint64_t>(value), 8); }
    Payload& text(std::string_view bytes);
    Payload& zeros(std::size_t count);

    [[nodiscard]] const std::string& bytes() const noexcept { return bytes_; }

 private:
    Payload& put(std::uint64_t value, std::size_t width);

    ckpt_lease::ByteOrder order_;
    std::string bytes_;
};

/// The values of HEADER. Headers before v23 have fewer than twelve constants.
struct HeaderValues {
    std::uint16_t arch_id = 2;
    std::uint16_t major = 2;
    std::uint16_t minor = 6;
    std::uint16_t patch = 35;
    std::uint16_t rev = 6;
    std::size_t constants = 12;
    std::uint64_t time = 1285123224;
    std::uint64_t uflags = 0;
};

/// The values of a FILE_LOCK in layout lease-1. As it is: a read lease that is held.
struct LockValues {
    std::int64_t start = 0;
    std::int64_t end = 0;
    std::uint32_t seconds = 0;
    std::uint32_t nanoseconds = 0;
    std::uint32_t flags = 32;
    std::uint8_t type = 0;
    std::uint8_t previous = 0;
    std::uint8_t notified = 0;
    std::uint8_t padding = 0;
};

inline constexpr std::uint8_t kReadLock = 0;
inline constexpr std::uint8_t kWriteLock = 1;
inline constexpr std::uint8_t kUnlocked = 2;
inline constexpr std::uint8_t kInProgress = 16;

/// A write lease that is being broken altogether, its holder notified.
[[nodiscard]] LockValues breaking(std::uint32_t seconds, std::uint32_t nanoseconds = 0);
/// A lease that nobody breaks.
[[nodiscard]] LockValues held(std::uint8_t type);
[[nodiscard]] LockValues posix_lock(std::int64_t start, std::int64_t end);

/// Puts an image together. Records are kept apart, so that each can be found, changed, taken out or
/// put in later: `nth` counts the records of one type from 0.
class ImageBuilder {
 public:
    explicit ImageBuilder(ckpt_lease::ByteOrder order = ckpt_lease::ByteOrder::little)
        : order_(order) {}

    /// An empty payload in the order of the image.
    [[nodiscard]] Payload payload() const { return Payload(order_); }
    [[nodiscard]] ckpt_lease::ByteOrder order() const noexcept { return order_; }

    ImageBuilder& record(std::uint32_t type, std::string_view payload = {});
    ImageBuilder& record(std::uint32_t type, const Payload& payload);

    ImageBuilder& header_record(const HeaderValues& values = {});
    /// A BUFFER of 65 bytes: one of the names of the kernel.
    ImageBuilder& uts(std::string_view name);
    /// HEADER and the three names.
    ImageBuilder& header(const HeaderValues& values = {});
    /// PIDS and its BUFFER: for each pid its numbers, the one in the container first.
    ImageBuilder& pids(const std::vector<std::vector<std::int32_t>>& numbers,
                       std::uint32_t offset = 1);
    /// TREE and its BUFFER.
    ImageBuilder& tree(const std::vector<std::int32_t>& vpids);
    /// TASK and its STRING.
    ImageBuilder& task(std::string_view comm);
    ImageBuilder& objref(std::uint32_t objtype, std::int32_t objref);
    /// OBJREF FILE_TABLE and FILE_TABLE.
    ImageBuilder& table(std::int32_t objref, std::int32_t nfds);
    ImageBuilder& file_table(std::int32_t nfds);
    ImageBuilder& file(std::uint32_t f_type = 1);
    ImageBuilder& file_name(std::string_view path);
    /// OBJREF FILE, FILE and FILE_NAME.
    ImageBuilder& open_file(std::int32_t objref, std::string_view path);
    ImageBuilder& file_desc(std::int32_t objref, std::int32_t fd);
    ImageBuilder& file_locks(std::uint32_t count);
    ImageBuilder& file_lock(const LockValues& values);
    /// FILE_LOCKS and its locks.
    ImageBuilder& locks(const std::vector<LockValues>& values);
    ImageBuilder& task_objs(std::int32_t files_objref);
    /// OBJREF FS, FS and two FILE_NAMEs.
    ImageBuilder& fs(std::int32_t objref, std::string_view root, std::string_view directory);
    ImageBuilder& tail();
    /// ERROR and its STRING.
    ImageBuilder& error(std::string_view message);

    /// Overwrites `width` bytes at `offset` of a record.
    ImageBuilder& patch(std::uint32_t type, std::size_t nth, std::size_t offset, std::size_t width,
                        std::uint64_t value);
    ImageBuilder& remove(std::uint32_t type, std::size_t nth = 0);
    /// Cuts bytes off the end of a record or appends zeros, and sets its length accordingly.
    ImageBuilder& resize(std::uint32_t type, std::size_t nth, std::size_t length);
    /// Puts the records of `other` in before a record.
    ImageBuilder& insert_before(std::uint32_t type, std::size_t nth, const ImageBuilder& other);

    [[nodiscard]] std::string bytes() const;
    /// Where a record begins in bytes().
    [[nodiscard]] std::uint64_t offset_of(std::uint32_t type, std::size_t nth = 0) const;
    /// Where all records begin.
    [[nodiscard]] std::vector<std::uint64_t> offsets() const;

 private:
    [[nodiscard]] std::size_t find(std::uint32_t type, std::size_t nth) const;

    ckpt_lease::ByteOrder order_;
    std::vector<std::string> records_;
};

/// A small image with everything in it that matters: task 7 "holder" with a write lease being
/// broken (fd 3, /srv/a), a read lease (fd 4, /srv/b) and a POSIX lock (fd 4).
[[nodiscard]] ImageBuilder small_image(ckpt_lease::ByteOrder order = ckpt_lease::ByteOrder::little);

}  // namespace test_support
