// SPDX-License-Identifier: GPL-2.0-or-later
#include "linux_cr/locks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "linux_cr/structure_fault.hpp"

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
void Locks::report(std::string_view record, std::string message, std::string hint) const {
    walker_.report_at(walker_.record().offset, std::string(record), kStructure, std::move(message),
                      std::move(hint));
}

bool Locks::has_length(std::uint32_t expected, std::string_view name) const {
    const Record& record = walker_.record();
    if (record.length == expected) {
        return true;
    }
    report(name,
           fmt::format("its length is {}, and {} of layout {} has {}", record.length, name,
                       layout_.name, expected),
           name == "FILE_LOCK" ? advise_layout(record.type, record.length) : std::string(kDamaged));
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
        report("FILE_LOCK", "no FILE_LOCKS announces this lock", std::string(kDamaged));
        return false;
    }
    if (counted_ != nullptr && list_->seen >= list_->announced) {
        report("FILE_LOCK",
               fmt::format("FILE_LOCKS at offset {} announces {} locks, and this is one "
                           "more",
                           list_->offset, list_->announced),
               std::string(kDamaged));
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
        report("FILE_LOCK", "no FILE_DESC comes before it: nobody holds this lock",
               std::string(kDamaged));
        return;
    }
    lock.fd = files_.descriptor()->fd;
    lock.file = files_.descriptor()->file;
    lock.table = files_.descriptor()->table;
    const LockFields fields = codec_.decode(bytes);
    codec_.interpret(fields, lock);
    visitor_.on_lock(lock, fields, bytes, codec_);
}

void Locks::read_owner() {
    const auto bytes = walker_.bytes(field::kOwnerSignal.end());
    if (bytes.empty()) {
        return;
    }
    const ByteOrder order = walker_.order();
    const auto number = [&](const Field& field) { return load_signed(bytes, field, order); };
    LeaseOwner owner;
    owner.kind =
        static_cast<LeaseOwner::Kind>(std::min<std::int64_t>(number(field::kOwnerKind), 255));
    owner.id = static_cast<std::int32_t>(number(field::kOwnerId));
    owner.uid = static_cast<std::uint32_t>(number(field::kOwnerUid));
    owner.euid = static_cast<std::uint32_t>(number(field::kOwnerEuid));
    owner.signal = static_cast<std::int32_t>(number(field::kOwnerSignal));
    visitor_.on_owner(owner);
}

void Locks::finish_list() {
    const List list = *list_;
    list_.reset();
    if (counted_ == nullptr) {
        walker_.report_at(list.offset, "FILE_LOCK", kStructure,
                          "the list of locks that begins here does not end in a marker",
                          advise_layout(layout_.type, layout_.length));
    } else if (list.seen != list.announced) {
        walker_.report_at(list.offset, "FILE_LOCKS", kStructure,
                          fmt::format("nr_locks is {}, and {} FILE_LOCK records follow",
                                      list.announced, list.seen),
                          std::string(kDamaged));
    }
}

}  // namespace ckpt_lease::linux_cr
