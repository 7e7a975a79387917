// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "ckpt-lease/subject/plan.hpp"
#include "ckpt-lease/subject/subject.hpp"
#include "cli/command.hpp"
#include "render/policy.hpp"

namespace ckpt_lease::cli {

/// 'policy' once its options are read: what is done with one subject after the other.
class PolicyRunner {
 public:
    struct Settings {
        PolicyRequest request;
        Target target;
        bool wait = false;
        bool require_match = false;
    };

    PolicyRunner(const Context& context, const Settings& settings, render::PolicyReport& report)
        : context_(context), settings_(settings), report_(report) {}

    /// Returns the exit status; throws Error.
    int run(const std::string& name);

 private:
    class Listener;

    void rewrite(Subject& subject, Counts& counts);
    void rewrite_stream(Subject& subject, Counts& counts);
    [[nodiscard]] bool fails_to_match(const Counts& counts) const;

    const Context& context_;
    const Settings& settings_;
    render::PolicyReport& report_;
};

}  // namespace ckpt_lease::cli
