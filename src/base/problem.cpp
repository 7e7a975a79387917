// SPDX-License-Identifier: GPL-2.0-or-later
#include "ckpt-lease/base/problem.hpp"

#include <fmt/format.h>

#include <utility>

#include "ckpt-lease/base/text.hpp"

namespace ckpt_lease {
namespace {

Problem::Code code_of(Error::Kind kind) {
    switch (kind) {
        case Error::Kind::refused:
            return Problem::Code::refused;
        case Error::Kind::io:
            return Problem::Code::io_error;
        case Error::Kind::interrupted:
            return Problem::Code::stopped;
        case Error::Kind::damaged:
            break;
    }
    return Problem::Code::damaged;
}

}  // namespace

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

Problem::Code code_of(const Problem& problem) noexcept {
    if (problem.code != Problem::Code::by_severity) {
        return problem.code;
    }
    switch (problem.severity) {
        case Problem::Severity::warning:
            return Problem::Code::warning;
        case Problem::Severity::meaning:
            return Problem::Code::bad_value;
        case Problem::Severity::structure:
            break;
    }
    return Problem::Code::damaged;
}

std::string_view to_string(Problem::Code code) noexcept {
    switch (code) {
        case Problem::Code::by_severity:
            break;
        case Problem::Code::warning:
            return "warning";
        case Problem::Code::bad_value:
            return "bad_value";
        case Problem::Code::damaged:
            return "damaged";
        case Problem::Code::truncated:
            return "truncated";
        case Problem::Code::not_a_checkpoint:
            return "not_a_checkpoint";
        case Problem::Code::changed_meanwhile:
            return "changed_meanwhile";
        case Problem::Code::not_found:
            return "not_found";
        case Problem::Code::not_permitted:
            return "not_permitted";
        case Problem::Code::no_space:
            return "no_space";
        case Problem::Code::io_error:
            return "io_error";
        case Problem::Code::locked:
            return "locked";
        case Problem::Code::interrupted_change:
            return "interrupted_change";
        case Problem::Code::not_captured:
            return "not_captured";
        case Problem::Code::other_dump:
            return "other_dump";
        case Problem::Code::time_not_known:
            return "time_not_known";
        case Problem::Code::no_such_lock:
            return "no_such_lock";
        case Problem::Code::invalid_file:
            return "invalid_file";
        case Problem::Code::refused:
            return "refused";
        case Problem::Code::no_match:
            return "no_match";
        case Problem::Code::stopped:
            return "stopped";
    }
    return "damaged";
}

Error::Error(Kind kind, Problem problem)
    : std::runtime_error(to_string(problem)), kind_(kind), problem_(std::move(problem)) {
    if (problem_.code == Problem::Code::by_severity) {
        problem_.code = code_of(kind);
    }
}

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
