// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>

#include "render/report.hpp"

namespace ckpt_lease::render {

/// What 'recover' and 'undo' found and did with one image.
struct Recovery {
    std::string image;
    bool put_back = false;    ///< the old bytes; otherwise there was nothing to do
    std::uint64_t edits = 0;  ///< of the change that was taken back
};

/// What 'recover' prints: all images in their order, and end().
class RecoverReport final : public Report {
 public:
    RecoverReport(Out& out, const Form& form);

    void image(const Recovery& recovery);
    void fail_image(const std::string& image, const Problem& problem, const std::string& text);
};

/// What 'undo' prints.
void print_undo(Out& out, const Form& form, const std::string& undo_file, const Recovery& recovery);

}  // namespace ckpt_lease::render
