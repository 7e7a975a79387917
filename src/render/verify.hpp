// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>

#include "ckpt-lease/base/problem.hpp"
#include "render/report.hpp"

namespace ckpt_lease::render {

/// What 'verify' prints of each image: begin_image(), problems as they are found, for a hostile
/// image may have millions, end_image() or fail_image(); and, after all, end().
class VerifyReport final : public Report {
 public:
    VerifyReport(Out& out, const Form& form);

    void begin_image(const std::string& name);
    void problem(const Problem& problem);
    /// `records`: how many the image has.
    void end_image(const Name& name, std::uint64_t records, bool sound);
    /// Instead of end_image(): the file could not be read.
    void fail_image(const Problem& problem, const std::string& text);

 private:
    std::string name_;
};

}  // namespace ckpt_lease::render
