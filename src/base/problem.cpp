// SPDX-License-Identifier: GPL-2.0-or-later
#include "ckpt-lease/base/problem.hpp"

#include <fmt/format.h>

#include <utility>

#include "ckpt-lease/base/text.hpp"

namespace ckpt_lease {

std::string to_string(const Problem& problem) {
    std::string text;
    if (!problem.file.empty()) {
        text += escape(problem.file == "-" ? "standard input" : problem.file) + ": ";
    }
    if (problem.offset) {
        text += fmt::format("offset {}: ", *problem.offset);
    }
    if (!problem.record.empty()) {
        text += problem.record + ": ";
    }
    text += problem.message;
    if (!problem.hint.empty() || !problem.outcome.empty()) {
        const bool both = !problem.hint.empty() && !problem.outcome.empty();
        text += fmt::format(" ({}{}{})", problem.hint, both ? "; " : "", problem.outcome);
    }
    return text;
}

Error::Error(Kind kind, Problem problem)
    : std::runtime_error(to_string(problem)), kind_(kind), problem_(std::move(problem)) {}

Error with_outcome(const Error& error, std::string outcome, Advice advice) {
    Problem problem = error.problem();
    problem.outcome = std::move(outcome);
    problem.advice = advice == Advice::none ? problem.advice : advice;
    return {error.kind(), std::move(problem)};
}

void refuse(std::string message, std::string hint) {
    throw Error(Error::Kind::refused, {.message = std::move(message), .hint = std::move(hint)});
}

void refuse(std::string message, Advice advice) {
    throw Error(Error::Kind::refused, {.message = std::move(message), .advice = advice});
}

}  // namespace ckpt_lease
