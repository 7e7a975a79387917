// SPDX-License-Identifier: GPL-2.0-or-later
#include "fuzz/image_mutator.hpp"

namespace {
constexpr std::size_t kPrefix = 16;  // as policy.cpp has it
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t most, unsigned seed) {
    return fuzz::mutate_image(data, size, most, kPrefix, seed);
}
