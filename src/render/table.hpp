// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "render/out.hpp"

namespace ckpt_lease {

/// What a table may use of the place it is printed on.
struct Page {
    std::size_t width = 80;  ///< columns
    bool colour = false;
};

/// Prints rows in aligned columns that fit the page. The widths are those of the first rows, which
/// are held back to be measured: a table of any length needs the memory of a short one. What does
/// not fit into a column that may wrap goes on in the next line; nothing is cut off.
class Table {
 public:
    enum class Kind : unsigned char { left, right, wrapped };
    struct Column {
        std::string_view heading;
        Kind kind = Kind::left;
    };
    enum class Style : unsigned char { plain, important, aside };

    Table(Out& out, Page page, std::vector<Column> columns, std::string_view indent = "");

    /// One cell for each column; printable text, as escape() returns it.
    void add(std::vector<std::string> cells, Style style = Style::plain);
    /// Prints what was held back. A table without rows prints nothing.
    void finish();

 private:
    static constexpr std::size_t kMeasured = 1000;
    struct Row {
        std::vector<std::string> cells;
        Style style;
    };

    void set_widths();
    void flush();
    void print(const Row& row);

    Out& out_;
    Page page_;
    std::vector<Column> columns_;
    std::string indent_;
    std::string_view gap_;
    std::vector<std::size_t> widths_;
    std::vector<Row> held_;
    bool begun_ = false;
};

}  // namespace ckpt_lease
