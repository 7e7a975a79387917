// SPDX-License-Identifier: GPL-2.0-or-later
#include "fuzz/lock_checks.hpp"

#include <algorithm>
#include <vector>

#include "linux_cr/lock_record.hpp"

namespace fuzz {
namespace {

using namespace ckpt_lease;
using namespace ckpt_lease::linux_cr;

constexpr std::uint64_t kOffset = 1000;  // where the record stands

std::vector<Field> written_fields(const Layout& layout) {
    std::vector<Field> fields{layout.fl_rem_lease, layout.fl_type, layout.fl_type_prev,
                              layout.fl_break_notified};
    if (layout.fl_rem_lease_nsec) {
        fields.push_back(*layout.fl_rem_lease_nsec);
    }
    return fields;
}

void check_edit(const Edit& edit, const Layout& layout, Bytes record) {
    const std::vector<Field> fields = written_fields(layout);
    require(std::any_of(fields.begin(), fields.end(),
                        [&](const Field& field) {
                            return edit.offset == kOffset + field.offset &&
                                   edit.new_bytes.size() == field.width;
                        }),
            "an edit is one of a field that is ours to change");
    require(as_text(edit.old_bytes) ==
                as_text(record.subspan(edit.offset - kOffset, edit.old_bytes.size())),
            "an edit knows the bytes before");
}

Lock interpret(const LockCodec& codec, Bytes record) {
    Lock lock;
    codec.interpret(codec.decode(record), lock);
    return lock;
}

// The state that `numbers` ask for, as a restart could take it.
LeaseState some_state(const LeaseState& before, const Layout& layout, Numbers& numbers) {
    LeaseState after = before;
    const std::uint64_t choice = numbers.take(1);
    if ((choice & 1) != 0) {
        after.remaining = some_remaining(layout.limits(), numbers);
    }
    if ((choice & 2) != 0) {
        after.notified = (choice & 4) != 0;
    }
    if ((choice & 8) != 0) {
        after.type = static_cast<LockType>((choice >> 4) % 3);
    }
    if ((choice & 64) != 0) {
        after.previous_type = static_cast<LockType>((choice >> 7) & 1);
    }
    return after;
}

void check_change(const LockCodec& codec, Bytes record, const LockFields& fields,
                  const LeaseState& before, const LeaseState& after) {
    EditList edits;
    codec.append_edits(edits, kOffset, record, codec.with_state(fields, before, after));
    std::vector<std::byte> changed(record.begin(), record.end());
    for (std::size_t i = 0; i < edits.size(); ++i) {
        check_edit(edits.at(i), codec.layout(), record);
        apply_edit(edits.at(i), changed, kOffset, std::string(kName));
    }
    const Lock again = interpret(codec, changed);
    require(again.kind == LockKind::lease && again.lease == after, "what is written is read again");
    require(edits.empty() == (before == after), "only what changes is edited");
    for (std::size_t i = edits.size(); i-- > 0;) {
        const Edit edit = edits.at(i);
        apply_edit({edit.offset, edit.new_bytes, edit.old_bytes}, changed, kOffset,
                   std::string(kName));
    }
    require(as_text(changed) == as_text(record), "edits can be undone");
}

}  // namespace

std::uint64_t Numbers::take(std::size_t width) {
    std::uint64_t value = 0;
    for (; width > 0; --width) {
        value <<= 8;
        if (!bytes_.empty()) {
            value |= std::to_integer<std::uint64_t>(bytes_.front());
            bytes_ = bytes_.subspan(1);
        }
    }
    return value;
}

Remaining some_remaining(const RecordLimits& limits, Numbers& numbers) {
    const std::uint64_t choice = numbers.take(1);
    const Nanoseconds most = limits.most;
    if (choice % 8 == 0 && limits.no_deadline) {
        return Remaining::no_deadline();
    }
    if (choice % 8 == 1) {
        return rounded_up(Remaining(most), limits.resolution);
    }
    const auto time = static_cast<std::int64_t>(numbers.take(8) >> (choice / 8 + 1));
    const Remaining rounded =
        rounded_up(Remaining(std::min(Nanoseconds(time), most)), limits.resolution);
    return rounded.time() <= most ? rounded : Remaining(most);
}

void check_lock_record(const Layout& layout, ByteOrder order, Bytes record, Numbers& numbers) {
    const LockCodec codec(layout, order);
    const LockFields fields = codec.decode(record);
    static_cast<void>(codec.is_marker(record));
    for (const std::string& fault : codec.faults(fields)) {
        require(!fault.empty(), "a fault says what it is");
    }
    Lock lock;
    codec.interpret(fields, lock);
    EditList none;
    codec.append_edits(none, kOffset, record, fields);
    codec.append_edits(none, kOffset, record, codec.with_state(fields, lock.lease, lock.lease));
    require(none.empty(), "what is read is written as it was");
    if (is_breaking(lock)) {
        require(!lock.lease.remaining.has_deadline() || lock.lease.remaining.time().count() >= 0,
                "a time that is left is not below 0");
        check_change(codec, record, fields, lock.lease, some_state(lock.lease, layout, numbers));
    }
}

}  // namespace fuzz
