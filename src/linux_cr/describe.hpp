// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ckpt-lease/linux_cr/layout.hpp"
#include "linux_cr/walker.hpp"

namespace ckpt_lease::linux_cr {

/// One field of a record, in numbers and, where a number has a name, in words.
struct Fact {
    std::string_view name;  ///< as the kernel's struct names the field
    std::uint64_t value = 0;
    bool is_signed = false;
    std::string meaning;  ///< "F_UNLCK|F_INPROGRESS"; empty where the number says it all

    [[nodiscard]] std::int64_t signed_value() const noexcept {
        return static_cast<std::int64_t>(value);
    }
};

/// What is known of one record.
struct RecordFacts {
    std::string name;  ///< of its type; "type N" for those that no list knows
    std::vector<Fact> facts;
    bool is_text = false;
    std::string text;  ///< the payload of a STRING or FILE_NAME up to its NUL: bytes
};

/// Decodes the record that `walker` stands at. Fields beyond the record's end are left out.
[[nodiscard]] RecordFacts describe_record(Walker& walker, const Layout& layout);

}  // namespace ckpt_lease::linux_cr
