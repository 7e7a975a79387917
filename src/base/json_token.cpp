// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/json_token.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "base/nearest.hpp"
#include "ckpt-lease/base/text.hpp"

namespace ckpt_lease {
namespace {

// To the quote that is not behind a backslash; without one, to the end of the line.
std::size_t length_of_text(std::string_view text, char quote) {
    for (std::size_t i = 1; i < text.size() && text[i] != '\n'; ++i) {
        if (text[i] == quote) {
            return i + 1;
        }
        i += text[i] == '\\' && i + 1 < text.size() && text[i + 1] != '\n' ? 1 : 0;
    }
    return std::min(text.find('\n'), text.size());
}

std::string lower_case(std::string_view word) {
    std::string lower(word);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return lower;
}

// The quote that a text begins with that has other ones than JSON has. Empty: none.
std::string_view foreign_quote(std::string_view word) {
    for (const std::string_view quote : {"'", "`", "\xe2\x80\x98", "\xe2\x80\x99", "\xe2\x80\x9c",
                                         "\xe2\x80\x9d", "\xe2\x80\x9e", "\xc2\xab"}) {
        if (word.starts_with(quote)) {
            return quote;
        }
    }
    return {};
}

}  // namespace

Token token_from(std::string_view text, std::size_t from) {
    const std::size_t offset = std::min(text.find_first_not_of(" \t\r\n", from), text.size());
    const std::string_view rest = text.substr(offset);
    const auto token = [&](Token::Kind kind, std::size_t length) {
        return Token{kind, offset, rest.substr(0, length)};
    };
    if (rest.empty()) {
        return token(Token::Kind::end, 0);
    }
    const char first = rest.front();
    if (std::string_view("{}[],:").find(first) != std::string_view::npos) {
        return token(Token::Kind::mark, 1);
    }
    if (first == '"') {
        return token(Token::Kind::text, length_of_text(rest, first));
    }
    if (first == '\'' || first == '`') {
        return token(Token::Kind::word, length_of_text(rest, first));
    }
    if (first == '#' || rest.starts_with("//") || rest.starts_with("/*")) {
        return token(Token::Kind::comment, 1);
    }
    return token(Token::Kind::word, std::min(rest.find_first_of("{}[],:\" \t\r\n"), rest.size()));
}

std::optional<SyntaxFault> fault_in_text(const Token& token) {
    const std::string_view bytes = token.bytes;
    const auto at = [&](std::size_t i, std::string message, std::string hint) {
        return SyntaxFault{token.offset + i, std::move(message), std::move(hint)};
    };
    if (bytes.size() < 2 || bytes.back() != '"' || length_of_text(bytes, '"') != bytes.size()) {
        return at(0, "the text that begins here has no closing quote on its line",
                  R"(close it with "; a line break in a text is written \n)");
    }
    for (std::size_t i = 1; i + 1 < bytes.size(); ++i) {
        if (bytes[i] == '\t') {
            return at(i, "here is a tab in a text", R"(write it as \t)");
        }
        if (static_cast<unsigned char>(bytes[i]) < 0x20) {
            return at(i, "here is a control character in a text",
                      fmt::format("write it as \\u{:04x}", bytes[i]));
        }
        if (bytes[i] != '\\') {
            continue;
        }
        if (std::string_view(R"("\/bfnrtu)").find(bytes[i + 1]) == std::string_view::npos) {
            return at(i, "here is a backslash that JSON gives no meaning to",
                      R"(a backslash itself is written \\)");
        }
        const std::string_view digits = bytes.substr(i + 2, 4);
        if (bytes[i + 1] == 'u' &&
            (digits.size() < 4 ||
             digits.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos)) {
            return at(i, R"(behind \u have to stand four hexadecimal digits)", R"(like \u00e9)");
        }
        ++i;
    }
    if (!nlohmann::json::accept(bytes)) {
        return at(0, R"(in this text a \u stands for half a character)",
                  R"(those from \ud800 to \udfff come in pairs, like \ud83d\ude00)");
    }
    return {};
}

std::optional<SyntaxFault> fault_of_spelling(const Token& word) {
    if (word.bytes.starts_with("\xc2\xa0")) {
        return SyntaxFault{word.offset, "here is a no-break space, which JSON does not know",
                           "put an ordinary space there"};
    }
    const std::string_view quote = foreign_quote(word.bytes);
    if (quote.empty()) {
        return {};
    }
    std::string_view text = word.bytes.substr(quote.size());
    text.remove_suffix(quote.size() == 1 && text.ends_with(quote) ? 1 : text.size());
    return SyntaxFault{word.offset,
                       fmt::format("{} begins no text: JSON has double quotes only", quote),
                       fmt::format("write it like \"{}\"", text.empty() ? "text" : excerpt(text))};
}

SyntaxFault fault_of_value(const Token& word) {
    const std::string_view bytes = word.bytes;
    const std::string shown = excerpt(bytes);
    constexpr std::string_view kDigits = "0123456789";
    const bool begins_number =
        kDigits.find(bytes.front()) != std::string_view::npos ||
        (bytes.size() > 1 &&
         (bytes.front() == '+' || bytes.front() == '-' ||
          (bytes.front() == '.' && kDigits.find(bytes[1]) != std::string_view::npos)));
    if (begins_number) {
        return {word.offset, fmt::format("'{}' is no number as JSON has it", shown),
                "write a number like 90, -1.5 or 1e3, and a text, as one with a unit, like "
                "\"90s\""};
    }
    const std::string hint = did_you_mean(lower_case(bytes), {"true", "false", "null"});
    return {word.offset, fmt::format("'{}' is no value of JSON", shown),
            hint.empty() ? "write true, false or null, and texts in double quotes" : hint};
}

}  // namespace ckpt_lease
