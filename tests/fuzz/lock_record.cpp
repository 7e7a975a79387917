// SPDX-License-Identifier: GPL-2.0-or-later
// FILE_LOCK records of any bytes under some layouts: a byte that chooses layout and byte order, 31
// that say what to write, and the record.
#include <algorithm>
#include <array>

#include "fuzz/lock_checks.hpp"

namespace fuzz {
namespace {

constexpr std::size_t kPrefix = 32;
constexpr std::size_t kLength = 40;

}  // namespace
}  // namespace fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fuzz;
    std::array<std::byte, kPrefix + kLength> bytes{};
    const Bytes input = as_bytes(data, std::min(size, bytes.size()));
    std::copy(input.begin(), input.end(), bytes.begin());
    Numbers numbers(Bytes(bytes).first(kPrefix));
    const std::uint64_t choice = numbers.take(1);
    const auto order =
        choice / 128 == 0 ? ckpt_lease::ByteOrder::little : ckpt_lease::ByteOrder::big;
    check_lock_record(layouts()[choice % 128 % layouts().size()], order,
                      Bytes(bytes).subspan(kPrefix), numbers);
    return 0;
}
