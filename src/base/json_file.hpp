// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "ckpt-lease/base/problem.hpp"

namespace ckpt_lease {

/// The text of a file of schemas/, such as "rules.json" or "layouts/lease-1.json". It is part of
/// the program: the installed one needs no file.
[[nodiscard]] std::string_view embedded_file(std::string_view name);

/// The names of all such files that begin with `prefix`, sorted.
[[nodiscard]] std::vector<std::string_view> embedded_files(std::string_view prefix);

/// The most bytes that a file of rules or of a layout may have.
inline constexpr std::size_t kMostJson = std::size_t{1024} * 1024;

/// A file that is as its schema wants it, for those who check what no schema can say.
struct JsonFile {
    std::string name;
    std::string_view text;  ///< the caller's
    nlohmann::json document;

    /// Of the value that `pointer` leads to, with its line and column.
    [[nodiscard]] Problem problem(const std::string& pointer, std::string message,
                                  std::string hint = {}) const;
    /// Throws it as Error(refused), with the code invalid_file.
    [[noreturn]] void fail(const std::string& pointer, std::string message,
                           std::string hint = {}) const;
};

/// Parses `text` and checks it against a JSON Schema of schemas/. Throws Error(refused), with the
/// code invalid_file, that names the file and the place in it: line and column (in characters, see
/// TextPlace), and a JSON pointer where it is JSON. Texts, levels and values are limited, so that
/// memory and time are.
[[nodiscard]] JsonFile parse_json(const std::string& name, std::string_view text,
                                  std::string_view schema);

}  // namespace ckpt_lease
