// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "ckpt-lease/lease/snapshot.hpp"
#include "render/form.hpp"
#include "render/out.hpp"

namespace ckpt_lease::render {

/// Prints how the leases of two snapshots differ: as text, nothing if they are the same. Returns
/// whether they differ.
bool print_diff(Out& out, const Form& form, const Snapshot& a, const Snapshot& b);

}  // namespace ckpt_lease::render
