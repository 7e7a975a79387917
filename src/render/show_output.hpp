// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <memory>
#include <string>

#include "ckpt-lease/criu/checkpoint.hpp"
#include "ckpt-lease/lease/filter.hpp"
#include "ckpt-lease/linux_cr/image.hpp"
#include "render/out.hpp"
#include "render/table.hpp"

namespace ckpt_lease {

/// One image to be shown, damaged or not.
struct ShownImage {
    const std::string& name;
    const std::string& layout;
    const linux_cr::Image& image;
    const Filter& filter;
    /// Of live processes: who waits for the leases on each file, by FileId.
    const std::vector<std::vector<Task>>* breakers = nullptr;
    /// Of a checkpoint that CRIU took: what it says of itself, instead of the image's facts.
    const criu::CheckpointFacts* checkpoint = nullptr;
};

/// What 'show' prints, in one of its forms.
class ShowOutput {
 public:
    ShowOutput() = default;
    ShowOutput(const ShowOutput&) = delete;
    ShowOutput& operator=(const ShowOutput&) = delete;
    virtual ~ShowOutput() = default;

    virtual void begin() {}
    /// Returns whether anything in the image matched its filter.
    virtual bool image(const ShownImage& shown) = 0;
    virtual void end() {}
};

/// `all`: locks that are no leases are shown too.
[[nodiscard]] std::unique_ptr<ShowOutput> make_show_table(Out& out, Page page, bool all);
/// As schemas/show.json says.
[[nodiscard]] std::unique_ptr<ShowOutput> make_show_json(Out& out, bool all);

}  // namespace ckpt_lease
