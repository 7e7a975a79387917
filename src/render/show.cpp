// SPDX-License-Identifier: GPL-2.0-or-later
#include "render/show.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ckpt-lease/base/text.hpp"
#include "render/elements.hpp"
#include "render/parts.hpp"
#include "render/process_tree.hpp"
#include "render/shown_locks.hpp"
#include "render/table.hpp"

namespace ckpt_lease::render {
namespace {

// There is no checkpoint without tasks.
std::string describe(const CriuTasks& tasks) {
    return tasks.count == 0 ? "tasks that cannot be read"
                            : fmt::format("{} tasks, root {}", tasks.count, tasks.root_pid);
}

std::string describe(const Origin& origin) {
    if (origin.criu) {
        return fmt::format(
            "CRIU checkpoint of {}, {}{}", describe(*origin.criu),
            origin.criu->has_captured ? "with captured leases" : "without captured leases",
            origin.criu->has_file_locks
                ? ""
                : ", without filelocks.img (CRIU writes none where it finds no lock)");
    }
    const Kernel kernel = origin.kernel.value_or(Kernel());
    const std::string release = kernel.release.empty() ? kernel.version : escape(kernel.release);
    const std::string time = format_moment(origin.taken.value_or(0));
    if (origin.format == Format::live) {
        return fmt::format("live, {}, Linux {}, at {}", escape(kernel.machine), release, time);
    }
    const Encoding encoding = origin.encoding.value_or(Encoding());
    return fmt::format("{}, {}, {} endian, Linux {}, taken {}, {}",
                       origin.was_captured ? "CRIU checkpoint, leases captured with it"
                                           : fmt::format("linux-cr revision {}", encoding.revision),
                       encoding.arch, to_string(encoding.order), release,
                       origin.taken ? time : "at an unknown time",
                       origin.complete.value_or(false) ? "complete" : "not complete");
}

std::string_view name_of(Format format) {
    switch (format) {
        case Format::live:
            return "live";
        case Format::criu:
            return "criu";
        case Format::linux_cr:
            break;
    }
    return "linux-cr";
}

void write_origin(JsonWriter& json, const Origin& origin) {
    const std::optional<Encoding>& encoding = origin.encoding;
    json.bytes_member("subject", subject_of(origin))
        .bytes_member("path", origin.name)
        .optional_member("format",
                         origin.format ? std::optional(name_of(*origin.format)) : std::nullopt);
    json.optional_member("byte_order",
                         encoding ? std::optional(to_string(encoding->order)) : std::nullopt)
        .optional_member("arch", encoding ? std::optional(encoding->arch) : std::nullopt)
        .optional_member("revision", encoding ? std::optional(encoding->revision) : std::nullopt)
        .key("kernel");
    if (origin.kernel) {
        json.begin_object().member("version", origin.kernel->version);
        json.bytes_member("release", origin.kernel->release)
            .bytes_member("build", origin.kernel->build)
            .bytes_member("machine", origin.kernel->machine)
            .end_object();
    } else {
        json.null();
    }
    json.optional_member("checkpoint_time", origin.taken)
        .optional_member("complete", origin.complete)
        .optional_member("layout", origin.layout);
}

// Images have none.
bool has_delegations(const Snapshot& snapshot) {
    bool found = false;
    if (snapshot.origin.format != Format::live) {
        return found;
    }
    snapshot.locks.for_each(
        [&](const Lock& lock) { found = found || lock.kind == LockKind::delegation; });
    return found;
}

// Hands the records of each row to `visit`, in the order of the input.
template <typename Visit>
void for_each_row(const ShownLocks& shown, Visit visit) {
    std::vector<Lock> records;
    shown.for_each([&](const Lock& lock) {
        if (!records.empty() && !is_same_lease(records.front(), lock)) {
            visit(records);
            records.clear();
        }
        records.push_back(lock);
    });
    if (!records.empty()) {
        visit(records);
    }
}

// The same in the order of a column. What is kept of a row is what it is sorted by, and the indexes
// of its records.
template <typename Visit>
void for_each_sorted_row(const Snapshot& snapshot, const ShownLocks& shown, const Column& column,
                         Visit visit) {
    struct Key {
        std::int64_t number = 0;
        std::string text;
        std::size_t first = 0;  // in `indexes`
        std::size_t count = 0;
    };
    std::vector<Key> keys;
    std::vector<std::size_t> indexes;
    for_each_row(shown, [&](std::span<const Lock> records) {
        const Row row{snapshot, records};
        const bool by_number = column.number != nullptr;
        keys.push_back({by_number ? column.number(row) : 0, by_number ? "" : column.cell(row),
                        indexes.size(), records.size()});
        for (const Lock& lock : records) {
            indexes.push_back(static_cast<std::size_t>(lock.index));
        }
    });
    std::stable_sort(keys.begin(), keys.end(), [](const Key& a, const Key& b) {
        return std::tie(a.number, a.text) < std::tie(b.number, b.text);
    });
    std::vector<Lock> records;
    for (const Key& key : keys) {
        records.clear();
        for (std::size_t i = 0; i < key.count; ++i) {
            records.push_back(snapshot.locks.at(indexes[key.first + i]));
        }
        visit(records);
    }
}

// Hands each process of a tree to `visit_process`, and the rows of its leases to `visit`. With a
// filter, only those that have any, and those above them.
template <typename VisitProcess, typename Visit>
void for_each_in_tree(const Snapshot& snapshot, const ShownLocks& shown, const Filter& filter,
                      bool utf8, VisitProcess visit_process, Visit visit) {
    std::unordered_map<TableId, std::vector<std::size_t>> indexes;
    shown.for_each([&](const Lock& lock) {
        indexes[lock.table].push_back(static_cast<std::size_t>(lock.index));
    });
    std::unordered_map<std::int32_t, TableId> tables;  // by pid
    for (const auto& [table, leases] : indexes) {
        for (const Task& task : snapshot.locks.ownership().tasks(table)) {
            tables.emplace(task.pid, table);
        }
    }
    std::vector<bool> wanted;
    for (const ProcessFacts& process : snapshot.processes) {
        wanted.push_back(filter == Filter() || tables.count(process.task.pid) > 0);
    }
    draw_tree(snapshot.processes, wanted, utf8, [&](const TreeNode& node) {
        const Task& task = snapshot.processes[node.process].task;
        visit_process(node.before + shown_tasks({&task, 1}));
        const auto table = tables.find(task.pid);
        if (table == tables.end()) {
            return;
        }
        std::vector<Lock> records;
        for (const std::size_t index : indexes.at(table->second)) {
            const Lock lock = snapshot.locks.at(index);
            if (!records.empty() && !is_same_lease(records.front(), lock)) {
                visit(node.below, records);
                records.clear();
            }
            records.push_back(lock);
        }
        if (!records.empty()) {
            visit(node.below, records);
        }
    });
}

}  // namespace

ColumnChoice parse_columns(std::string_view list) {
    ColumnChoice choice;
    if (list.starts_with('+')) {
        choice.more = true;
        list.remove_prefix(1);
    }
    for (bool is_last = false; !is_last;) {
        const std::size_t comma = list.find(',');
        is_last = comma == std::string_view::npos;
        choice.columns.push_back(&find_column(list.substr(0, comma)));
        list.remove_prefix(is_last ? list.size() : comma + 1);
    }
    return choice;
}

ShowReport::ShowReport(Out& out, const Form& form, ShowTable table)
    : Report(out, form, "show"), table_(std::move(table)) {
    begin_list("images");
}

bool ShowReport::snapshot(const Snapshot& snapshot, const Filter& filter, const Problem* no_match) {
    return form_.json ? write_object(snapshot, filter, no_match) : print_table(snapshot, filter);
}

std::vector<const Column*> ShowReport::columns_of(const Snapshot& snapshot) const {
    if (table_.columns && !table_.columns->more) {
        return table_.columns->columns;
    }
    std::vector<const Column*> columns;
    for (const Column* const column : text_columns()) {
        const Shown shown = column->shown;
        if (shown == Shown::always || (shown == Shown::with_all && table_.all) ||
            (shown == Shown::live && snapshot.origin.format == Format::live)) {
            columns.push_back(column);
        }
    }
    if (table_.columns) {
        const auto& more = table_.columns->columns;
        columns.insert(columns.end(), more.begin(), more.end());
    }
    return columns;
}

// A table for scripts has a row for each lease, and an order that was asked for goes before all.
bool ShowReport::is_tree(const Snapshot& snapshot) const {
    return table_.tree && table_.lines == Table::Lines::aligned && table_.sorted_by == nullptr &&
           !snapshot.processes.empty();
}

bool ShowReport::print_table(const Snapshot& snapshot, const Filter& filter) {
    if (!snapshot.origin.kernel && !snapshot.origin.criu) {
        return false;  // the error says it all
    }
    const bool is_for_people = table_.headings && table_.lines == Table::Lines::aligned;
    if (is_for_people) {
        out_.write(first_ ? "" : "\n");
        print_headline(out_, form_.page, subject_of(snapshot.origin), describe(snapshot.origin));
    }
    const bool as_tree = is_tree(snapshot);
    std::vector<const Column*> columns = columns_of(snapshot);
    std::vector<Table::Column> headings;
    headings.reserve(columns.size() + 1);
    if (as_tree) {
        headings.push_back({"PROCESS", Table::Kind::left});
        if (!table_.columns || table_.columns->more) {
            std::erase(columns, &find_column("HOLDER"));  // it is above its leases
        }
    }
    for (const Column* const column : columns) {
        headings.push_back({column->heading, column->kind});
    }
    Table table(out_, form_.page, std::move(headings),
                {.lines = table_.lines, .headings = table_.headings && (is_for_people || first_)});
    first_ = false;
    const ShownLocks shown(snapshot.locks, filter, table_.all);
    const auto add_row_behind = [&](std::vector<std::string> cells, std::span<const Lock> records) {
        cells.reserve(columns.size() + 1);
        for (const Column* const column : columns) {
            cells.push_back(column->cell({snapshot, records}));
        }
        table.add(std::move(cells),
                  is_breaking(records.front()) ? Table::Style::important : Table::Style::plain);
    };
    const auto add_row = [&](std::span<const Lock> records) { add_row_behind({}, records); };
    if (as_tree) {
        const auto add_process = [&](std::string process) { table.add({std::move(process)}); };
        for_each_in_tree(snapshot, shown, filter, form_.page.utf8, add_process,
                         [&](const std::string& below, std::span<const Lock> records) {
                             add_row_behind({below}, records);
                         });
    } else if (table_.sorted_by == nullptr) {
        for_each_row(shown, add_row);
    } else {
        for_each_sorted_row(snapshot, shown, *table_.sorted_by, add_row);
    }
    table.finish();
    if (is_for_people && !shown.any() && !snapshot.damage) {
        out_.print("no {}{}\n", table_.all ? "locks" : "leases",
                   snapshot.locks.size() > 0 ? " that match" : "");
    }
    return shown.any();
}

bool ShowReport::write_object(const Snapshot& snapshot, const Filter& filter,
                              const Problem* no_match) {
    json().begin_object();
    write_origin(json(), snapshot.origin);
    bool matched = write_locks(snapshot, filter, true);
    if (table_.all || has_delegations(snapshot)) {
        matched |= write_locks(snapshot, filter, false);
    }
    if (snapshot.damage) {
        json().member("error", to_utf8(snapshot.damage->message));
        document_.write_errors(subject_of(snapshot.origin), *snapshot.damage);
    } else if (!matched && no_match != nullptr) {
        document_.write_errors(subject_of(snapshot.origin), *no_match);
    } else {
        document_.write_no_errors();
    }
    json().end_object();
    return matched;
}

bool ShowReport::write_locks(const Snapshot& snapshot, const Filter& filter, bool leases) {
    const Members wanted = leases ? Members::of_leases : Members::of_others;
    std::vector<const Column*> columns;
    for (const Column& column : show_columns()) {
        if (column.members == Members::of_all || column.members == wanted) {
            columns.push_back(&column);
        }
    }
    json().key(leases ? "leases" : "locks").begin_array();
    const bool any = write_elements(
        json(), snapshot.locks.size(), [&](JsonWriter& json, std::size_t begin, std::size_t end) {
            bool any_of_these = false;
            snapshot.locks.for_each_of(begin, end, [&](const Lock& lock) {
                if ((lock.kind == LockKind::lease) != leases ||
                    !filter.matches(lock, snapshot.locks.ownership())) {
                    return;
                }
                any_of_these = true;
                json.begin_object();
                for (const Column* const column : columns) {
                    column->write(json, {snapshot, {&lock, 1}});
                }
                json.end_object();
            });
            return any_of_these;
        });
    json().end_array();
    return any;
}

}  // namespace ckpt_lease::render
