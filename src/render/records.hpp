// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "ckpt-lease/base/problem.hpp"
#include "linux_cr/describe.hpp"
#include "render/report.hpp"

namespace ckpt_lease::render {

/// What 'records' prints: the records as they come, break_off() if they end too early, and end().
class RecordsReport final : public Report {
 public:
    /// `name`: of the image.
    RecordsReport(Out& out, const Form& form, const std::string& name);

    void record(const linux_cr::Record& record, const linux_cr::RecordFacts& facts);
    /// `broken`: what ended the walk before the image did.
    void break_off(const Problem& broken);
};

}  // namespace ckpt_lease::render
