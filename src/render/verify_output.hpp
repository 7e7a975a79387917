// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <memory>
#include <string>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/linux_cr/image.hpp"
#include "render/out.hpp"

namespace ckpt_lease {

/// What 'verify' prints, in one of its forms. Problems are printed as they are found: a hostile
/// image may have millions.
class VerifyOutput {
 public:
    VerifyOutput() = default;
    VerifyOutput(const VerifyOutput&) = delete;
    VerifyOutput& operator=(const VerifyOutput&) = delete;
    virtual ~VerifyOutput() = default;

    virtual void begin() {}
    virtual void begin_image(const std::string& /*name*/) {}
    virtual void problem(const Problem& problem) = 0;
    virtual void end_image(const std::string& name, const linux_cr::ImageFacts& facts,
                           bool sound) = 0;
    /// Instead of end_image(): the file could not be read.
    virtual void fail_image(const std::string& /*error*/) {}
    virtual void end() {}
};

[[nodiscard]] std::unique_ptr<VerifyOutput> make_verify_text(Out& out);
/// As schemas/verify.json says.
[[nodiscard]] std::unique_ptr<VerifyOutput> make_verify_json(Out& out);

}  // namespace ckpt_lease
