// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "ckpt-lease/lease/rules.hpp"
#include "render/report.hpp"

namespace ckpt_lease::render {

/// What 'edit' reports: begin_image(), the records before and after, end_image() or fail_image(),
/// and end().
class EditReport final : public Report {
 public:
    EditReport(Out& out, const Form& form, bool dry_run);

    void begin_image(const Name& name);
    /// `changed`: the record gets other bytes, which may mean the same.
    void lease(const Lock& before, const LeaseState& after, bool changed,
               const Ownership& ownership);
    void end_image(const Counts& counts);
    /// Instead of all that is said of an image: nothing was written.
    void fail_image(const Name& name, const Problem& problem, const std::string& text);

 private:
    bool dry_run_;
    Name name_;
};

}  // namespace ckpt_lease::render
