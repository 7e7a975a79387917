// SPDX-License-Identifier: GPL-2.0-or-later
//
// The parser finds the mistake. From the token where it has stopped, and the one before, this
// guesses what has been forgotten or written too much.
#include "base/json_syntax.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/json_place.hpp"
#include "base/nearest.hpp"
#include "ckpt-lease/base/text.hpp"

namespace ckpt_lease {
namespace {

struct Token {
    std::size_t offset = 0;
    std::string_view bytes;  // empty: there is no token

    // Whether it begins with one of `characters`.
    [[nodiscard]] bool is(std::string_view characters) const {
        return !bytes.empty() && characters.find(bytes.front()) != std::string_view::npos;
    }
    // A number, true, false, null, or what people write in their place.
    [[nodiscard]] bool is_word() const { return !bytes.empty() && !is("{}[],:\""); }
    [[nodiscard]] bool is_right() const { return is("{}[],:") || nlohmann::json::accept(bytes); }
    [[nodiscard]] std::size_t end() const { return offset + bytes.size(); }
};

Token token_from(std::string_view text, std::size_t from) {
    const std::size_t begin = std::min(text.find_first_not_of(" \t\r\n", from), text.size());
    Token token{begin, text.substr(begin)};
    std::size_t length = 1;
    if (token.is("\"")) {
        while (length < token.bytes.size() && token.bytes[length] != '"') {
            length += token.bytes[length] == '\\' ? 2 : 1;
        }
        ++length;
    } else if (token.is_word()) {
        length = token.bytes.find_first_of("{}[],:\" \t\r\n");
    }
    token.bytes = token.bytes.substr(0, length);
    return token;
}

// The token before the one at `offset`, and that. Where a token is not complete, the parser has
// stopped behind it.
std::pair<Token, Token> tokens_at(std::string_view text, std::size_t offset) {
    Token before;
    Token token = token_from(text, byte_order_mark(text));
    while (!token.bytes.empty() &&
           (token.end() < offset || (token.end() == offset && token.is_right()))) {
        before = std::exchange(token, token_from(text, token.end()));
    }
    return {before, token};
}

SyntaxFault fault_of_value(const Token& word) {
    const std::string hint = did_you_mean(word.bytes, {"true", "false", "null"});
    return {word.offset, fmt::format("'{}' is no value of JSON", excerpt(word.bytes)),
            hint.empty() ? R"(write a number like -1.5, a text like "90s", or true, false or null)"
                         : hint};
}

}  // namespace

SyntaxFault explain_syntax(std::string_view text, std::size_t found) {
    const auto [before, token] = tokens_at(text, found);
    const std::string_view rest = text.substr(token.offset);
    const bool is_first = before.bytes.empty();
    const auto at = [](const Token& where, std::string message, std::string hint = {}) {
        return SyntaxFault{where.offset, std::move(message), std::move(hint)};
    };
    if (rest.empty()) {
        return is_first ? at({}, text.empty() ? "the file is empty"
                                              : "there is nothing but white space in the file")
                        : at(token, "the file ends here, before all brackets are closed",
                             "is the end of the file missing?");
    }
    if (rest.starts_with("//") || rest.starts_with("/*") || rest.starts_with('#')) {
        return at(token, "JSON has no comments",
                  R"(the whole document may have one member "$comment")");
    }
    for (const std::string_view quote : {"'", "`", "‘", "’", "“", "”", "„", "«"}) {
        if (rest.starts_with(quote)) {
            return at(token, "JSON has double quotes only", R"(write it like "text")");
        }
    }
    if (token.is("\"") && !token.is_right()) {
        return found >= text.size() || text[found] == '\n' || text[found] == '\r'
                   ? at(token, "the text that begins here has no closing quote on its line",
                        R"(close it with "; a line break in a text is written \n)")
                   : at({found, {}},
                        static_cast<unsigned char>(text[found]) < ' '
                            ? "here is a control character in a text"
                            : "here is a wrong escape in a text",
                        R"(a tab is written \t, and a backslash \\)");
    }
    if (nlohmann::json::accept(text.substr(0, token.offset))) {
        return at(token, "the document has ended before this",
                  "one pair of brackets has to hold everything");
    }
    if ((before.is(",") && token.is("}]")) || (before.is("{[,") && token.is(","))) {
        return at(token.is(",") ? token : before, "this comma is one too many", "take it away");
    }
    if (!is_first && !before.is("{[,:") && !token.is("}],:")) {
        return at(
            token,
            fmt::format("a comma{} is missing before this", before.is("\"") ? " or a colon" : ""),
            R"(members are written "name": value, "name": value)");
    }
    const Token next = token_from(text, token.end());
    if (token.is_word() && (before.is("{") || (before.is(",") && next.is(":}")))) {
        return at(token, "the name of a member has to stand in double quotes",
                  fmt::format("write \"{}\"", excerpt(token.bytes)));
    }
    return token.is_word() && !is_first && !token.is_right()
               ? fault_of_value(token)
               : at(token, "from here on this is not JSON", "'jq . FILE' says more");
}

std::size_t token_begin(std::string_view text, std::size_t offset) {
    return tokens_at(text, offset).second.offset;
}

}  // namespace ckpt_lease
