// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ckpt-lease/lease/snapshot.hpp"
#include "render/json_writer.hpp"
#include "render/table.hpp"

namespace ckpt_lease::render {

/// All that 'show' says of a lock, once for text and JSON: to say more, add a line to the table in
/// show_columns.cpp.

/// What one row of the table tells of: a lease with all descriptors that it is held through, or one
/// other lock. An object of JSON tells of one record.
struct Row {
    const Snapshot& snapshot;
    std::span<const Lock> records;

    [[nodiscard]] const Lock& first() const { return records.front(); }
    [[nodiscard]] const LeaseState& state() const { return first().lease; }
    [[nodiscard]] bool is_lease() const { return first().kind == LockKind::lease; }
    [[nodiscard]] bool is_live() const { return snapshot.origin.format == Format::live; }
    [[nodiscard]] std::string_view path() const { return snapshot.locks.path(first()); }
    // None if they are not known: only those of live processes are.
    [[nodiscard]] std::span<const Waiter> breakers() const {
        const auto file = static_cast<std::size_t>(first().file);
        return file < snapshot.breakers.size() ? snapshot.breakers[file]
                                               : std::span<const Waiter>();
    }
    // Null if nothing is known of it.
    [[nodiscard]] const FileFacts* file() const {
        const auto file = static_cast<std::size_t>(first().file);
        return file < snapshot.files.size() ? &snapshot.files[file] : nullptr;
    }
};

/// Which of the JSON's objects have a member, and which tables a column.
enum class Members : std::uint8_t { of_none, of_all, of_leases, of_others };
enum class Shown : std::uint8_t { never, if_asked, always, with_all, live };

/// One fact about a lock.
struct Column {
    std::string_view name;     ///< of its member in JSON, or the first of them
    std::string_view heading;  ///< empty: it is in JSON only
    Table::Kind kind;
    Shown shown;
    Members members;
    std::string (*cell)(const Row& row);              ///< null: it is in JSON only
    void (*write)(JsonWriter& json, const Row& row);  ///< null: it is in tables only
    std::string_view help;
    std::int64_t (*number)(const Row& row) = nullptr;  ///< what it is sorted by; null: its cell
};

/// In the order of the members of JSON.
[[nodiscard]] std::span<const Column> show_columns();

/// Those with a heading, in the order of the table.
[[nodiscard]] std::vector<const Column*> text_columns();

/// The column of this heading, in capitals or not. Throws Error(refused) if there is none.
[[nodiscard]] const Column& find_column(std::string_view heading);

/// What the columns of the table are, a line each: for help.
[[nodiscard]] std::string describe_columns();

}  // namespace ckpt_lease::render
