// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <vector>

#include "ckpt-lease/linux_cr/layout.hpp"
#include "render/out.hpp"
#include "render/table.hpp"

namespace ckpt_lease {

/// What 'layouts' prints, in its two forms.
void print_layouts_table(Out& out, Page page, const std::vector<linux_cr::BuiltInLayout>& layouts);
/// As schemas/layouts.json says.
void print_layouts_json(Out& out, const std::vector<linux_cr::BuiltInLayout>& layouts);

}  // namespace ckpt_lease
