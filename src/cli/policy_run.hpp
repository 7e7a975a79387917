// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "ckpt-lease/lease/planner.hpp"
#include "cli/command.hpp"
#include "cli/options.hpp"
#include "render/change_report.hpp"

namespace ckpt_lease::cli {

/// 'policy' once its options are read: what is done with one image.
class PolicyRunner {
 public:
    struct Settings {
        RuleSet rules;
        linux_cr::Layout layout;
        OutputOptions output;
        bool wait = false;
        Nanoseconds lease_break_time{};
        Moment now;
        bool require_match = false;
    };

    PolicyRunner(const Context& context, const Settings& settings, ChangeReport& report)
        : context_(context), settings_(settings), report_(report) {}

    /// Returns the exit status; throws Error.
    int run(const std::string& image);

 private:
    void rewrite_file(const std::string& name, Counts& counts);
    void rewrite_stream(Counts& counts);
    [[nodiscard]] bool fails_to_match(const Counts& counts) const;
    [[nodiscard]] PolicyContext policy_context(const std::string& name,
                                               std::uint64_t checkpoint_time) const;

    class StreamEditor;

    const Context& context_;
    const Settings& settings_;
    ChangeReport& report_;
};

}  // namespace ckpt_lease::cli
