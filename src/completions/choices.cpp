// SPDX-License-Identifier: GPL-2.0-or-later
#include "completions/choices.hpp"

#include <fmt/format.h>

#include <sstream>

#include "ckpt-lease/linux_cr/layout.hpp"
#include "cli/options.hpp"

namespace ckpt_lease::completions {
namespace {

std::vector<std::string> names_of(const CLI::Option& option) {
    std::vector<std::string> names;
    for (const std::string& name : option.get_lnames()) {
        names.push_back("--" + name);
    }
    for (const std::string& name : option.get_snames()) {
        names.push_back("-" + name);
    }
    return names;
}

std::vector<std::string> offered_for(CLI::Option& option) {
    std::istringstream words(cli::offered_for(option));
    std::vector<std::string> offered;
    for (std::string word; words >> word;) {
        if (word != "<layout>") {
            offered.push_back(word);
            continue;
        }
        for (const auto& built_in : linux_cr::built_in_layouts()) {
            offered.push_back(built_in.layout.name);
        }
    }
    return offered;
}

Choice choice_of(CLI::Option& option) {
    Choice choice;
    choice.names = names_of(option);
    for (const CLI::Option* const excluded : option.get_excludes()) {
        const std::vector<std::string> names = names_of(*excluded);
        choice.excluded.insert(choice.excluded.end(), names.begin(), names.end());
    }
    choice.description = option.get_description();
    choice.type = choice.names.empty() ? option.get_name() : option.get_type_name();
    choice.takes_value = option.get_items_expected_max() > 0;
    choice.needs_value = option.get_items_expected_min() > 0;
    choice.may_repeat = option.get_items_expected_max() > 1;
    choice.offered = offered_for(option);
    return choice;
}

CommandChoices choices_of_command(CLI::App& command) {
    CommandChoices choices{command.get_name(), command.get_description(), {}, {}};
    for (CLI::Option* const option : command.get_options()) {
        Choice choice = choice_of(*option);
        (choice.names.empty() ? choices.arguments : choices.options).push_back(std::move(choice));
    }
    return choices;
}

}  // namespace

std::vector<CommandChoices> choices_of(CLI::App& program) {
    std::vector<CommandChoices> commands;
    for (CLI::App* const command : program.get_subcommands([](CLI::App*) { return true; })) {
        commands.push_back(choices_of_command(*command));
    }
    // It is no command of the program, which reads it as --help.
    Choice known{.type = "COMMAND", .takes_value = true, .needs_value = true};
    for (const CommandChoices& command : commands) {
        known.offered.push_back(command.name);
    }
    commands.push_back({"help", "Say more of a command", {}, {std::move(known)}});
    return commands;
}

std::vector<std::string> names_of(const CommandChoices& command, bool with_value) {
    std::vector<std::string> names;
    for (const Choice& option : command.options) {
        if (option.takes_value || !with_value) {
            names.insert(names.end(), option.names.begin(), option.names.end());
        }
    }
    return names;
}

std::string quoted(std::string text) {
    for (std::size_t at = 0; (at = text.find('\'', at)) != std::string::npos; at += 4) {
        text.replace(at, 1, "'\\''");
    }
    return "'" + text + "'";
}

std::string as_arguments(const std::vector<std::string>& offered) {
    std::string arguments;
    for (const std::string& word : offered) {
        const bool is_special = word.find_first_of("*<") != std::string::npos;
        arguments += is_special ? fmt::format(" \"{}\"", word) : " " + word;
    }
    return arguments;
}

}  // namespace ckpt_lease::completions
