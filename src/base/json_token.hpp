// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/json_syntax.hpp"

namespace ckpt_lease {

/// What JSON is made of, and what people write in its place: a word is a number, true, false, null,
/// a text in other quotes, or anything else.
struct Token {
    enum class Kind : std::uint8_t { mark, text, word, comment, end };
    Kind kind = Kind::end;
    std::size_t offset = 0;
    std::string_view bytes;

    [[nodiscard]] bool is(char mark) const { return kind == Kind::mark && bytes.front() == mark; }
    [[nodiscard]] std::size_t end() const { return offset + bytes.size(); }
};

/// The token at `from` or behind it.
[[nodiscard]] Token token_from(std::string_view text, std::size_t from);

/// What is wrong between the quotes of `text`, or with them.
[[nodiscard]] std::optional<SyntaxFault> fault_in_text(const Token& text);

/// What is wrong with `word`, which is no value, wherever it stands; nothing if that is not known.
[[nodiscard]] std::optional<SyntaxFault> fault_of_spelling(const Token& word);

/// What is wrong with `word`, which is no value, where a value has to stand.
[[nodiscard]] SyntaxFault fault_of_value(const Token& word);

}  // namespace ckpt_lease
