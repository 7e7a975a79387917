// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ckpt_lease {

/// Why a text is not JSON.
struct SyntaxFault {
    std::size_t offset = 0;  ///< where what is wrong begins, in bytes
    std::string message;
    std::string hint;  ///< empty if nothing is known that would help
};

/// What is wrong with `text`, in which a parser has found at `found` (an offset in bytes, or behind
/// the end) that it is not JSON. It knows common mistakes only.
[[nodiscard]] SyntaxFault explain_syntax(std::string_view text, std::size_t found);

/// Where the token begins that the byte at `offset` belongs to. Up to there `text` has to be JSON.
[[nodiscard]] std::size_t token_begin(std::string_view text, std::size_t offset);

}  // namespace ckpt_lease
