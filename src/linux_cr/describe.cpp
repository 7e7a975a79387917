// SPDX-License-Identifier: GPL-2.0-or-later
#include "linux_cr/describe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <variant>

#include "linux_cr/lock_record.hpp"

namespace ckpt_lease::linux_cr {
namespace {

constexpr std::size_t kLongestText = 4096;

std::string lock_type(std::uint64_t value) {
    const auto type = static_cast<LockType>(std::min<std::uint64_t>(value & ~kFInProgress, 255));
    return to_string(type) + ((value & kFInProgress) != 0 ? "|F_INPROGRESS" : "");
}

std::string lock_flags(std::uint64_t value) {
    switch (value) {
        case kFlPosix:
            return "FL_POSIX";
        case kFlFlock:
            return "FL_FLOCK";
        case kFlLease:
            return "FL_LEASE";
        default:
            return {};
    }
}

std::string file_type(std::uint64_t value) {
    constexpr std::array<std::string_view, 8> kNames{"",       "generic", "pipe",  "fifo",
                                                     "socket", "tty",     "epoll", "eventfd"};
    return value < kNames.size() ? std::string(kNames.at(static_cast<std::size_t>(value)))
                                 : std::string();
}

std::string hexadecimal(std::uint64_t value) {
    return fmt::format("{:#x}", value);
}

// What a number means, for fields whose numbers have names. `layout` is of FILE_LOCK records.
std::string meaning(const Field& field, std::uint64_t value, const Layout* layout) {
    if (field.name == field::kMagic.name) {
        return hexadecimal(value);
    }
    if (field.name == field::kObjtype.name) {
        return object_name(static_cast<std::uint32_t>(value));
    }
    if (field.name == field::kFileType.name) {
        return file_type(value);
    }
    if (field.name == field::kFileMode.name || field.name == field::kFileFlags.name) {
        return hexadecimal(value);
    }
    if (layout == nullptr) {
        return {};
    }
    if (field.name == layout->fl_type.name || field.name == layout->fl_type_prev.name) {
        return lock_type(value);
    }
    if (field.name == layout->fl_flags.name) {
        return lock_flags(value);
    }
    if (field.name == layout->fl_rem_lease.name && value == layout->no_deadline) {
        return "no deadline";
    }
    if (field.name == layout->fl_rem_lease.name && value == layout->not_known) {
        return "not known";
    }
    if (field.name == layout->fl_end.name && value == static_cast<std::uint64_t>(kToEndOfFile)) {
        return "to the end";
    }
    return {};
}

class Describer {
 public:
    Describer(Walker& walker, RecordFacts& facts) : walker_(walker), facts_(facts) {}

    void add_fields(std::span<const Field> fields, const Layout* layout) {
        std::size_t needed = 0;
        for (const Field& field : fields) {
            needed = std::max(needed, field.end());
        }
        const auto bytes = walker_.bytes(needed);
        for (const Field& field : fields) {
            if (fits(field, bytes.size())) {
                // The only number of an image that is little endian on every machine.
                const bool is_arch = field.name == field::kArchId.name;
                const ByteOrder order = is_arch ? ByteOrder::little : walker_.order();
                const auto value = static_cast<std::uint64_t>(load_signed(bytes, field, order));
                facts_.facts.push_back({field.name, value, field.is_signed,
                                        is_arch ? arch_name(static_cast<std::uint16_t>(value))
                                                : meaning(field, value, layout)});
            }
        }
    }

    void add_text() {
        facts_.text = walker_.text(kLongestText, true);  // the message behind ERROR
        facts_.is_text = !walker_.is_broken();
    }

 private:
    Walker& walker_;
    RecordFacts& facts_;
};

}  // namespace

RecordFacts describe_record(Walker& walker, const Layout& layout) {
    const Record& record = walker.record();
    RecordFacts facts;
    facts.name = record_name(record.type);
    Describer describer(walker, facts);
    const auto* const counted = std::get_if<CountedList>(&layout.list_end);
    if (record.type == layout.type) {
        const auto bytes = walker.bytes(layout.length);
        const bool is_marker =
            bytes.size() == layout.length && LockCodec(layout, walker.order()).is_marker(bytes);
        facts.name = is_marker ? "FILE_LOCK end" : "FILE_LOCK";
        describer.add_fields(layout.fields(), &layout);
    } else if (counted != nullptr && record.type == counted->type) {
        facts.name = "FILE_LOCKS";
        describer.add_fields(std::span(&counted->nr_locks, 1), nullptr);
    } else if (const RecordKind* const kind = find_kind(record.type)) {
        describer.add_fields(kind->fields, nullptr);
        if (kind->is_text) {
            describer.add_text();
        }
    }
    return facts;
}

}  // namespace ckpt_lease::linux_cr
