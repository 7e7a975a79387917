// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <vector>

#include "ckpt-lease/linux_cr/layout.hpp"
#include "render/form.hpp"
#include "render/out.hpp"

namespace ckpt_lease::render {

/// What 'layouts' prints.
void print_layouts(Out& out, const Form& form, const std::vector<linux_cr::BuiltInLayout>& layouts);

}  // namespace ckpt_lease::render
