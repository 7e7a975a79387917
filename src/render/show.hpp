// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "ckpt-lease/lease/rules.hpp"
#include "ckpt-lease/lease/snapshot.hpp"
#include "render/report.hpp"
#include "render/show_columns.hpp"
#include "render/table.hpp"

namespace ckpt_lease::render {

/// Which columns a table is to have.
struct ColumnChoice {
    std::vector<const Column*> columns;
    bool more = false;  ///< besides the usual ones
};

/// Reads "PATH,REMAINING", or "+OFFSET" for the usual ones and more; headings in capitals or not.
/// Throws Error(refused) if there is no such column.
[[nodiscard]] ColumnChoice parse_columns(std::string_view list);

/// What the table is like.
struct ShowTable {
    bool all = false;  ///< locks that are no leases are shown too
    std::optional<ColumnChoice> columns;
    const Column* sorted_by = nullptr;  ///< null: what is being broken first, then as in the input
    Table::Lines lines = Table::Lines::aligned;
    bool headings = true;  ///< also what is said above the table
    /// Aligned lines that are in no other order: live processes as a tree, each with its leases
    /// below it.
    bool tree = false;
};

/// What 'show' prints: the snapshots, and end().
class ShowReport final : public Report {
 public:
    ShowReport(Out& out, const Form& form, ShowTable table);

    /// Damaged or not. Returns whether anything in it matches the filter. If nothing does,
    /// `no_match` is what is wrong with it; null: nothing is.
    bool snapshot(const Snapshot& snapshot, const Filter& filter,
                  const Problem* no_match = nullptr);

 private:
    bool print_table(const Snapshot& snapshot, const Filter& filter);
    [[nodiscard]] bool is_tree(const Snapshot& snapshot) const;
    [[nodiscard]] std::vector<const Column*> columns_of(const Snapshot& snapshot) const;
    bool write_object(const Snapshot& snapshot, const Filter& filter, const Problem* no_match);
    bool write_locks(const Snapshot& snapshot, const Filter& filter, bool leases);

    ShowTable table_;
    bool first_ = true;
};

}  // namespace ckpt_lease::render
