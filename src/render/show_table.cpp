// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "ckpt-lease/base/text.hpp"
#include "render/image_facts.hpp"
#include "render/show_output.hpp"

namespace ckpt_lease {
namespace {

// What one line shows: a lease with all descriptors that it is held through, or one other lock.
using Group = std::vector<Lock>;

bool is_same_lease(const Lock& a, const Lock& b) {
    return a.kind == LockKind::lease && b.kind == LockKind::lease && a.file == b.file &&
           a.lease == b.lease;
}

// 0 comes first: leases being broken are what one looks for.
constexpr int kRanks = 3;
int rank(const Lock& lock) {
    if (lock.kind != LockKind::lease) {
        return 2;
    }
    return lock.lease.breaking ? 0 : 1;
}

// The locks that match a filter in the order in which they are shown, the records of a lease side
// by side: they stand where the first of them does.
//
// Most leases have one record and stand where they are. So of a lock it is kept only whether it is
// shown, and of its file whether it has several leases: a bit each. Those of such a file, and no
// others, have to be put in order.
class ShownLocks {
 public:
    ShownLocks(const LockList& locks, const Filter& filter, bool all)
        : locks_(locks), shown_(locks.size()), several_(locks.ownership().file_count()) {
        std::vector<bool> seen(several_.size());
        locks.for_each([&](const Lock& lock) {
            const bool is_lease = lock.kind == LockKind::lease;
            if ((!all && !is_lease) || !filter.matches(lock, locks.ownership())) {
                return;
            }
            shown_[lock.index] = true;
            any_ = true;
            if (is_lease) {
                const auto file = static_cast<std::size_t>(lock.file);
                several_[file] = seen[file];
                seen[file] = true;
            }
        });
        if (any_) {
            collect_moved();
        }
    }

    [[nodiscard]] bool any() const noexcept { return any_; }

    template <typename Visit>
    void for_each(Visit visit) const {
        auto moved = moved_.begin();
        for (int r = 0; any_ && r < kRanks; ++r) {
            const auto visit_moved_before = [&](std::uint64_t place) {
                for (; moved != moved_.end() && moved->rank == r && moved->place < place; ++moved) {
                    visit(locks_.at(moved->index));
                }
            };
            locks_.for_each([&](const Lock& lock) {
                if (shown_[lock.index] && rank(lock) == r && !is_moved(lock)) {
                    visit_moved_before(lock.index);
                    visit(lock);
                }
            });
            visit_moved_before(locks_.size());
        }
    }

 private:
    struct Moved {
        int rank;
        std::uint32_t place;  // the index of the first lease of its file
        std::uint32_t index;
    };

    [[nodiscard]] bool is_moved(const Lock& lock) const {
        return lock.kind == LockKind::lease && several_[static_cast<std::size_t>(lock.file)];
    }

    void collect_moved() {
        std::unordered_map<FileId, std::uint32_t> places;
        locks_.for_each([&](const Lock& lock) {
            if (shown_[lock.index] && is_moved(lock)) {
                const auto index = static_cast<std::uint32_t>(lock.index);
                moved_.push_back(
                    {rank(lock), places.emplace(lock.file, index).first->second, index});
            }
        });
        std::sort(moved_.begin(), moved_.end(), [](const Moved& a, const Moved& b) {
            return std::tie(a.rank, a.place, a.index) < std::tie(b.rank, b.place, b.index);
        });
    }

    const LockList& locks_;
    std::vector<bool> shown_;    // by index
    std::vector<bool> several_;  // by FileId: several of its leases are shown
    std::vector<Moved> moved_;
    bool any_ = false;
};

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
        if (!shown.image.facts.has_header && shown.checkpoint == nullptr) {
            return false;  // the error says it all
        }
        if (!first_) {
            out_.write("\n");
        }
        first_ = false;
        print_headline(out_, page_, shown.name, describe(shown));
        const LockList& locks = shown.image.locks;
        const ShownLocks shown_locks(locks, shown.filter, all_);
        Table table(out_, page_, columns(shown));
        Group group;
        shown_locks.for_each([&](const Lock& lock) {
            if (!group.empty() && !is_same_lease(group.front(), lock)) {
                add_row(table, shown, group);
                group.clear();
            }
            group.push_back(lock);
        });
        if (!group.empty()) {
            add_row(table, shown, group);
        }
        table.finish();
        if (!shown_locks.any() && !shown.image.damage) {
            out_.print("no {}{}\n", all_ ? "locks" : "leases",
                       locks.size() > 0 ? " that match" : "");
        }
        return shown_locks.any();
    }

 private:
    static std::string describe(const ShownImage& shown) {
        if (shown.checkpoint != nullptr) {
            return ckpt_lease::describe(*shown.checkpoint);
        }
        return shown.breakers == nullptr ? ckpt_lease::describe(shown.image.facts)
                                         : describe_machine(shown.image.facts);
    }

    std::vector<Table::Column> columns(const ShownImage& shown) const {
        using Kind = Table::Kind;
        std::vector<Table::Column> columns{
            {"IDX", Kind::right}, {"STATE", Kind::left},     {"REMAINING", Kind::right},
            {"TYPE", Kind::left}, {"BECOMES", Kind::left},   {"SIG", Kind::left},
            {"FD", Kind::right},  {"HOLDER", Kind::wrapped}, {"PATH", Kind::wrapped}};
        if (all_) {
            columns.insert(columns.end() - 2, {"BYTES", Kind::wrapped});
        }
        if (shown.breakers != nullptr) {
            columns.insert(columns.end() - 1, {"BREAKER", Kind::wrapped});
        }
        return columns;
    }

    void add_row(Table& table, const ShownImage& shown, const Group& group) const {
        const LockList& locks = shown.image.locks;
        const Lock& first = group.front();
        std::vector<std::string> cells{
            join(group, [](const Lock& lock) { return fmt::to_string(lock.index); })};
        append_state(cells, first);
        cells.push_back(join(group, [](const Lock& lock) { return fmt::to_string(lock.fd); }));
        if (all_) {
            cells.push_back(bytes(first));
        }
        cells.push_back(holders(locks, group));
        if (shown.breakers != nullptr) {
            cells.push_back(shown_tasks((*shown.breakers)[static_cast<std::size_t>(first.file)]));
        }
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
    static std::string holders(const LockList& locks, const Group& group) {
        if (std::all_of(group.begin(), group.end(),
                        [&](const Lock& lock) { return lock.table == group.front().table; })) {
            return shown_tasks(locks.tasks(group.front()));
        }
        std::vector<TableId> tables;
        std::vector<Task> tasks;
        for (const Lock& lock : group) {
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
