// SPDX-License-Identifier: GPL-2.0-or-later
#include "fuzz/support.hpp"

#include <cstdio>
#include <cstdlib>

namespace fuzz {
namespace {

using ckpt_lease::ByteOrder;
using ckpt_lease::linux_cr::Layout;
using ckpt_lease::linux_cr::parse_layout;

bool replaying = false;

constexpr std::string_view kCounted = R"("list_end": { "file_locks":
    { "type": 309, "length": 16, "nr_locks": { "offset": 8, "type": "u32" } } })";

constexpr std::string_view kSeconds = R"({ "name": "seconds",
  "file_lock": { "type": 310, "length": 40, "fields": {
      "fl_start": { "offset": 8, "type": "s64" },
      "fl_end": { "offset": 16, "type": "s64" },
      "fl_rem_lease": { "offset": 24, "type": "u32" },
      "fl_flags": { "offset": 32, "type": "u32" },
      "fl_type": { "offset": 36, "type": "u8" },
      "fl_type_prev": { "offset": 37, "type": "u8" },
      "fl_break_notified": { "offset": 38, "type": "u8" } },
    "padding": [{ "offset": 28, "type": "u32" }], "no_deadline": null }, )";

constexpr std::string_view kNarrow = R"({ "name": "narrow",
  "file_lock": { "type": 310, "length": 40, "fields": {
      "fl_start": { "offset": 8, "type": "s32" },
      "fl_end": { "offset": 16, "type": "u16" },
      "fl_rem_lease": { "offset": 24, "type": "u16" },
      "fl_rem_lease_nsec": { "offset": 28, "type": "s32" },
      "fl_flags": { "offset": 32, "type": "u8" },
      "fl_type": { "offset": 36, "type": "u8" },
      "fl_type_prev": { "offset": 37, "type": "s8" },
      "fl_break_notified": { "offset": 38, "type": "u16" } },
    "no_deadline": 65535 }, )";

constexpr std::string_view kWide = R"({ "name": "wide",
  "file_lock": { "type": 310, "length": 40, "fields": {
      "fl_start": { "offset": 30, "type": "u8" },
      "fl_end": { "offset": 31, "type": "u8" },
      "fl_rem_lease": { "offset": 22, "type": "u64" },
      "fl_rem_lease_nsec": { "offset": 10, "type": "u64" },
      "fl_flags": { "offset": 32, "type": "u32" },
      "fl_type": { "offset": 36, "type": "u16" },
      "fl_type_prev": { "offset": 38, "type": "u8" },
      "fl_break_notified": { "offset": 39, "type": "u8" } },
    "no_deadline": 18446744073709551615 }, )";

constexpr std::string_view kMarked = R"({ "name": "marked",
  "file_lock": { "type": 310, "length": 40, "fields": {
      "fl_start": { "offset": 8, "type": "s64" },
      "fl_end": { "offset": 16, "type": "s64" },
      "fl_rem_lease": { "offset": 24, "type": "s32" },
      "fl_flags": { "offset": 32, "type": "s32" },
      "fl_type": { "offset": 36, "type": "s8" },
      "fl_type_prev": { "offset": 37, "type": "u8" },
      "fl_break_notified": { "offset": 38, "type": "s8" } } },
  "list_end": { "marker": { "fl_flags": -1, "fl_type": 2 } } })";

}  // namespace

void require(bool holds, const char* what) {
    if (!holds) {
        static_cast<void>(std::fprintf(stderr, "does not hold: %s\n", what));
        std::abort();
    }
}

void require_equal(std::string_view found, std::string_view expected, const char* what) {
    if (found != expected) {
        static_cast<void>(std::fprintf(stderr, "found:    %.*s\nexpected: %.*s\n",
                                       static_cast<int>(found.size()), found.data(),
                                       static_cast<int>(expected.size()), expected.data()));
        require(false, what);
    }
}

std::uint32_t checksum(Bytes bytes) {
    std::uint32_t sum = 2166136261;  // FNV-1a
    for (const std::byte byte : bytes) {
        sum = (sum ^ std::to_integer<std::uint32_t>(byte)) * 16777619;
    }
    return sum ^ (sum >> 16);
}

bool is_replay() {
    return replaying;
}

void set_replay() {
    replaying = true;
}

std::uint32_t read_u32(Bytes bytes, std::size_t at, ByteOrder order) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        const std::size_t place = order == ByteOrder::big ? at + i : at + 3 - i;
        value = value << 8 | std::to_integer<std::uint32_t>(bytes[place]);
    }
    return value;
}

void find_framing(Bytes image, Framing& into) {
    into.records.clear();
    into.whole = false;
    const bool little = image.size() >= 4 && read_u32(image, 0, ByteOrder::little) == 1;
    const bool big = image.size() >= 4 && read_u32(image, 0, ByteOrder::big) == 1;
    into.is_image = little || big;
    into.order = big ? ByteOrder::big : ByteOrder::little;
    std::uint64_t at = 0;
    while (into.is_image && image.size() - at >= 8) {
        const std::uint32_t type = read_u32(image, at, into.order);
        const std::uint32_t length = read_u32(image, at + 4, into.order);
        if (length < 8) {
            return;
        }
        into.records.push_back({at, type, length});
        if (length > image.size() - at) {
            return;
        }
        at += length;
    }
    into.whole = into.is_image && at == image.size();
}

const std::vector<Layout>& layouts() {
    static const std::vector<Layout> all = [] {
        const std::string end = std::string(kCounted) + "}";
        std::vector<Layout> found{ckpt_lease::linux_cr::default_layout()};
        for (const std::string_view counted : {kSeconds, kNarrow, kWide}) {
            found.push_back(parse_layout("layout", std::string(counted) + end));
        }
        found.push_back(parse_layout("layout", kMarked));
        return found;
    }();
    return all;
}

}  // namespace fuzz
