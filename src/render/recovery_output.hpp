// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "render/out.hpp"

namespace ckpt_lease {

/// What 'recover' and 'undo' found and did with one image.
struct Recovery {
    std::string image;
    bool put_back = false;    ///< the old bytes; otherwise there was nothing to do
    std::uint64_t edits = 0;  ///< of the change that was taken back
};

/// What 'recover' prints: begin(), all images in their order, end().
class RecoverOutput {
 public:
    RecoverOutput() = default;
    RecoverOutput(const RecoverOutput&) = delete;
    RecoverOutput& operator=(const RecoverOutput&) = delete;
    virtual ~RecoverOutput() = default;

    virtual void begin() {}
    virtual void image(const Recovery& recovery) = 0;
    virtual void failed(const std::string& image, const std::string& message) = 0;
    virtual void end() {}
};

[[nodiscard]] std::unique_ptr<RecoverOutput> make_recover_text(Out& out);
/// As schemas/recover.json says.
[[nodiscard]] std::unique_ptr<RecoverOutput> make_recover_json(Out& out);

/// What 'undo' prints.
void print_undo_text(Out& out, const Recovery& recovery);
/// As schemas/undo.json says.
void print_undo_json(Out& out, const std::string& undo_file, const Recovery& recovery);

}  // namespace ckpt_lease
