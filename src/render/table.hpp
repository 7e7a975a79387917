// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "render/form.hpp"
#include "render/out.hpp"

namespace ckpt_lease::render {

/// Prints rows in aligned columns that fit the page. Rows are held back to be measured, kMeasured
/// at a time: a table of any length needs the memory of a short one. A column stays as wide as it
/// was, as far as the page allows. What does not fit into a column that may wrap goes on in the
/// next line; nothing is cut off. Where the page is too narrow for that, each row is a block of
/// lines: a heading and its cell.
class Table {
 public:
    enum class Kind : unsigned char { left, right, wrapped };
    struct Column {
        std::string_view heading;
        Kind kind = Kind::left;
    };
    enum class Style : unsigned char { plain, important, aside };
    /// How rows become lines. The last two are for scripts: a line for each row, whatever the page
    /// is like, as lsblk(8) has them.
    enum class Lines : unsigned char {
        aligned,
        raw,    ///< cells with a space between; spaces in them are \x20, and an empty one is -
        pairs,  ///< HEADING="cell" with a space between
    };
    struct Form {
        std::string_view indent = "";
        Lines lines = Lines::aligned;
        bool headings = true;  ///< in the first line; pairs have them in each
    };

    Table(Out& out, Page page, std::vector<Column> columns, Form form);
    Table(Out& out, Page page, std::vector<Column> columns)
        : Table(out, page, std::move(columns), Form()) {}

    /// One cell for each column, or only those of the first ones; printable text, as escape()
    /// returns it.
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
    void print_aligned(const Row& row);
    void print_block(const Row& row);
    void print_raw(const Row& row);
    void print_pairs(const Row& row);
    void print_line(const Row& row, std::string line);

    Out& out_;
    Page page_;
    std::vector<Column> columns_;
    Form form_;
    std::string_view gap_;
    std::vector<std::size_t> natural_;  // widths without a page
    std::vector<std::size_t> widths_;
    std::vector<Row> held_;
    bool begun_ = false;
    bool as_blocks_ = false;
    bool any_block_ = false;
};

}  // namespace ckpt_lease::render
