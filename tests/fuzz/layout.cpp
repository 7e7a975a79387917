// SPDX-License-Identifier: GPL-2.0-or-later
// A file for --layout and, behind a NUL, bytes that are read with it as a record and as an image.
#include "ckpt-lease/linux_cr/layout.hpp"

#include <optional>

#include "fuzz/lock_checks.hpp"
#include "linux_cr/image.hpp"

namespace fuzz {
namespace {

using namespace ckpt_lease;
using namespace ckpt_lease::linux_cr;

std::optional<Layout> parse(std::string_view json) {
    try {
        return parse_layout("layout", json);
    } catch (const Error& error) {
        require(error.kind() == Error::Kind::refused, "a layout is refused, not damaged");
        require(!to_string(error.problem()).empty(), "an error says what it is");
        return std::nullopt;
    }
}

void check_layout(const Layout& layout) {
    std::size_t end = kRecordHeader;
    for (const Field& field : layout.fields()) {
        require(field.offset >= end && field.end() <= layout.length,
                "fields stand in the record, and not in one another");
        end = field.end();
    }
    const RecordLimits limits = layout.limits();
    require(limits.most.count() >= 0 && limits.resolution.count() >= 1, "limits can be met");
    if (layout.no_deadline) {
        require(*layout.no_deadline > 0 && *layout.no_deadline <= max_value(layout.fl_rem_lease),
                "the value for no deadline can be written");
    }
    require(!layout.name.empty(), "a layout has a name");
}

}  // namespace
}  // namespace fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fuzz;
    const Bytes input = as_bytes(data, size);
    const std::string_view text = as_text(input);
    const std::string_view json = text.substr(0, text.find('\0'));
    const std::optional<Layout> layout = parse(json);
    if (!layout) {
        return 0;
    }
    check_layout(*layout);
    const Bytes rest = input.subspan(std::min(size, json.size() + 1));
    std::vector<std::byte> record(rest.begin(), rest.end());
    record.resize(layout->length);
    for (const ByteOrder order : {ByteOrder::little, ByteOrder::big}) {
        Numbers numbers(rest);
        check_lock_record(*layout, order, record, numbers);
    }
    io::MemorySource source(std::string(kName), rest);
    verify(source, *layout, [](const Problem& problem) {
        require(!to_string(problem).empty(), "a problem says what it is");
    });
    return 0;
}
