// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace ckpt_lease {

/// What a JSON document has that its schema does not allow.
struct JsonFault {
    std::string pointer;  ///< to the value; of a member that must not be there, to that member
    std::string message;
    std::string hint;
};

/// The first fault of `document`, in sentences: a validator says what rule of the schema was
/// broken, in words of its own that change with its version. Knows what the schemas of rules and
/// layouts use. Nothing if it finds none.
[[nodiscard]] std::optional<JsonFault> find_fault(const nlohmann::json& document,
                                                  const nlohmann::json& schema);

}  // namespace ckpt_lease
