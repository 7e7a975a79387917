// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/mistakes.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/nearest.hpp"
#include "ckpt-lease/base/text.hpp"

namespace ckpt_lease::cli {
namespace {

// `meant`: what was meant, if that can be guessed.
Problem problem(std::string message, const std::string& meant, const std::string& command) {
    Problem problem;
    problem.message = std::move(message);
    problem.hint = fmt::format("{}see '{} --help'", meant.empty() ? "" : meant + " ", command);
    problem.code = Problem::Code::refused;
    return problem;
}

std::string without_value(const std::string& word) {
    return word.substr(0, word.find('='));
}

bool is_option(const std::string& word) {
    return word.size() > 1 && word.front() == '-';
}

std::vector<std::string> options_of(const CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::Option* const each : app.get_options()) {
        for (const std::string& name : each->get_lnames()) {
            names.push_back("--" + name);
        }
    }
    return names;
}

Problem no_such_option(const CLI::App& app, const std::string& word, const std::string& command) {
    const std::string option = without_value(word);
    if (option == "-") {  // what CLI11 leaves of -n=x
        return problem("a short option takes no =", {}, command);
    }
    return problem(fmt::format("there is no option {}", escape(option)),
                   did_you_mean(option, options_of(app)), command);
}

// The option that a message of CLI11 begins with, "--pid: ..." or "json was ...".
const CLI::Option* option_at_fault(const CLI::App& app, const std::string& message) {
    const std::string name = message.substr(0, message.find_first_of(": "));
    const CLI::Option* const option = app.get_option_no_throw(name);
    return option != nullptr ? option : app.get_option_no_throw("--" + name);
}

// Of an option that has another number of values than it takes.
std::string wrong_number(const CLI::Option& option) {
    if (option.get_items_expected_max() == 0) {
        return fmt::format("{} takes no value", option.get_name());
    }
    const bool is_given_too_often =
        option.get_multi_option_policy() == CLI::MultiOptionPolicy::Throw &&
        static_cast<int>(option.count()) > option.get_items_expected_max();
    return is_given_too_often
               ? fmt::format("{} is given more than once", option.get_name())
               : fmt::format("{} needs a value: {}", option.get_name(), option.get_type_name());
}

// "--json and --raw": two that are given, and exclude each other.
std::string excluded_pair(const CLI::App& app) {
    for (const CLI::Option* const each : app.get_options()) {
        for (const CLI::Option* const excluded : each->get_excludes()) {
            if (each->count() > 0 && excluded->count() > 0) {
                return fmt::format("{} and {}", each->get_name(), excluded->get_name());
            }
        }
    }
    return {};
}

const CLI::Option* missing_option(const CLI::App& app) {
    const std::vector<const CLI::Option*> options = app.get_options();
    const auto missing = std::find_if(options.begin(), options.end(), [](const CLI::Option* each) {
        return each->get_required() && each->count() == 0;
    });
    return missing == options.end() ? nullptr : *missing;
}

}  // namespace

Problem mistake(const CLI::App& app, const CLI::ParseError& error) {
    const CLI::App* used = &app;
    while (!used->get_subcommands().empty()) {
        used = used->get_subcommands().front();
    }
    if (used == &app) {
        return problem("no command is given", {}, app.get_name());
    }
    const std::string command = app.get_name() + " " + used->get_name();
    // An option that is misspelled explains why another is missing.
    std::vector<std::string> extras = used->remaining(true);
    const auto end_of_options = std::find(extras.begin(), extras.end(), "--");
    const auto unknown = std::find_if(extras.begin(), end_of_options, is_option);
    if (unknown != end_of_options) {
        return no_such_option(*used, *unknown, command);
    }
    if (end_of_options != extras.end()) {
        extras.erase(end_of_options);
    }
    if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr && !extras.empty()) {
        return problem(fmt::format("'{}' is an argument too many", escape(extras.front())), {},
                       command);
    }
    if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
        const CLI::Option* const missing = missing_option(*used);
        if (missing != nullptr) {
            return problem(fmt::format("{} is required", missing->get_name()), {}, command);
        }
    }
    if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
        const CLI::Option* const option = option_at_fault(*used, error.what());
        if (option != nullptr) {
            return problem(wrong_number(*option), {}, command);
        }
    }
    if (dynamic_cast<const CLI::ExcludesError*>(&error) != nullptr) {
        const std::string both = excluded_pair(*used);
        if (!both.empty()) {
            return problem(fmt::format("{} cannot both be given", both), {}, command);
        }
    }
    return problem(error.what(), {}, command);
}

Problem no_such_command(std::string_view name, const std::vector<std::string>& known) {
    return problem(fmt::format("there is no command '{}'", escape(name)), did_you_mean(name, known),
                   "ckpt-lease");
}

std::optional<Problem> option_before_command(const CLI::App& app, const CLI::App* command,
                                             const std::vector<const char*>& words) {
    if (words.size() < 2 || !is_option(words[1]) || std::string_view(words[1]) == "--") {
        return std::nullopt;
    }
    const std::string option = without_value(words[1]);
    if (app.get_option_no_throw(option) != nullptr) {
        return std::nullopt;
    }
    const std::string& name = app.get_name();
    const CLI::Option* const misplaced =
        command == nullptr ? nullptr : command->get_option_no_throw(option);
    if (misplaced != nullptr) {
        const bool needs_value = misplaced->get_items_expected_min() > 0;
        return problem(fmt::format("{0} stands before the command: give '{1} {2} {0}{3}{4}'",
                                   option, name, command->get_name(), needs_value ? " " : "",
                                   needs_value ? misplaced->get_type_name() : ""),
                       {}, name + " " + command->get_name());
    }
    std::vector<std::string> known = options_of(app);
    if (command != nullptr) {
        const std::vector<std::string> more = options_of(*command);
        known.insert(known.end(), more.begin(), more.end());
    }
    const std::string meant = did_you_mean(option, known);
    if (command == nullptr && meant.empty()) {  // it may be one that all commands have
        return problem("no command is given", {}, name);
    }
    return problem(fmt::format("there is no option {}", escape(option)), meant, name);
}

}  // namespace ckpt_lease::cli
