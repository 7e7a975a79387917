// SPDX-License-Identifier: GPL-2.0-or-later
#include "support/image_builder.hpp"

#include <stdexcept>

namespace test_support {
namespace {

using ckpt_lease::ByteOrder;

constexpr std::size_t kUtsLength = 65;
constexpr std::size_t kCommLength = 16;

std::string number(std::uint64_t value, std::size_t width, ByteOrder order) {
    std::string bytes(width, '\0');
    for (std::size_t i = 0; i < width; ++i) {
        const std::size_t at = order == ByteOrder::little ? i : width - 1 - i;
        bytes[at] = static_cast<char>(value >> (8 * i) & 0xff);
    }
    return bytes;
}

std::string padded(std::string_view text, std::size_t length) {
    std::string bytes(text.substr(0, length));
    bytes.resize(length, '\0');
    return bytes;
}

}  // namespace

Payload& Payload::put(std::uint64_t value, std::size_t width) {
    bytes_ += number(value, width, order_);
    return *this;
}

Payload& Payload::text(std::string_view bytes) {
    bytes_ += bytes;
    return *this;
}

Payload& Payload::zeros(std::size_t count) {
    bytes_.append(count, '\0');
    return *this;
}

LockValues breaking(std::uint32_t seconds, std::uint32_t nanoseconds) {
    LockValues values;
    values.end = INT64_MAX;
    values.seconds = seconds;
    values.nanoseconds = nanoseconds;
    values.type = kUnlocked | kInProgress;
    values.previous = kWriteLock;
    values.notified = 1;
    return values;
}

LockValues held(std::uint8_t type) {
    LockValues values;
    values.end = INT64_MAX;
    values.type = type;
    return values;
}

LockValues posix_lock(std::int64_t start, std::int64_t end) {
    LockValues values;
    values.start = start;
    values.end = end;
    values.flags = 1;
    values.type = kWriteLock;
    return values;
}

ImageBuilder& ImageBuilder::record(std::uint32_t type, std::string_view payload) {
    records_.push_back(number(type, 4, order_) + number(payload.size() + 8, 4, order_) +
                       std::string(payload));
    return *this;
}

ImageBuilder& ImageBuilder::record(std::uint32_t type, const Payload& payload) {
    return record(type, payload.bytes());
}

ImageBuilder& ImageBuilder::header_record(const HeaderValues& values) {
    Payload bytes = payload();
    bytes.u64(0x00feed0cc0a2d200);
    bytes.text(number(values.arch_id, 2, ByteOrder::little));  // on every machine
    bytes.u16(values.major).u16(values.minor).u16(values.patch).u16(values.rev).zeros(6);
    for (std::size_t i = 0; i < values.constants; ++i) {
        bytes.u16(64 + i);
    }
    return record(1, bytes.u64(values.time).u64(values.uflags));
}

ImageBuilder& ImageBuilder::uts(std::string_view name) {
    return record(4, padded(name, kUtsLength));
}

ImageBuilder& ImageBuilder::header(const HeaderValues& values) {
    return header_record(values).uts("2.6.35-ckpt").uts("#1 SMP").uts("x86_64");
}

ImageBuilder& ImageBuilder::pids(const std::vector<std::vector<std::int32_t>>& numbers,
                                 std::uint32_t offset) {
    Payload entries = payload();
    for (const std::vector<std::int32_t>& pid : numbers) {
        entries.u32(pid.size() - 1);
        for (const std::int32_t value : pid) {
            entries.s32(value);
        }
    }
    record(101, payload().u32(numbers.size()).u32(numbers.size()).u32(offset).u32(0));
    return record(4, entries);
}

ImageBuilder& ImageBuilder::tree(const std::vector<std::int32_t>& vpids) {
    Payload entries = payload();
    for (const std::int32_t vpid : vpids) {
        entries.s32(vpid).s32(-4096).s32(vpid).s32(vpid).s32(-4097).u32(0);
    }
    record(102, payload().u32(vpids.size()).u32(0));
    return record(4, entries);
}

ImageBuilder& ImageBuilder::task(std::string_view comm) {
    return record(103, payload().zeros(72)).record(5, padded(comm, kCommLength));
}

ImageBuilder& ImageBuilder::objref(std::uint32_t objtype, std::int32_t objref) {
    return record(6, payload().u32(objtype).s32(objref));
}

ImageBuilder& ImageBuilder::table(std::int32_t objref, std::int32_t nfds) {
    return this->objref(3, objref).file_table(nfds);
}

ImageBuilder& ImageBuilder::file_table(std::int32_t nfds) {
    return record(301, payload().s32(nfds).u32(0));
}

ImageBuilder& ImageBuilder::file(std::uint32_t f_type) {
    return record(304, payload().u32(f_type).u32(0x1e).u32(0x8002).s32(5).u64(4096).zeros(16));
}

ImageBuilder& ImageBuilder::file_name(std::string_view path) {
    return record(303, std::string(path) + '\0');
}

ImageBuilder& ImageBuilder::open_file(std::int32_t objref, std::string_view path) {
    return this->objref(4, objref).file().file_name(path);
}

ImageBuilder& ImageBuilder::file_desc(std::int32_t objref, std::int32_t fd) {
    return record(302, payload().s32(objref).s32(fd).u32(1).u32(0));
}

ImageBuilder& ImageBuilder::file_locks(std::uint32_t count) {
    return record(309, payload().u32(count).u32(0));
}

ImageBuilder& ImageBuilder::file_lock(const LockValues& values) {
    return record(310, payload()
                           .s64(values.start)
                           .s64(values.end)
                           .u32(values.seconds)
                           .u32(values.nanoseconds)
                           .u32(values.flags)
                           .u8(values.type)
                           .u8(values.previous)
                           .u8(values.notified)
                           .u8(values.padding));
}

ImageBuilder& ImageBuilder::locks(const std::vector<LockValues>& values) {
    file_locks(static_cast<std::uint32_t>(values.size()));
    for (const LockValues& lock : values) {
        file_lock(lock);
    }
    return *this;
}

ImageBuilder& ImageBuilder::task_objs(std::int32_t files_objref) {
    return record(105, payload().s32(files_objref).s32(901).s32(902).s32(903).s32(904).s32(905));
}

ImageBuilder& ImageBuilder::fs(std::int32_t objref, std::string_view root,
                               std::string_view directory) {
    return this->objref(6, objref)
        .record(451, payload().u32(18).u32(0))
        .file_name(root)
        .file_name(directory);
}

ImageBuilder& ImageBuilder::tail() {
    return record(9001, payload().u64(0x002d2a0cc0deef00));
}

ImageBuilder& ImageBuilder::error(std::string_view message) {
    return record(9999).record(5, '\0' + std::string(message) + '\0');
}

std::size_t ImageBuilder::find(std::uint32_t type, std::size_t nth) const {
    const std::string start = number(type, 4, order_);
    std::size_t seen = 0;
    for (std::size_t i = 0; i < records_.size(); ++i) {
        if (records_[i].starts_with(start) && seen++ == nth) {
            return i;
        }
    }
    throw std::logic_error("the image has no such record: type " + std::to_string(type));
}

ImageBuilder& ImageBuilder::patch(std::uint32_t type, std::size_t nth, std::size_t offset,
                                  std::size_t width, std::uint64_t value) {
    std::string& bytes = records_[find(type, nth)];
    if (offset + width > bytes.size()) {
        throw std::logic_error("a patch passes the end of its record");
    }
    bytes.replace(offset, width, number(value, width, order_));
    return *this;
}

ImageBuilder& ImageBuilder::remove(std::uint32_t type, std::size_t nth) {
    records_.erase(records_.begin() + static_cast<std::ptrdiff_t>(find(type, nth)));
    return *this;
}

ImageBuilder& ImageBuilder::resize(std::uint32_t type, std::size_t nth, std::size_t length) {
    std::string& bytes = records_[find(type, nth)];
    bytes.resize(length, '\0');
    bytes.replace(4, 4, number(length, 4, order_));
    return *this;
}

ImageBuilder& ImageBuilder::insert_before(std::uint32_t type, std::size_t nth,
                                          const ImageBuilder& other) {
    records_.insert(records_.begin() + static_cast<std::ptrdiff_t>(find(type, nth)),
                    other.records_.begin(), other.records_.end());
    return *this;
}

std::string ImageBuilder::bytes() const {
    std::string bytes;
    for (const std::string& record : records_) {
        bytes += record;
    }
    return bytes;
}

std::uint64_t ImageBuilder::offset_of(std::uint32_t type, std::size_t nth) const {
    return offsets()[find(type, nth)];
}

std::vector<std::uint64_t> ImageBuilder::offsets() const {
    std::vector<std::uint64_t> offsets;
    std::uint64_t offset = 0;
    for (const std::string& record : records_) {
        offsets.push_back(offset);
        offset += record.size();
    }
    return offsets;
}

ImageBuilder small_image(ByteOrder order) {
    ImageBuilder image(order);
    image.header()
        .pids({{7}})
        .tree({1})
        .task("holder")
        .table(1, 2)
        .open_file(2, "/srv/a")
        .file_desc(2, 3)
        .locks({breaking(5, 250'000'000)})
        .open_file(3, "/srv/b")
        .file_desc(3, 4)
        .locks({held(kReadLock), posix_lock(10, 99)})
        .task_objs(1)
        .tail();
    return image;
}

}  // namespace test_support
