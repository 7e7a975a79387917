// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>

namespace fuzz {

/// Changes an image that stands behind `prefix` other bytes, for LLVMFuzzerCustomMutator(): returns
/// its new size, at most `most`.
std::size_t mutate_image(std::uint8_t* data, std::size_t size, std::size_t most, std::size_t prefix,
                         unsigned seed);

}  // namespace fuzz
