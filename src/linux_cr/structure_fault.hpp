// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string_view>

#include "ckpt-lease/base/problem.hpp"

namespace ckpt_lease::linux_cr {

// What is said of records that no kernel can have written so.
constexpr auto kStructure = Problem::Severity::structure;
constexpr std::string_view kDamaged = "the image is damaged; copy it again";

}  // namespace ckpt_lease::linux_cr
