// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/lease/rules.hpp"
#include "ckpt-lease/subject/plan.hpp"
#include "lease/planner.hpp"

namespace ckpt_lease {

/// What policies are told about an image that was taken at `checkpoint_time` (0: not known).
[[nodiscard]] PolicyContext policy_context(const std::string& name, const PolicyRequest& request,
                                           std::uint64_t checkpoint_time, const ProblemSink& warn);

/// The rules mean this lease, whether it changes or not.
[[nodiscard]] constexpr bool is_meant(Outcome outcome) {
    return outcome == Outcome::changed || outcome == Outcome::unchanged;
}

/// make_plan() of CRIU's images alone: of a break that has happened nothing is left.
[[nodiscard]] Plan plan_without_times(Subject& subject, const PolicyRequest& request);

}  // namespace ckpt_lease
