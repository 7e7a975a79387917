// SPDX-License-Identifier: GPL-2.0-or-later
#include "ckpt-lease/lease/lock_list.hpp"

#include <cstring>

#include "base/varint.hpp"
#include "ckpt-lease/base/bytes.hpp"

namespace ckpt_lease {
namespace {

// The first byte of a row: the kind of the lock; whether a lease is being broken, its holder
// notified, and the break armed; whether the table is that of the row before, and the file the one
// that follows its.
constexpr std::uint8_t kKindMask = 0x07;
constexpr std::uint8_t kBreaking = 0x08;
constexpr std::uint8_t kNotified = 0x10;
constexpr std::uint8_t kSameTable = 0x20;
constexpr std::uint8_t kNextFile = 0x40;
constexpr std::uint8_t kArmed = 0x80;
static_assert(static_cast<std::uint8_t>(LockKind::delegation) <= kKindMask);

// Stands for a type before the break that is not known. No image has such a type: readers make
// nothing of it.
constexpr auto kNoType = static_cast<LockType>(255);

// That byte, two types, and at most six numbers.
constexpr std::size_t kLongestRow = 3 + 6 * kLongestVarint;

// The difference between two numbers; it may wrap around, and added again it does so again.
template <typename Number>
std::uint64_t difference(Number now, Number before) {
    return to_zigzag(static_cast<std::int64_t>(static_cast<std::uint64_t>(now) -
                                               static_cast<std::uint64_t>(before)));
}

template <typename Number>
void add_difference(const std::byte*& at, Number& number) {
    std::uint64_t value = 0;
    at = get_varint(at, value);
    number = static_cast<Number>(static_cast<std::uint64_t>(number) +
                                 static_cast<std::uint64_t>(from_zigzag(value)));
}

std::int64_t get_signed(const std::byte*& at) {
    std::uint64_t value = 0;
    at = get_varint(at, value);
    return from_zigzag(value);
}

bool is_next_file(FileId file, FileId before) {
    return static_cast<std::uint64_t>(file) == static_cast<std::uint64_t>(before) + 1;
}

Remaining to_remaining(std::int64_t time) {
    if (Remaining::not_known() == Remaining(Nanoseconds(time))) {
        return Remaining::not_known();
    }
    return time < 0 ? Remaining::no_deadline() : Remaining(Nanoseconds(time));
}

std::uint8_t first_byte(const Lock& lock, const Lock& before) {
    unsigned byte = static_cast<std::uint8_t>(lock.kind);
    byte |= lock.lease.breaking ? kBreaking : 0U;
    byte |= lock.lease.notified ? kNotified : 0U;
    byte |= lock.lease.armed ? kArmed : 0U;
    byte |= lock.table == before.table ? kSameTable : 0U;
    byte |= is_next_file(lock.file, before.file) ? kNextFile : 0U;
    return static_cast<std::uint8_t>(byte);
}

// Returns where the row ends.
std::byte* write_row(std::byte* at, const Lock& lock, const Lock& before) {
    const std::uint8_t first = first_byte(lock, before);
    *at++ = static_cast<std::byte>(first);
    *at++ = static_cast<std::byte>(lock.lease.type);
    *at++ = static_cast<std::byte>(lock.lease.previous_type.value_or(kNoType));
    at = put_varint(at, difference(lock.offset, before.offset));
    at = put_varint(at, difference(lock.fd, before.fd));
    if ((first & kNextFile) == 0) {
        at = put_varint(at, difference(lock.file, before.file));
    }
    if ((first & kSameTable) == 0) {
        at = put_varint(at, difference(lock.table, before.table));
    }
    if (lock.kind == LockKind::lease) {
        return put_varint(at, to_zigzag(lock.lease.remaining.time().count()));
    }
    at = put_varint(at, to_zigzag(lock.range.start));
    return put_varint(at, to_zigzag(lock.range.end));
}

}  // namespace

FileId Ownership::add_file() {
    paths_.push_back(nullptr);
    return static_cast<FileId>(paths_.size() - 1);
}

void Ownership::set_path(FileId file, std::string_view path) {
    const std::byte*& entry = paths_[static_cast<std::size_t>(file)];
    if (entry != nullptr || path.empty()) {
        return;
    }
    std::byte* const begin = store_.room(kLongestVarint + path.size());
    std::byte* const text = put_varint(begin, path.size());
    std::memcpy(text, path.data(), path.size());
    store_.take(static_cast<std::size_t>(text - begin) + path.size());
    entry = begin;
}

TableId Ownership::add_table() {
    tables_.emplace_back();
    return static_cast<TableId>(tables_.size() - 1);
}

void Ownership::add_task(TableId table, const Task& task) {
    tables_[static_cast<std::size_t>(table)].push_back(task);
}

std::string_view Ownership::path(FileId file) const {
    const std::byte* const entry = paths_[static_cast<std::size_t>(file)];
    if (entry == nullptr) {
        return {};
    }
    std::uint64_t length = 0;
    const std::byte* const text = get_varint(entry, length);
    return as_text({text, static_cast<std::size_t>(length)});
}

const std::vector<Task>& Ownership::tasks(TableId table) const {
    return tables_[static_cast<std::size_t>(table)];
}

void LockList::add(const Lock& lock) {
    if (size_ % kRowsOfBlock == 0) {
        // All rows of a block stand together.
        std::byte* const rows = rows_.room(kRowsOfBlock * kLongestRow);
        blocks_.push_back({rows, last_.offset, last_.fd, last_.file, last_.table});
    }
    std::byte* const begin = rows_.room(kLongestRow);
    rows_.take(static_cast<std::size_t>(write_row(begin, lock, last_) - begin));
    last_ = lock;
    ++size_;
}

const std::byte* LockList::begin_block(std::size_t index, Lock& lock) const {
    const Block& block = blocks_[index / kRowsOfBlock];
    lock.offset = block.offset;
    lock.fd = block.fd;
    lock.file = block.file;
    lock.table = block.table;
    return block.rows;
}

const std::byte* LockList::read_row(const std::byte* row, Lock& lock) {
    const auto first = std::to_integer<std::uint8_t>(*row++);
    lock.kind = static_cast<LockKind>(first & kKindMask);
    lock.lease.breaking = (first & kBreaking) != 0;
    lock.lease.notified = (first & kNotified) != 0;
    lock.lease.armed = (first & kArmed) != 0;
    lock.lease.type = static_cast<LockType>(*row++);
    const auto previous = static_cast<LockType>(*row++);
    lock.lease.previous_type = previous == kNoType ? std::nullopt : std::optional(previous);
    add_difference(row, lock.offset);
    add_difference(row, lock.fd);
    if ((first & kNextFile) != 0) {
        lock.file = static_cast<FileId>(static_cast<std::uint32_t>(lock.file) + 1);
    } else {
        add_difference(row, lock.file);
    }
    if ((first & kSameTable) == 0) {
        add_difference(row, lock.table);
    }
    lock.range = {};
    lock.lease.remaining = {};
    if (lock.kind == LockKind::lease) {
        lock.lease.remaining = to_remaining(get_signed(row));
    } else {
        lock.range.start = get_signed(row);
        lock.range.end = get_signed(row);
    }
    return row;
}

Lock LockList::at(std::size_t index) const {
    Lock lock;
    const std::byte* row = begin_block(index, lock);
    for (std::size_t i = 0; i <= index % kRowsOfBlock; ++i) {
        row = read_row(row, lock);
    }
    lock.index = index;
    return lock;
}

}  // namespace ckpt_lease
