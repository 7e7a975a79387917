// SPDX-License-Identifier: GPL-2.0-or-later
#include "render/show_columns.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <optional>
#include <utility>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/base/text.hpp"
#include "ckpt-lease/base/time.hpp"
#include "render/live_cells.hpp"
#include "render/parts.hpp"

namespace ckpt_lease::render {
namespace {

using Kind = Table::Kind;

template <typename Number>
std::string join(const Row& row, Number Lock::*number) {
    std::string joined;
    for (const Lock& lock : row.records) {
        joined += (joined.empty() ? "" : ",") + fmt::to_string(lock.*number);
    }
    return joined;
}

std::string state_cell(const Row& row) {
    return is_breaking(row.first()) ? (row.state().armed ? "armed" : "breaking")
           : row.is_lease()         ? "held"
                                    : std::string(to_string(row.first().kind));
}

std::string type_cell(const Row& row) {
    const std::optional<LockType> type = row.state().unbroken_type();
    return type ? to_string(*type) : "-";
}

// A delegation may be being broken, too.
std::string becomes_cell(const Row& row) {
    const bool becomes = is_breaking(row.first()) ||
                         (row.first().kind == LockKind::delegation && row.state().breaking);
    return becomes ? to_string(row.state().type) : "-";
}

// What only a lease that is being broken has.
std::string of_break(const Row& row, std::string text) {
    return is_breaking(row.first()) ? std::move(text) : "-";
}

std::string bytes_cell(const Row& row) {
    const Range& range = row.first().range;
    if (row.is_lease()) {
        return "-";
    }
    return range.end == kToEndOfFile ? fmt::format("{}-", range.start)
                                     : fmt::format("{}-{}", range.start, range.end);
}

// Every task once, however many of the records lead to it.
std::string holder_cell(const Row& row) {
    const LockList& locks = row.snapshot.locks;
    std::vector<TableId> tables;
    std::vector<Task> tasks;
    for (const Lock& lock : row.records.subspan(1)) {
        const auto is_same = [&](TableId table) { return table == lock.table; };
        if (!is_same(row.first().table) && std::none_of(tables.begin(), tables.end(), is_same)) {
            tables.push_back(lock.table);
            const std::vector<Task>& more = locks.tasks(lock);
            tasks.insert(tasks.end(), more.begin(), more.end());
        }
    }
    const std::vector<Task>& first = locks.tasks(row.first());
    if (tasks.empty()) {
        return shown_tasks(first);  // thousands of leases may share a table with thousands of tasks
    }
    tasks.insert(tasks.begin(), first.begin(), first.end());
    return shown_tasks(tasks);
}

void write_range(JsonWriter& json, const Range& range) {
    json.member("start", range.start).key("end");
    range.end == kToEndOfFile ? json.null() : json.value(range.end);
}

// Of the leases for which it is known.
const LeaseOwner* owner_of(const Row& row) {
    const LeaseOwners& owners = row.snapshot.owners;
    const auto found = owners.find(row.first().index);
    return found == owners.end() ? nullptr : &found->second;
}

std::string_view kind_of(const LeaseOwner& owner) {
    constexpr std::array<std::string_view, 3> kKinds{"thread", "process", "group"};
    const auto kind = static_cast<std::size_t>(owner.kind);
    return kind < kKinds.size() ? kKinds.at(kind) : "unknown";
}

void write_owner(JsonWriter& json, const Row& row) {
    const LeaseOwner* const owner = owner_of(row);
    if (owner == nullptr) {
        return;
    }
    json.key("owner").begin_object();
    json.member("kind", kind_of(*owner))
        .member("id", owner->id)
        .member("uid", owner->uid)
        .member("euid", owner->euid)
        .member("signal", owner->signal)
        .end_object();
}

std::string owner_cell(const Row& row) {
    const LeaseOwner* const owner = owner_of(row);
    if (owner == nullptr) {
        return "-";
    }
    return owner->id == 0 ? "nobody" : fmt::format("{} {}", kind_of(*owner), owner->id);
}

std::string signal_cell(const Row& row) {
    const LeaseOwner* const owner = owner_of(row);
    if (owner == nullptr) {
        return "-";
    }
    return owner->signal == 0 ? "SIGIO" : fmt::to_string(owner->signal);
}

void write_armed(JsonWriter& json, const Row& row) {
    if (row.is_live()) {
        json.member("armed", row.state().armed);
    }
}

void write_state_of_delegation(JsonWriter& json, const Row& row) {
    if (row.first().kind == LockKind::delegation) {
        write_phase(json, row.state());
        write_previous_type(json, row.state());
    }
}

// Those without a time stand behind all others: no deadline, not known, held.
std::int64_t time_left(const Row& row) {
    constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
    if (!is_breaking(row.first())) {
        return kMost;
    }
    const Remaining& remaining = row.state().remaining;
    if (!remaining.is_known()) {
        return kMost - 1;
    }
    return remaining.has_deadline() ? remaining.time().count() : kMost - 2;
}

std::string deadline_cell(const Row& row) {
    const std::optional<std::uint64_t>& taken = row.snapshot.origin.taken;
    if (!taken || !is_breaking(row.first()) || !row.state().remaining.has_deadline()) {
        return "-";
    }
    const auto left = std::chrono::ceil<std::chrono::seconds>(row.state().remaining.time());
    return format_moment(*taken + static_cast<std::uint64_t>(left.count()));
}

constexpr std::array kColumns{
    Column{"index", "IDX", Kind::right, Shown::always, Members::of_all,
           [](auto& row) { return join(row, &Lock::index); },
           [](auto& json, auto& row) { json.member("index", row.first().index); },
           "the record's index; all of them, of a lease that has several",
           [](auto& row) { return static_cast<std::int64_t>(row.first().index); }},
    Column{"offset", "OFFSET", Kind::right, Shown::if_asked, Members::of_all,
           [](auto& row) { return row.is_live() ? "-" : join(row, &Lock::offset); },
           [](auto& json, auto& row) { json.member("offset", row.first().offset); },
           "where the record begins in the image, in bytes; of each index",
           [](auto& row) { return static_cast<std::int64_t>(row.first().offset); }},
    Column{"fd", "FD", Kind::right, Shown::always, Members::of_all,
           [](auto& row) { return join(row, &Lock::fd); },
           [](auto& json, auto& row) { json.member("fd", row.first().fd); },
           "the descriptors that it is held through, one for each index",
           [](auto& row) { return std::int64_t{row.first().fd}; }},
    Column{"path", "PATH", Kind::wrapped, Shown::always, Members::of_all,
           [](auto& row) { return shown_path(row.path()); },
           [](auto& json, auto& row) { write_path(json, row.path()); }, "the path of the file"},
    Column{"tasks", "HOLDER", Kind::wrapped, Shown::always, Members::of_all, holder_cell,
           [](auto& json, auto& row) { write_tasks(json, row.snapshot.locks.tasks(row.first())); },
           "pid and command name of each task that shares the descriptors"},
    Column{"state", "STATE", Kind::left, Shown::always, Members::of_leases, state_cell,
           [](auto& json, auto& row) { write_phase(json, row.state()); },
           "breaking, held or armed (no breaker is back yet); or the kind"},
    Column{"armed", "", Kind::left, Shown::never, Members::of_leases, nullptr, write_armed, ""},
    Column{"kind", "", Kind::left, Shown::never, Members::of_others, nullptr,
           [](auto& json, auto& row) { json.member("kind", to_string(row.first().kind)); }, ""},
    Column{"state", "", Kind::left, Shown::never, Members::of_others, nullptr,
           write_state_of_delegation, ""},
    Column{"type", "BECOMES", Kind::left, Shown::always, Members::of_all, becomes_cell,
           [](auto& json, auto& row) { write_type(json, row.state()); },
           "the type that a lease being broken is to have"},
    Column{"previous_type", "TYPE", Kind::left, Shown::always, Members::of_leases, type_cell,
           [](auto& json, auto& row) { write_previous_type(json, row.state()); },
           "its type, or what that was before the break; -: not known"},
    Column{"break_notified", "SIG", Kind::left, Shown::always, Members::of_leases,
           [](auto& row) { return of_break(row, row.state().notified ? "yes" : "no"); },
           [](auto& json, auto& row) { write_break_notified(json, row.state()); },
           "whether the holder was signalled"},
    Column{"remaining_seconds", "REMAINING", Kind::right, Shown::always, Members::of_leases,
           [](auto& row) { return of_break(row, to_string(row.state().remaining)); },
           [](auto& json, auto& row) { write_remaining(json, row.state()); },
           "how long the holder may still keep it", time_left},
    Column{"", "DEADLINE", Kind::left, Shown::if_asked, Members::of_none, deadline_cell, nullptr,
           "when that is over, by the clock, had the processes not been stopped", time_left},
    Column{"start", "BYTES", Kind::wrapped, Shown::with_all, Members::of_others, bytes_cell,
           [](auto& json, auto& row) { write_range(json, row.first().range); },
           "of a lock that is no lease: the bytes that it covers",
           [](auto& row) { return row.first().range.start; }},
    Column{"owner", "OWNER", Kind::left, Shown::if_asked, Members::of_leases, owner_cell,
           write_owner, "who is signalled: process, thread or group, as F_GETOWN_EX has it"},
    Column{"", "SIGNAL", Kind::left, Shown::if_asked, Members::of_none, signal_cell, nullptr,
           "with which signal (F_GETSIG)"},
    Column{"breakers", "BREAKER", Kind::wrapped, Shown::live, Members::of_all,
           [](auto& row) { return shown_tasks(tasks_of(row.breakers())); }, write_breakers,
           "of live processes: who waits for the lease"},
    Column{"", "WAITING", Kind::wrapped, Shown::if_asked, Members::of_none, waiting_cell, nullptr,
           "and how long at most: since when is not known"},
    Column{"since_seconds", "SINCE", Kind::right, Shown::if_asked, Members::of_leases, since_cell,
           write_since, "of live processes: how long the break is under way",
           [](auto& row) {
               const auto time = since(row);
               return time ? -time->count() : std::int64_t{1};
           }},
    Column{"device", "DEVICE", Kind::right, Shown::if_asked, Members::of_all, device_cell,
           write_file, "of live processes: the device that the file is on, MAJOR:MINOR"},
    Column{
        "", "INODE", Kind::right, Shown::if_asked, Members::of_none,
        [](auto& row) { return row.file() == nullptr ? "-" : fmt::to_string(row.file()->inode); },
        nullptr, "of live processes: the file's inode",
        [](auto& row) {
            return row.file() == nullptr ? -1 : static_cast<std::int64_t>(row.file()->inode);
        }},
    Column{"", "MNT", Kind::right, Shown::if_asked, Members::of_none,
           [](auto& row) {
               const FileFacts* const file = row.file();
               return file != nullptr && file->mount_id ? fmt::to_string(*file->mount_id) : "-";
           },
           nullptr, "of live processes: the mount's ID, as in /proc/PID/mountinfo",
           [](auto& row) {
               return row.file() == nullptr ? std::int64_t{-1} : row.file()->mount_id.value_or(-1);
           }},
    Column{"cgroups", "CGROUP", Kind::wrapped, Shown::if_asked, Members::of_all, cgroup_cell,
           write_cgroups, "of live processes: the cgroups of the holders"},
    Column{"", "IMAGE", Kind::wrapped, Shown::if_asked, Members::of_none,
           [](auto& row) { return shown_name(row.snapshot.origin.name); }, nullptr,
           "the image or the processes that it was found in"},
};

constexpr std::array<std::string_view, 22> kTextOrder{
    "IDX",    "STATE",  "REMAINING", "SINCE",  "DEADLINE", "TYPE",   "BECOMES", "SIG",
    "FD",     "BYTES",  "HOLDER",    "CGROUP", "OWNER",    "SIGNAL", "BREAKER", "WAITING",
    "OFFSET", "DEVICE", "INODE",     "MNT",    "IMAGE",    "PATH"};

const Column* column_of(std::string_view heading) {
    const auto* const found =
        std::find_if(kColumns.begin(), kColumns.end(),
                     [&](const Column& column) { return column.heading == heading; });
    return heading.empty() || found == kColumns.end() ? nullptr : &*found;
}

}  // namespace

std::span<const Column> show_columns() {
    return kColumns;
}

std::vector<const Column*> text_columns() {
    std::vector<const Column*> columns(kTextOrder.size());
    std::transform(kTextOrder.begin(), kTextOrder.end(), columns.begin(), column_of);
    return columns;
}

const Column& find_column(std::string_view heading) {
    std::string name(heading);
    std::transform(name.begin(), name.end(), name.begin(), [](char letter) {
        return letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
    });
    const Column* const column = column_of(name);
    if (heading.empty()) {
        refuse("a column has no name", "give names with commas between them, like FD,PATH");
    }
    if (column == nullptr) {
        std::string names;
        for (const std::string_view each : kTextOrder) {
            names += (names.empty() ? "" : ", ") + std::string(each);
        }
        refuse(fmt::format("there is no column '{}'", escape(heading)), "there are " + names);
    }
    return *column;
}

std::string describe_columns() {
    std::string text;
    for (const Column* const column : text_columns()) {
        text += fmt::format("  {:<10} {}\n", column->heading, column->help);
    }
    return text;
}

}  // namespace ckpt_lease::render
