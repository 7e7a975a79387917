// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <CLI/CLI.hpp>
#include <exception>
#include <string>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/lease/rules.hpp"
#include "live/apply.hpp"

namespace ckpt_lease::cli {

/// The library says what would help (Advice), and this what to type for it: the one place where the
/// words of the command line are put to it.

/// `problem` with the advice among its hints, in words. No hint names an option that `command`,
/// which is at work, does not have; null has none.
[[nodiscard]] Problem in_words(Problem problem, const CLI::App* command);

/// What a user is told of a problem, or of what ended a command: all of it, without a newline.
[[nodiscard]] std::string text_of(const Problem& problem, const CLI::App* command);
[[nodiscard]] std::string text_of(const std::exception& error, const CLI::App* command);

/// Throws Error(refused) if the conditions of the options can never hold for one lock.
void check(const Filter& filter);

/// Why a live lease was not set.
[[nodiscard]] std::string reason_of(const live::AppliedLease& result);

}  // namespace ckpt_lease::cli
