// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <memory>
#include <string>

#include "ckpt-lease/lease/lock_list.hpp"
#include "render/out.hpp"
#include "render/table.hpp"

namespace ckpt_lease {

/// One of the two images that are compared.
struct ComparedImage {
    const std::string& name;
    const LockList& locks;
};

/// What 'diff' prints, in one of its forms.
class DiffOutput {
 public:
    DiffOutput() = default;
    DiffOutput(const DiffOutput&) = delete;
    DiffOutput& operator=(const DiffOutput&) = delete;
    virtual ~DiffOutput() = default;

    /// Returns whether the leases differ.
    virtual bool print(const ComparedImage& a, const ComparedImage& b) = 0;
};

/// Prints nothing if the leases are the same.
[[nodiscard]] std::unique_ptr<DiffOutput> make_diff_table(Out& out, Page page);
/// As schemas/diff.json says.
[[nodiscard]] std::unique_ptr<DiffOutput> make_diff_json(Out& out);

}  // namespace ckpt_lease
