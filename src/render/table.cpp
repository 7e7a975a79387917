// SPDX-License-Identifier: GPL-2.0-or-later
#include "render/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "ckpt-lease/base/text.hpp"

namespace ckpt_lease::render {
namespace {

constexpr std::string_view kGap = "  ";
constexpr std::string_view kNarrowGap = " ";
constexpr std::size_t kLeastWrapped = 12;

// What of `text` goes into one line of a column: up to a space, a slash or a comma if need be.
std::string_view take_line(std::string_view text, std::size_t width) {
    const std::string_view fitting = text.substr(0, prefix_that_fits(text, width));
    if (fitting.size() == text.size()) {
        return text;
    }
    const std::size_t good_end = fitting.find_last_of(" /,");
    return good_end == std::string_view::npos ? fitting : fitting.substr(0, good_end + 1);
}

// A cell, as escape() returns it, with each of `characters` as \xNN; and so are backslashes: two of
// them are one in what a shell reads, and that could be the beginning of what was escaped.
std::string escaped(std::string_view text, std::string_view characters) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool is_backslash = text.substr(i).starts_with("\\\\");
        if (is_backslash || characters.find(text[i]) != std::string_view::npos) {
            result += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[i]));
            i += is_backslash ? 1 : 0;
        } else {
            result += text[i];
        }
    }
    return result;
}

std::string_view style_code(Table::Style style) {
    switch (style) {
        case Table::Style::important:
            return "\x1b[1m";
        case Table::Style::aside:
            return "\x1b[2m";
        case Table::Style::plain:
            break;
    }
    return {};
}

}  // namespace

Table::Table(Out& out, Page page, std::vector<Column> columns, Form form)
    : out_(out), page_(page), columns_(std::move(columns)), form_(form) {}

void Table::add(std::vector<std::string> cells, Style style) {
    held_.push_back({std::move(cells), style});
    if (held_.size() >= kMeasured) {
        flush();
    }
}

void Table::finish() {
    const bool has_headings_anyway = form_.lines == Lines::raw && form_.headings && !begun_;
    if (!held_.empty() || has_headings_anyway) {
        flush();
    }
}

void Table::flush() {
    set_widths();
    if (!std::exchange(begun_, true)) {
        Row headings{{}, Style::plain};
        for (const Column& column : columns_) {
            headings.cells.emplace_back(column.heading);
        }
        if (form_.headings && !as_blocks_ && form_.lines != Lines::pairs) {
            print(headings);
        }
    }
    for (const Row& row : held_) {
        print(row);
    }
    held_.clear();
}

// Columns are as wide as what they hold. If that is too much for the page, they move closer
// together, and those that may wrap share what is left.
void Table::set_widths() {
    std::size_t fixed = form_.indent.size();
    std::size_t natural = form_.indent.size();
    std::vector<std::size_t> wrapped;
    natural_.resize(columns_.size());
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        std::size_t& width = natural_[i];
        width = std::max(width, form_.headings ? columns_[i].heading.size() : 0);
        for (const Row& row : held_) {
            width = std::max(width, i < row.cells.size() ? display_width(row.cells[i]) : 0);
        }
        natural += width;
        if (columns_[i].kind == Kind::wrapped) {
            wrapped.push_back(i);
        } else {
            fixed += width;
        }
    }
    widths_ = natural_;
    const std::size_t gaps = columns_.size() - 1;
    gap_ = natural + gaps * kGap.size() <= page_.width ? kGap : kNarrowGap;
    fixed += gaps * gap_.size();
    // Narrow ones first: what they leave over goes to the wide ones.
    std::sort(wrapped.begin(), wrapped.end(),
              [&](std::size_t a, std::size_t b) { return widths_[a] < widths_[b]; });
    std::size_t left = page_.width > fixed ? page_.width - fixed : 0;
    for (std::size_t i = 0; i < wrapped.size(); ++i) {
        const std::size_t share = std::max(left / (wrapped.size() - i), kLeastWrapped);
        std::size_t& width = widths_[wrapped[i]];
        width = std::min(width, share);
        left -= std::min(left, width);
        fixed += width;
    }
    as_blocks_ = as_blocks_ || fixed > page_.width;
}

void Table::print_line(const Row& row, std::string line) {
    const std::string_view style = page_.colour ? style_code(row.style) : std::string_view();
    line.erase(line.find_last_not_of(' ') + 1);
    out_.print("{}{}{}\n", style, line, style.empty() ? "" : "\x1b[0m");
}

void Table::print_block(const Row& row) {
    std::size_t most = 0;
    for (const Column& column : columns_) {
        most = std::max(most, column.heading.size());
    }
    const std::size_t before = form_.indent.size() + most + kGap.size();
    const std::size_t width =
        page_.width > before + kLeastWrapped ? page_.width - before : kLeastWrapped;
    out_.write(std::exchange(any_block_, true) ? "\n" : "");
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
        std::string_view rest = row.cells[i];
        std::string_view heading = columns_[i].heading;
        do {
            const std::string_view cell =
                columns_[i].kind == Kind::wrapped ? take_line(rest, width) : rest;
            rest.remove_prefix(cell.size());
            print_line(row, fmt::format("{}{:<{}}{}{}", form_.indent, heading, most, kGap, cell));
            heading = {};
        } while (!rest.empty());
    }
}

// A cell is printable text already: what is left are the characters that mean something here.
void Table::print_raw(const Row& row) {
    std::string line;
    for (const std::string& cell : row.cells) {
        line += line.empty() ? "" : " ";
        line += cell.empty() ? "-" : escaped(cell, " ");
    }
    out_.print("{}\n", line);
}

void Table::print_pairs(const Row& row) {
    std::string line;
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
        line += fmt::format("{}{}=\"{}\"", i == 0 ? "" : " ", columns_[i].heading,
                            escaped(row.cells[i], "\"$`"));
    }
    out_.print("{}\n", line);
}

void Table::print(const Row& row) {
    if (form_.lines == Lines::raw) {
        print_raw(row);
    } else if (form_.lines == Lines::pairs) {
        print_pairs(row);
    } else if (as_blocks_) {
        print_block(row);
    } else {
        print_aligned(row);
    }
}

void Table::print_aligned(const Row& row) {
    std::vector<std::string_view> rest(row.cells.begin(), row.cells.end());
    rest.resize(columns_.size());
    do {
        std::string line(form_.indent);
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            const bool wraps = columns_[i].kind == Kind::wrapped;
            const std::string_view cell = wraps ? take_line(rest[i], widths_[i]) : rest[i];
            rest[i].remove_prefix(cell.size());
            const std::size_t width = display_width(cell);
            const std::string padding(widths_[i] > width ? widths_[i] - width : 0, ' ');
            line += i == 0 ? std::string_view() : gap_;
            line += columns_[i].kind == Kind::right ? padding : std::string();
            line += cell;
            line += columns_[i].kind == Kind::right ? std::string() : padding;
        }
        print_line(row, std::move(line));
    } while (std::any_of(rest.begin(), rest.end(), [](auto cell) { return !cell.empty(); }));
}

}  // namespace ckpt_lease::render
