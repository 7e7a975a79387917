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
    if (!problem.hint.empty()) {
        text += " (" + problem.hint + ")";
    }
    return text;
}

Error::Error(Kind kind, Problem problem)
    : std::runtime_error(to_string(problem)), kind_(kind), problem_(std::move(problem)) {}

void refuse(std::string message, std::string hint) {
    Problem problem;
    problem.message = std::move(message);
    problem.hint = std::move(hint);
    throw Error(Error::Kind::refused, std::move(problem));
}

}  // namespace ckpt_lease
