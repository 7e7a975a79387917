// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "ckpt-lease/base/text.hpp"
#include "render/image_facts.hpp"
#include "render/show_output.hpp"

namespace ckpt_lease {
namespace {

// What one line shows: a lease with all descriptors that it is held through, or one other lock.
using Group = std::vector<std::size_t>;

bool is_same_lease(const Lock& a, const Lock& b) {
    return a.kind == LockKind::lease && b.kind == LockKind::lease && a.file == b.file &&
           a.lease == b.lease;
}

// 0 comes first: leases being broken are what one looks for.
int rank(const Lock& lock) {
    if (lock.kind != LockKind::lease) {
        return 2;
    }
    return lock.lease.breaking ? 0 : 1;
}

template <typename Item, typename Text>
std::string join(const std::vector<Item>& items, Text text) {
    std::string joined;
    for (const Item& item : items) {
        joined += (joined.empty() ? "" : ",") + text(item);
    }
    return joined;
}

class ShowTable final : public ShowOutput {
 public:
    ShowTable(Out& out, Page page, bool all) : out_(out), page_(page), all_(all) {}

    bool image(const ShownImage& shown) override {
        if (!shown.image.facts.has_header) {
            return false;  // the error says it all
        }
        if (!first_) {
            out_.write("\n");
        }
        first_ = false;
        print_headline(out_, page_, shown.name, describe(shown.image.facts));
        const std::vector<std::uint32_t> order = sorted(shown);
        Table table(out_, page_, columns());
        const LockList& locks = shown.image.locks;
        for (std::size_t begin = 0; begin < order.size();) {
            std::size_t end = begin + 1;
            while (end < order.size() &&
                   is_same_lease(locks.at(order[begin]), locks.at(order[end]))) {
                ++end;
            }
            add_row(table, locks,
                    Group(order.begin() + offset(begin), order.begin() + offset(end)));
            begin = end;
        }
        table.finish();
        if (order.empty() && !shown.image.damage) {
            out_.print("no {}{}\n", all_ ? "locks" : "leases",
                       locks.size() > 0 ? " that match" : "");
        }
        return !order.empty();
    }

 private:
    static std::ptrdiff_t offset(std::size_t index) { return static_cast<std::ptrdiff_t>(index); }

    std::vector<Table::Column> columns() const {
        using Kind = Table::Kind;
        std::vector<Table::Column> columns{
            {"IDX", Kind::right}, {"STATE", Kind::left},     {"REMAINING", Kind::right},
            {"TYPE", Kind::left}, {"BECOMES", Kind::left},   {"SIG", Kind::left},
            {"FD", Kind::right},  {"HOLDER", Kind::wrapped}, {"PATH", Kind::wrapped}};
        if (all_) {
            columns.insert(columns.end() - 2, {"BYTES", Kind::wrapped});
        }
        return columns;
    }

    // The indexes of what matches, the records of a lease side by side: they stand where the first
    // of them does.
    std::vector<std::uint32_t> sorted(const ShownImage& shown) const {
        const LockList& locks = shown.image.locks;
        std::vector<std::uint32_t> order;
        std::vector<std::uint32_t> first_of_file(locks.ownership().file_count(), UINT32_MAX);
        for (std::size_t i = 0; i < locks.size(); ++i) {
            const Lock lock = locks.at(i);
            if ((all_ || lock.kind == LockKind::lease) &&
                shown.filter.matches(lock, locks.ownership())) {
                order.push_back(static_cast<std::uint32_t>(i));
                std::uint32_t& first = first_of_file[static_cast<std::size_t>(lock.file)];
                if (lock.kind == LockKind::lease && first == UINT32_MAX) {
                    first = static_cast<std::uint32_t>(i);
                }
            }
        }
        const auto key = [&](std::uint32_t index) {
            const Lock lock = locks.at(index);
            const std::uint32_t place = lock.kind == LockKind::lease
                                            ? first_of_file[static_cast<std::size_t>(lock.file)]
                                            : index;
            return std::tuple(rank(lock), place, index);
        };
        std::sort(order.begin(), order.end(),
                  [&](std::uint32_t a, std::uint32_t b) { return key(a) < key(b); });
        return order;
    }

    void add_row(Table& table, const LockList& locks, const Group& group) const {
        const Lock first = locks.at(group.front());
        std::vector<Lock> records;
        for (const std::size_t index : group) {
            records.push_back(locks.at(index));
        }
        std::vector<std::string> cells{
            join(group, [](std::size_t index) { return fmt::to_string(index); })};
        append_state(cells, first);
        cells.push_back(join(records, [](const Lock& lock) { return fmt::to_string(lock.fd); }));
        if (all_) {
            cells.push_back(bytes(first));
        }
        cells.push_back(holders(locks, records));
        cells.push_back(shown_path(locks.path(first)));
        table.add(std::move(cells),
                  is_breaking(first) ? Table::Style::important : Table::Style::plain);
    }

    static void append_state(std::vector<std::string>& cells, const Lock& lock) {
        const LeaseState& state = lock.lease;
        if (is_breaking(lock)) {
            cells.insert(cells.end(),
                         {"breaking", to_string(state.remaining), to_string(state.previous_type),
                          to_string(state.type), state.notified ? "yes" : "no"});
        } else {
            cells.insert(cells.end(),
                         {lock.kind == LockKind::lease ? "held" : std::string(to_string(lock.kind)),
                          "-", to_string(state.type), "-", "-"});
        }
    }

    static std::string bytes(const Lock& lock) {
        if (lock.kind == LockKind::lease) {
            return "-";
        }
        return lock.range.end == kToEndOfFile
                   ? fmt::format("{}-", lock.range.start)
                   : fmt::format("{}-{}", lock.range.start, lock.range.end);
    }

    // Every task once, however many of the records lead to it.
    static std::string holders(const LockList& locks, const std::vector<Lock>& records) {
        std::vector<TableId> tables;
        std::vector<Task> tasks;
        for (const Lock& lock : records) {
            if (std::find(tables.begin(), tables.end(), lock.table) == tables.end()) {
                tables.push_back(lock.table);
                const std::vector<Task>& more = locks.tasks(lock);
                tasks.insert(tasks.end(), more.begin(), more.end());
            }
        }
        return shown_tasks(tasks);
    }

    Out& out_;
    Page page_;
    bool all_;
    bool first_ = true;
};

}  // namespace

std::unique_ptr<ShowOutput> make_show_table(Out& out, Page page, bool all) {
    return std::make_unique<ShowTable>(out, page, all);
}

}  // namespace ckpt_lease
