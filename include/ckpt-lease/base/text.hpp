// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "ckpt-lease/base/api.hpp"

namespace ckpt_lease {

/// Paths and command names are bytes; these functions make text of them that is safe to show.

/// `bytes` with everything that could act on a terminal, mislead the reader or is not UTF-8 written
/// as C escapes: control and format characters (\t, \n, \x1b, \u202e), bytes that are not UTF-8
/// (\xff), and the backslash itself (\\), so that the result can be read back without doubt.
[[nodiscard]] CKPT_LEASE_API std::string escape(std::string_view bytes);

/// The same for a whole message, in which names stand: the backslash, which escape() may have put
/// there, stays what it is. Whatever is written for people to read goes through this last.
[[nodiscard]] std::string printable(std::string_view text);

/// `utf8` as it stands between the quotes of a JSON string. What escape() would escape is \u202e
/// there: the same text for whoever parses it, and none that a terminal acts on.
[[nodiscard]] std::string escape_for_json(std::string_view utf8);

/// How many terminal columns `text` takes. It must be printable, as escape() returns it.
[[nodiscard]] std::size_t display_width(std::string_view text);

/// The longest prefix of `text` that fits into `columns`, at least one character, in bytes.
[[nodiscard]] std::size_t prefix_that_fits(std::string_view text, std::size_t columns);

/// The first `characters` (code points) of `text`, and "..." where there are more: for texts of any
/// length in a message.
[[nodiscard]] std::string excerpt(std::string_view text, std::size_t characters = 64);

[[nodiscard]] bool is_utf8(std::string_view bytes);

/// `bytes` with each byte that is not part of valid UTF-8 replaced by U+FFFD.
[[nodiscard]] std::string to_utf8(std::string_view bytes);

/// Lower-case hexadecimal digits, two a byte.
[[nodiscard]] std::string to_hex(std::string_view bytes);

}  // namespace ckpt_lease
