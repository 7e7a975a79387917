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

    void begin_image(const std::string& name);
    /// `changed`: the record gets other bytes, which may mean the same.
    void lease(const Lock& before, const LeaseState& after, bool changed,
               const Ownership& ownership);
    void end_image(const Counts& counts);
    /// Instead of all that is said of an image: nothing was written.
    void fail_image(const std::string& name, const std::string& error);

 private:
    bool dry_run_;
    std::string name_;
};

}  // namespace ckpt_lease::render
