// SPDX-License-Identifier: GPL-2.0-or-later
#include "linux_cr/locks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace ckpt_lease::linux_cr {

Locks::Locks(Walker& walker, const Files& files, const Layout& layout, ScanVisitor& visitor)
    : walker_(walker),
      files_(files),
      layout_(layout),
      counted_(std::get_if<CountedList>(&layout.list_end)),
      visitor_(visitor),
      codec_(layout, ByteOrder::little) {}

bool Locks::read(const Record& record) {
    if (record.type == layout_.type) {
        read_file_lock();
        return true;
    }
    if (counted_ != nullptr && record.type == counted_->type) {
        read_file_locks();
        return true;
    }
    return false;
}

// By the names that the layout gives the records, whatever other kernels call these types.
void Locks::damaged(std::string_view record, std::string message) const {
    walker_.report({.offset = walker_.record().offset,
                    .record = std::string(record),
                    .message = std::move(message)});
}

// Of FILE_LOCK records of `length` bytes, which is not what the layout says, or which do not end in
// its marker.
void Locks::refuse_layout(std::uint64_t offset, std::string message, std::uint32_t length) const {
    const BuiltInLayout* const fitting = find_layout(layout_.type, length);
    walker_.report({.offset = offset,
                    .record = "FILE_LOCK",
                    .message = std::move(message),
                    .advice = fitting != nullptr ? Advice::use_layout : Advice::describe_layout,
                    .detail = fitting != nullptr ? fitting->layout.name : std::string()});
}

bool Locks::has_length(std::uint32_t expected, std::string_view name) const {
    const Record& record = walker_.record();
    if (record.length == expected) {
        return true;
    }
    std::string message = fmt::format("its length is {}, and {} of layout {} has {}", record.length,
                                      name, layout_.name, expected);
    if (record.type == layout_.type) {
        refuse_layout(record.offset, std::move(message), record.length);
    } else {
        damaged(name, std::move(message));
    }
    return false;
}

void Locks::read_file_locks() {
    end_list();
    if (!has_length(counted_->length, "FILE_LOCKS")) {
        return;
    }
    const auto bytes = walker_.bytes(counted_->length);
    if (!bytes.empty()) {
        list_ =
            List{walker_.record().offset,
                 static_cast<std::uint32_t>(load(bytes, counted_->nr_locks, walker_.order())), 0};
    }
}

bool Locks::takes_another() const {
    if (!list_) {
        damaged("FILE_LOCK", "no FILE_LOCKS announces this lock");
        return false;
    }
    if (counted_ != nullptr && list_->seen >= list_->announced) {
        damaged("FILE_LOCK",
                fmt::format("FILE_LOCKS at offset {} announces {} locks, and this is one more",
                            list_->offset, list_->announced));
        return false;
    }
    return true;
}

void Locks::read_file_lock() {
    if (counted_ == nullptr && !list_) {
        list_ = List{walker_.record().offset, 0, 0};
    }
    // Every FILE_LOCK counts, so that an index means the same record whatever is wrong around it.
    Lock lock;
    lock.index = next_index_++;
    lock.offset = walker_.record().offset;
    if (!takes_another()) {
        return;
    }
    ++list_->seen;
    if (!has_length(layout_.length, "FILE_LOCK")) {
        return;
    }
    const auto bytes = walker_.bytes(layout_.length);
    if (bytes.empty()) {
        return;
    }
    if (codec_.is_marker(bytes)) {
        --next_index_;  // the end of a list is no lock
        list_.reset();
        return;
    }
    if (!files_.descriptor()) {
        damaged("FILE_LOCK", "no FILE_DESC comes before it: nobody holds this lock");
        return;
    }
    lock.fd = files_.descriptor()->fd;
    lock.file = files_.descriptor()->file;
    lock.table = files_.descriptor()->table;
    const LockFields fields = codec_.decode(bytes);
    codec_.interpret(fields, lock);
    visitor_.on_lock(lock, fields, bytes, codec_);
}

void Locks::read_owner(const Fields& fields) {
    LeaseOwner owner;
    owner.kind = static_cast<LeaseOwner::Kind>(
        std::min<std::int64_t>(fields.get<std::int64_t>(field::kOwnerKind), 255));
    owner.id = fields.get<std::int32_t>(field::kOwnerId);
    owner.uid = fields.get<std::uint32_t>(field::kOwnerUid);
    owner.euid = fields.get<std::uint32_t>(field::kOwnerEuid);
    owner.signal = fields.get<std::int32_t>(field::kOwnerSignal);
    visitor_.on_owner(owner);
}

void Locks::finish_list() {
    const List list = *list_;
    list_.reset();
    if (counted_ == nullptr) {
        refuse_layout(list.offset, "the list of locks that begins here does not end in a marker",
                      layout_.length);
    } else if (list.seen != list.announced) {
        walker_.report({.offset = list.offset,
                        .record = "FILE_LOCKS",
                        .message = fmt::format("nr_locks is {}, and {} FILE_LOCK records follow",
                                               list.announced, list.seen)});
    }
}

}  // namespace ckpt_lease::linux_cr
