// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "live/apply.hpp"
#include "live/target.hpp"
#include "render/form.hpp"
#include "render/out.hpp"

namespace ckpt_lease::render {

/// What 'apply' did: the leases of an image, and what became of those that a process was found for.
struct Applied {
    std::string image;
    bool dry_run = false;
    live::Targets targets;
    std::vector<live::AppliedLease> results;  ///< in the order of targets.wanted
};

void print_applied(Out& out, const Form& form, const Applied& applied);

/// True if every lease is set, or would be.
[[nodiscard]] bool is_all_set(const Applied& applied);

}  // namespace ckpt_lease::render
