// SPDX-License-Identifier: GPL-2.0-or-later
#include "live/look/lease_event.hpp"

#include <fcntl.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string>

#include "live/proc_text.hpp"

namespace ckpt_lease::live {
namespace {

constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;

// Of include/linux/filelock.h, since Linux 3.2. Should a kernel have others, what is read here does
// not fit what /proc shows of the lease, and is not believed.
constexpr std::uint64_t kDowngradePending = 256;
constexpr std::uint64_t kUnlockPending = 512;

// What stands between `before` and `behind`.
std::optional<std::string_view> text_between(std::string_view text, std::string_view before,
                                             char behind) {
    const std::size_t at = text.find(before);
    if (at == std::string_view::npos) {
        return std::nullopt;
    }
    text.remove_prefix(at + before.size());
    return text.substr(0, text.find(behind));
}

template <typename Number>
std::optional<Number> number_between(std::string_view text, std::string_view before, char behind) {
    const auto digits = text_between(text, before, behind);
    return digits ? parse_number<Number>(*digits) : std::nullopt;
}

bool is_width(std::uint8_t width) {
    return std::has_single_bit(width) && width <= sizeof(std::uint64_t);
}

// "	field:unsigned long fl_break_time;	offset:56;	size:8;	signed:0;"
bool read_field(std::string_view line, std::string_view name, Field& field) {
    const auto declared = text_between(line, "field:", ';');
    if (!declared) {
        return false;
    }
    std::string_view found = declared->substr(declared->find_last_of(" *") + 1);
    found.remove_prefix(found.starts_with("fl_") ? 3 : 0);
    const auto offset = number_between<std::uint16_t>(line, "\toffset:", ';');
    const auto width = number_between<std::uint8_t>(line, "\tsize:", ';');
    if (found != name || !offset || !width || !is_width(*width)) {
        return false;
    }
    field = {name, *offset, *width, false};
    return true;
}

// The kernel's own form of it, which is not that of stat(2).
dev_t to_device(std::uint64_t number) {
    constexpr unsigned kMinorBits = 20;
    return makedev(static_cast<unsigned>(number >> kMinorBits),
                   static_cast<unsigned>(number & ((1U << kMinorBits) - 1)));
}

std::optional<LockType> to_lock_type(std::uint64_t type) {
    switch (type) {
        case F_RDLCK:
            return LockType::rdlck;
        case F_WRLCK:
            return LockType::wrlck;
        case F_UNLCK:
            return LockType::unlck;
        default:
            return std::nullopt;
    }
}

// Jiffies of a 32-bit kernel begin anew every now and then: what is less than half of that away
// lies ahead.
std::uint64_t as_wide(std::uint64_t deadline, const Field& field, const Jiffies& jiffies) {
    if (field.width > sizeof(std::uint32_t)) {
        return deadline;
    }
    const auto ahead = static_cast<std::int32_t>(static_cast<std::uint32_t>(deadline) -
                                                 static_cast<std::uint32_t>(jiffies.ticks));
    return jiffies.ticks + static_cast<std::uint64_t>(std::int64_t{ahead});
}

}  // namespace

SteadyTime Jiffies::moment_of(std::uint64_t deadline) const noexcept {
    const auto ahead = static_cast<std::int64_t>(deadline - ticks);
    const auto hz = static_cast<std::int64_t>(per_second);
    return since + std::chrono::seconds(ahead / hz) +
           Nanoseconds(ahead % hz * kNanosecondsPerSecond / hz);
}

std::optional<std::uint64_t> parse_timer_list(std::string_view text) {
    const auto line = text_between(text, "jiffies: ", '\n');
    return line ? parse_number<std::uint64_t>(*line) : std::nullopt;
}

std::optional<LeaseEventFormat> parse_event_format(std::string_view text) {
    LeaseEventFormat format;
    struct Wanted {
        std::string_view name;
        Field* field;
        bool found = false;
    };
    std::array wanted{
        Wanted{"s_dev", &format.device},          Wanted{"i_ino", &format.inode},
        Wanted{"flags", &format.flags},           Wanted{"type", &format.type},
        Wanted{"break_time", &format.break_time}, Wanted{"downgrade_time", &format.downgrade_time}};
    for_each_line(text, [&](std::string_view line) {
        for (Wanted& one : wanted) {
            one.found = one.found || read_field(line, one.name, *one.field);
        }
    });
    const auto id = number_between<std::uint64_t>(text, "ID: ", '\n');
    if (!id || !std::all_of(wanted.begin(), wanted.end(), [](auto& one) { return one.found; })) {
        return std::nullopt;
    }
    format.id = *id;
    return format;
}

std::optional<TracedLease> read_event(std::span<const std::byte> event,
                                      const LeaseEventFormat& format, const Jiffies& jiffies,
                                      SteadyTime from) {
    for (const Field& field : {format.device, format.inode, format.flags, format.type,
                               format.break_time, format.downgrade_time}) {
        if (!fits(field, event.size())) {
            return std::nullopt;
        }
    }
    const auto value = [&](const Field& field) { return load(event, field, kNativeOrder); };
    const std::optional<LockType> type = to_lock_type(value(format.type));
    if (!type) {
        return std::nullopt;
    }
    TracedLease lease;
    lease.inode = {to_device(value(format.device)), value(format.inode)};
    lease.state.type = *type;
    const std::uint64_t flags = value(format.flags);
    const bool unlocks = (flags & kUnlockPending) != 0;
    if (!unlocks && (flags & kDowngradePending) == 0) {
        return lease;
    }
    lease.state.breaking = true;
    lease.state.previous_type = *type;
    lease.state.type = unlocks ? LockType::unlck : LockType::rdlck;
    lease.state.notified = true;  // a break begins with the signal
    const Field& field = unlocks ? format.break_time : format.downgrade_time;
    const std::uint64_t deadline = value(field);
    lease.state.remaining =
        deadline == 0
            ? Remaining::no_deadline()
            : Remaining(std::max(jiffies.moment_of(as_wide(deadline, field, jiffies)) - from,
                                 Nanoseconds(0)));
    return lease;
}

}  // namespace ckpt_lease::live
