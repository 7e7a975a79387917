// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "render/report.hpp"

namespace ckpt_lease::render {

/// One thing on which it depends whether CRIU keeps leases here.
struct Check {
    enum class State : std::uint8_t {
        ok,
        note,    ///< leases are kept, but not always, or others may notice
        failed,  ///< leases are not kept, or CRIU fails
    };

    std::string name;  ///< a word, which stays what it is
    State state = State::ok;
    std::string message;  ///< what was found; bytes
    std::string advice;   ///< what to do; empty: nothing
};

/// What 'criu-hook --check' prints: all that was looked at, and what follows from it.
class HookCheckReport final : public Report {
 public:
    HookCheckReport(Out& out, const Form& form);

    /// `keeps`: a dump or a restore that is started now keeps leases.
    void checks(const std::vector<Check>& checks, bool keeps);

 private:
    void write_object(const Check& check);
};

}  // namespace ckpt_lease::render
