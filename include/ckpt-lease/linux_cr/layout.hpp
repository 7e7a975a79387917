// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "ckpt-lease/base/api.hpp"
#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/lease/rules.hpp"

namespace ckpt_lease::linux_cr {

/// A FILE_LOCKS record before a list of locks says how many there are (linux-cr v4 on).
struct CountedList {
    std::uint32_t type = 0;
    std::uint32_t length = 0;
    Field nr_locks;
};

/// A list of locks ends in a FILE_LOCK that is no lock, known by these values (linux-cr v3).
struct MarkedList {
    std::vector<std::pair<Field, std::int64_t>> values;
};

/// Where a kernel puts the fields of struct ckpt_hdr_file_lock, and how it ends a list of locks.
/// No public header defines that struct, and kernels differed: so this is data, read from JSON as
/// schemas/layout.json says. The layouts in schemas/layouts/ are built into the program.
struct CKPT_LEASE_API Layout {
    std::string name;
    std::string description;
    std::uint32_t type = 0;    ///< of FILE_LOCK
    std::uint32_t length = 0;  ///< of FILE_LOCK, in bytes
    Field fl_start;
    Field fl_end;
    Field fl_rem_lease;                      ///< whole seconds
    std::optional<Field> fl_rem_lease_nsec;  ///< without it, written times are rounded up
    Field fl_flags;
    Field fl_type;
    Field fl_type_prev;
    Field fl_break_notified;
    std::vector<Field> padding;
    std::optional<std::uint64_t> no_deadline;  ///< value of fl_rem_lease
    std::optional<std::uint64_t> not_known;    ///< value of fl_rem_lease; no restart takes it
    std::variant<CountedList, MarkedList> list_end;

    /// What a time has to be like to be written.
    [[nodiscard]] RecordLimits limits() const noexcept;
    /// All fields but the padding, in the order of their places.
    [[nodiscard]] std::vector<Field> fields() const;
};

/// Reads a layout. `name` is for messages. Throws Error(refused), with Code::invalid_file, that
/// names the place in the JSON (line, column in characters, JSON pointer): against the schema,
/// fields that overlap, that pass the end of the record, or whose record type has another meaning
/// already.
[[nodiscard]] CKPT_LEASE_API Layout parse_layout(const std::string& name, std::string_view json);

/// A layout that is built in: the JSON it was read from goes with it.
struct BuiltInLayout {
    Layout layout;
    std::string_view json;
};

[[nodiscard]] CKPT_LEASE_API const std::vector<BuiltInLayout>& built_in_layouts();
/// Null if no built-in layout has this name.
[[nodiscard]] CKPT_LEASE_API const BuiltInLayout* find_layout(std::string_view name);
/// The same for those whose FILE_LOCK records have this type and length.
[[nodiscard]] const BuiltInLayout* find_layout(std::uint32_t type, std::uint32_t length);
/// The layout that is assumed where none is asked for: "lease-1".
[[nodiscard]] CKPT_LEASE_API const Layout& default_layout();

}  // namespace ckpt_lease::linux_cr
