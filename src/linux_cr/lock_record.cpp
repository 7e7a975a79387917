// SPDX-License-Identifier: GPL-2.0-or-later
#include "linux_cr/lock_record.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "ckpt-lease/base/problem.hpp"

namespace ckpt_lease::linux_cr {
namespace {

constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;

// More seconds than this are no time that anybody meant; the bound keeps the sums in range.
constexpr std::uint64_t kMostMeantSeconds = 9'000'000'000;

// fl_type_prev where the type is not known, in images that were made of live processes.
constexpr std::uint64_t kNoType = 255;

// Types wider than a byte that hold more than a byte's worth are unknown, and stay so.
LockType to_type(std::uint64_t value) {
    return static_cast<LockType>(std::min<std::uint64_t>(value, 255));
}

LockKind to_kind(std::uint64_t flags) {
    switch (flags & (kFlPosix | kFlFlock | kFlLease)) {
        case kFlPosix:
            return LockKind::posix;
        case kFlFlock:
            return LockKind::flock;
        case kFlLease:
            return LockKind::lease;
        default:
            return LockKind::other;
    }
}

void check_break(const LockFields& fields, const Layout& layout, std::vector<std::string>& faults) {
    const LockType target = to_type(fields.fl_type & ~kFInProgress);
    const LockType previous = to_type(fields.fl_type_prev);
    if (target != LockType::unlck && target != LockType::rdlck) {
        faults.push_back(
            fmt::format("the lease is being broken to {}: it can only become F_UNLCK "
                        "or F_RDLCK",
                        to_string(target)));
    }
    if (previous != LockType::rdlck && previous != LockType::wrlck) {
        faults.push_back(fmt::format(
            "the lease is being broken, and fl_type_prev is {}: a restart needs the type it had, "
            "F_RDLCK or F_WRLCK",
            to_string(previous)));
    } else if (target == LockType::rdlck && previous == LockType::rdlck) {
        faults.emplace_back(
            "the lease is being broken from F_RDLCK to F_RDLCK: only F_WRLCK can be downgraded");
    }
    if (fields.fl_break_notified > 1) {
        faults.push_back(
            fmt::format("fl_break_notified is {}: 0 and 1 are allowed", fields.fl_break_notified));
    }
    if (fields.fl_rem_lease_nsec >= kNanosecondsPerSecond) {
        faults.push_back(fmt::format("fl_rem_lease_nsec is {}: 999999999 is the most",
                                     fields.fl_rem_lease_nsec));
    }
    constexpr auto kMost =
        static_cast<std::uint64_t>(kMaxRemaining.count()) / kNanosecondsPerSecond;
    if (fields.fl_rem_lease == layout.not_known) {
        faults.emplace_back("the remaining lease is not known: no restart takes it");
    } else if (fields.fl_rem_lease != layout.no_deadline &&
               (fields.fl_rem_lease > kMost ||
                (fields.fl_rem_lease == kMost && fields.fl_rem_lease_nsec > 0))) {
        faults.push_back(fmt::format("fl_rem_lease is {}: a restart takes at most 2147483647 s",
                                     fields.fl_rem_lease));
    }
}

void check_type(const LockFields& fields, std::vector<std::string>& faults) {
    const LockType type = to_type(fields.fl_type);
    if (type != LockType::rdlck && type != LockType::wrlck) {
        faults.push_back(fmt::format("fl_type is {}: a lock that is held is F_RDLCK or F_WRLCK",
                                     to_string(type)));
    }
}

void check_range(const LockFields& fields, std::vector<std::string>& faults) {
    if (fields.fl_start < 0 || fields.fl_end < fields.fl_start) {
        faults.push_back(fmt::format("bytes {} to {} are no range: 0 <= fl_start <= fl_end",
                                     fields.fl_start, fields.fl_end));
    }
}

}  // namespace

LockFields LockCodec::decode(std::span<const std::byte> record) const {
    const auto read = [&](const Field& field) { return load(record, field, order_); };
    const auto read_signed = [&](const Field& field) { return load_signed(record, field, order_); };
    LockFields fields;
    fields.fl_start = read_signed(layout_->fl_start);
    fields.fl_end = read_signed(layout_->fl_end);
    fields.fl_rem_lease = read(layout_->fl_rem_lease);
    if (layout_->fl_rem_lease_nsec) {
        fields.fl_rem_lease_nsec = read(*layout_->fl_rem_lease_nsec);
    }
    fields.fl_flags = read(layout_->fl_flags);
    fields.fl_type = read(layout_->fl_type);
    fields.fl_type_prev = read(layout_->fl_type_prev);
    fields.fl_break_notified = read(layout_->fl_break_notified);
    fields.padding_is_zero = std::all_of(layout_->padding.begin(), layout_->padding.end(),
                                         [&](const Field& field) { return read(field) == 0; });
    return fields;
}

Remaining LockCodec::remaining(const LockFields& fields) const {
    if (fields.fl_rem_lease == layout_->no_deadline) {
        return Remaining::no_deadline();
    }
    if (fields.fl_rem_lease == layout_->not_known) {
        return Remaining::not_known();
    }
    const std::uint64_t seconds = std::min(fields.fl_rem_lease, kMostMeantSeconds);
    const std::uint64_t fraction =
        std::min<std::uint64_t>(fields.fl_rem_lease_nsec, std::uint64_t{UINT32_MAX});
    return Remaining(
        Nanoseconds(static_cast<std::int64_t>(seconds * kNanosecondsPerSecond + fraction)));
}

void LockCodec::interpret(const LockFields& fields, Lock& lock) const {
    lock.kind = to_kind(fields.fl_flags);
    lock.range = {fields.fl_start, fields.fl_end};
    lock.lease = {};
    lock.lease.type = to_type(fields.fl_type);
    if (lock.kind == LockKind::lease && (fields.fl_type & kFInProgress) != 0) {
        lock.lease.breaking = true;
        lock.lease.type = to_type(fields.fl_type & ~kFInProgress);
        if (fields.fl_type_prev < kNoType) {
            lock.lease.previous_type = to_type(fields.fl_type_prev);
        }
        lock.lease.notified = fields.fl_break_notified != 0;
        lock.lease.remaining = remaining(fields);
    }
}

LockFields LockCodec::fields_of(const Lock& lock) const {
    LockFields fields;
    fields.fl_start = lock.range.start;
    fields.fl_end = lock.range.end;
    fields.fl_type = static_cast<std::uint64_t>(lock.lease.type);
    switch (lock.kind) {
        case LockKind::lease:
            fields.fl_flags = kFlLease;
            fields.fl_end = kToEndOfFile;
            break;
        case LockKind::posix:
            fields.fl_flags = kFlPosix;
            break;
        case LockKind::flock:
            fields.fl_flags = kFlFlock;
            break;
        case LockKind::other:
        case LockKind::delegation:  // which no image holds
            break;
    }
    if (is_breaking(lock)) {
        fields.fl_type |= kFInProgress;
        return with_state(fields, lock.lease,
                          StateParts{.remaining = true, .notified = true, .previous_type = true});
    }
    return fields;
}

std::vector<std::byte> LockCodec::encode(const LockFields& fields) const {
    std::vector<std::byte> record(layout_->length);
    const auto put = [&](const Field& field, std::uint64_t value) {
        const auto bytes = ckpt_lease::encode(value, field.width, order_);
        std::copy_n(bytes.begin(), field.width, record.begin() + field.offset);
    };
    put({"type", 0, 4, false}, layout_->type);
    put({"len", 4, 4, false}, layout_->length);
    put(layout_->fl_start, static_cast<std::uint64_t>(fields.fl_start));
    put(layout_->fl_end, static_cast<std::uint64_t>(fields.fl_end));
    put(layout_->fl_rem_lease, fields.fl_rem_lease);
    if (layout_->fl_rem_lease_nsec) {
        put(*layout_->fl_rem_lease_nsec, fields.fl_rem_lease_nsec);
    }
    put(layout_->fl_flags, fields.fl_flags);
    put(layout_->fl_type, fields.fl_type);
    put(layout_->fl_type_prev, fields.fl_type_prev);
    put(layout_->fl_break_notified, fields.fl_break_notified);
    return record;
}

void LockCodec::set_remaining(LockFields& fields, const Remaining& remaining) const {
    fields.fl_rem_lease_nsec = 0;
    if (!remaining.has_deadline()) {
        const auto& value = remaining.is_known() ? layout_->no_deadline : layout_->not_known;
        if (!value) {  // RecordLimits tells before
            refuse(fmt::format("the layout {} has no value for a remaining lease of '{}'",
                               layout_->name, to_string(remaining)));
        }
        fields.fl_rem_lease = *value;
    } else {
        const auto time = static_cast<std::uint64_t>(remaining.time().count());
        fields.fl_rem_lease = time / kNanosecondsPerSecond;
        fields.fl_rem_lease_nsec = time % kNanosecondsPerSecond;
    }
}

LockFields LockCodec::with_state(LockFields fields, const LeaseState& before,
                                 const LeaseState& after) const {
    return with_state(fields, after,
                      StateParts{.remaining = after.remaining != before.remaining,
                                 .notified = after.notified != before.notified,
                                 .type = after.type != before.type,
                                 .previous_type = after.previous_type != before.previous_type});
}

LockFields LockCodec::with_state(LockFields fields, const LeaseState& state,
                                 const StateParts& parts) const {
    if (parts.remaining) {
        set_remaining(fields, state.remaining);
    }
    if (parts.notified) {
        fields.fl_break_notified = state.notified ? 1 : 0;
    }
    if (parts.type) {
        fields.fl_type = (fields.fl_type & kFInProgress) | static_cast<std::uint64_t>(state.type);
    }
    if (parts.previous_type) {
        fields.fl_type_prev =
            state.previous_type ? static_cast<std::uint64_t>(*state.previous_type) : kNoType;
    }
    return fields;
}

void LockCodec::append_edits(EditList& edits, std::uint64_t offset,
                             std::span<const std::byte> record, const LockFields& wanted) const {
    struct Value {
        Field field;
        std::uint64_t wanted;
    };
    std::vector<Value> values{
        {layout_->fl_rem_lease, wanted.fl_rem_lease},
        {layout_->fl_type, wanted.fl_type},
        {layout_->fl_type_prev, wanted.fl_type_prev},
        {layout_->fl_break_notified, wanted.fl_break_notified},
    };
    if (layout_->fl_rem_lease_nsec) {
        values.push_back({*layout_->fl_rem_lease_nsec, wanted.fl_rem_lease_nsec});
    }
    std::sort(values.begin(), values.end(),
              [](const Value& a, const Value& b) { return a.field.offset < b.field.offset; });
    for (const auto& [field, value] : values) {
        const auto bytes = ckpt_lease::encode(value, field.width, order_);
        edits.add(offset + field.offset, record.subspan(field.offset, field.width),
                  std::span(bytes).first(field.width));
    }
}

bool LockCodec::is_marker(std::span<const std::byte> record) const {
    const auto* const marked = std::get_if<MarkedList>(&layout_->list_end);
    return marked != nullptr &&
           std::all_of(marked->values.begin(), marked->values.end(), [&](const auto& value) {
               return load_signed(record, value.first, order_) == value.second;
           });
}

std::vector<std::string> LockCodec::faults(const LockFields& fields) const {
    std::vector<std::string> faults;
    const LockKind kind = to_kind(fields.fl_flags);
    if (kind == LockKind::other || (fields.fl_flags & ~(kFlPosix | kFlFlock | kFlLease)) != 0) {
        faults.push_back(fmt::format(
            "fl_flags is {}: just one of FL_POSIX (1), FL_FLOCK (2) and FL_LEASE (32) is allowed",
            fields.fl_flags));
    }
    if (kind == LockKind::lease && (fields.fl_type & kFInProgress) != 0) {
        check_break(fields, *layout_, faults);
    } else {
        check_type(fields, faults);
    }
    if (kind == LockKind::posix) {
        check_range(fields, faults);
    }
    if (!fields.padding_is_zero) {
        faults.emplace_back("the padding is not 0");
    }
    return faults;
}

}  // namespace ckpt_lease::linux_cr
