// SPDX-License-Identifier: GPL-2.0-or-later
#include "ckpt-lease/base/text.hpp"

#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>
#include <iterator>

namespace ckpt_lease {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

struct Character {
    utf8proc_int32_t code_point = -1;  // -1: not UTF-8
    std::size_t length = 1;            // bytes
};

Character first_character(std::string_view text) {
    Character c;
    const auto length = utf8proc_iterate(
        reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
        static_cast<utf8proc_ssize_t>(std::min<std::size_t>(text.size(), 4)), &c.code_point);
    if (length > 0) {
        c.length = static_cast<std::size_t>(length);
    } else {
        c.code_point = -1;
    }
    return c;
}

template <typename Visit>
void for_each_character(std::string_view text, Visit visit) {
    while (!text.empty()) {
        const Character c = first_character(text);
        visit(c, text.substr(0, c.length));
        text.remove_prefix(c.length);
    }
}

// Most texts are nothing but this, and it needs no table of Unicode to know.
bool is_printable_ascii(std::string_view text) {
    // Without leaving early, so that compilers look at 16 at a time.
    bool printable = true;
    for (const char c : text) {
        printable &=
            static_cast<bool>(static_cast<unsigned>(c >= ' ') & static_cast<unsigned>(c <= '~'));
    }
    return printable;
}

bool is_printable(utf8proc_int32_t code_point) {
    switch (utf8proc_category(code_point)) {
        case UTF8PROC_CATEGORY_CC:  // control
        case UTF8PROC_CATEGORY_CF:  // format: direction overrides, zero width joiners
        case UTF8PROC_CATEGORY_CS:  // surrogates
        case UTF8PROC_CATEGORY_CO:  // private use
        case UTF8PROC_CATEGORY_CN:  // unassigned
        case UTF8PROC_CATEGORY_ZL:  // line separator
        case UTF8PROC_CATEGORY_ZP:  // paragraph separator
            return false;
        default:
            return true;
    }
}

void append_escaped(std::string& out, utf8proc_int32_t code_point) {
    switch (code_point) {
        case '\t':
            out += "\\t";
            return;
        case '\n':
            out += "\\n";
            return;
        case '\r':
            out += "\\r";
            return;
        default:
            break;
    }
    if (code_point < 0x80) {
        fmt::format_to(std::back_inserter(out), "\\x{:02x}", code_point);
    } else if (code_point < 0x10000) {
        fmt::format_to(std::back_inserter(out), "\\u{:04x}", code_point);
    } else {
        fmt::format_to(std::back_inserter(out), "\\U{:08x}", code_point);
    }
}

// `with_backslash`: the backslash is escaped as well.
std::string escaped(std::string_view bytes, bool with_backslash) {
    if (is_printable_ascii(bytes) &&
        (!with_backslash || bytes.find('\\') == std::string_view::npos)) {
        return std::string(bytes);
    }
    std::string out;
    out.reserve(bytes.size());
    for_each_character(bytes, [&](Character c, std::string_view raw) {
        if (c.code_point < 0) {
            fmt::format_to(std::back_inserter(out), "\\x{:02x}",
                           static_cast<unsigned char>(raw.front()));
        } else if (c.code_point == '\\' && with_backslash) {
            out += "\\\\";
        } else if (is_printable(c.code_point)) {
            out += raw;
        } else {
            append_escaped(out, c.code_point);
        }
    });
    return out;
}

}  // namespace

std::string escape(std::string_view bytes) {
    return escaped(bytes, true);
}

std::string printable(std::string_view text) {
    return escaped(text, false);
}

std::string escape_for_json(std::string_view utf8) {
    std::string out;
    out.reserve(utf8.size());
    for_each_character(utf8, [&](Character c, std::string_view raw) {
        if (c.code_point == '"' || c.code_point == '\\') {
            out += '\\';
            out += raw;
        } else if (c.code_point < 0) {
            out += kReplacement;
        } else if (is_printable(c.code_point)) {
            out += raw;
        } else if (c.code_point < 0x10000) {
            fmt::format_to(std::back_inserter(out), "\\u{:04x}", c.code_point);
        } else {  // UTF-16, as RFC 8259 wants it
            const auto rest = static_cast<unsigned>(c.code_point) - 0x10000U;
            fmt::format_to(std::back_inserter(out), "\\u{:04x}\\u{:04x}", 0xd800U + (rest >> 10U),
                           0xdc00U + (rest & 0x3ffU));
        }
    });
    return out;
}

std::size_t display_width(std::string_view text) {
    if (is_printable_ascii(text)) {
        return text.size();
    }
    std::size_t width = 0;
    for_each_character(text, [&](Character c, std::string_view) {
        width += c.code_point < 0
                     ? 1
                     : static_cast<std::size_t>(std::max(utf8proc_charwidth(c.code_point), 0));
    });
    return width;
}

std::size_t prefix_that_fits(std::string_view text, std::size_t columns) {
    if (text.size() <= columns && is_printable_ascii(text)) {
        return text.size();
    }
    std::size_t bytes = 0;
    std::size_t width = 0;
    while (bytes < text.size()) {
        const Character c = first_character(text.substr(bytes));
        const std::string_view raw = text.substr(bytes, c.length);
        width += display_width(raw);
        if (width > columns && bytes > 0) {
            break;
        }
        bytes += c.length;
    }
    return bytes;
}

std::string excerpt(std::string_view text, std::size_t characters) {
    std::size_t bytes = 0;
    for (; characters > 0 && bytes < text.size(); --characters) {
        bytes += first_character(text.substr(bytes)).length;
    }
    return std::string(text.substr(0, bytes)) + (bytes < text.size() ? "..." : "");
}

bool is_utf8(std::string_view bytes) {
    if (is_printable_ascii(bytes)) {
        return true;
    }
    bool valid = true;
    for_each_character(bytes, [&](Character c, std::string_view) { valid &= c.code_point >= 0; });
    return valid;
}

std::string to_utf8(std::string_view bytes) {
    std::string out;
    out.reserve(bytes.size());
    for_each_character(bytes, [&](Character c, std::string_view raw) {
        out += c.code_point < 0 ? kReplacement : raw;
    });
    return out;
}

std::string to_hex(std::string_view bytes) {
    std::string out;
    out.reserve(bytes.size() * 2);
    for (const char byte : bytes) {
        fmt::format_to(std::back_inserter(out), "{:02x}", static_cast<unsigned char>(byte));
    }
    return out;
}

}  // namespace ckpt_lease
