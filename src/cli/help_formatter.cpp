// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/help_formatter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

namespace ckpt_lease::cli {
namespace {

constexpr std::size_t kWidth = 80;
constexpr std::size_t kIndent = 26;

// "  NAME                    DESCRIPTION", the description wrapped; names that are too long stand
// alone.
std::string entry(const std::string& name, std::string_view description) {
    std::string text = "  " + name;
    text += text.size() + 2 > kIndent ? "\n" + std::string(kIndent, ' ')
                                      : std::string(kIndent - text.size(), ' ');
    std::size_t column = kIndent;
    while (!description.empty()) {
        const std::string_view word = description.substr(0, description.find(' '));
        if (column + word.size() > kWidth && column > kIndent) {
            text.pop_back();
            text += "\n" + std::string(kIndent, ' ');
            column = kIndent;
        }
        text += word;
        text += ' ';
        column += word.size() + 1;
        description.remove_prefix(std::min(description.size(), word.size() + 1));
    }
    text.erase(text.find_last_not_of(' ') + 1);
    return text + "\n";
}

// "-o,--output", or the name of an argument.
std::string name_of(const CLI::Option& option) {
    if (option.get_positional()) {
        return option.get_name(true);
    }
    std::string names;
    for (const std::string& name : option.get_snames()) {
        names += (names.empty() ? "-" : ",-") + name;
    }
    for (const std::string& name : option.get_lnames()) {
        names += (names.empty() ? "--" : ",--") + name;
    }
    return names;
}

std::string section(std::string_view heading, const std::vector<const CLI::Option*>& options) {
    std::string text;
    for (const CLI::Option* const option : options) {
        // The type alone: what options exclude or need is for the description to say.
        const std::string type = option->get_type_name();
        text +=
            entry(name_of(*option) + (type.empty() ? "" : " " + type), option->get_description());
    }
    return text.empty() ? "" : fmt::format("\n{}:\n{}", heading, text);
}

std::string usage(const CLI::App& app, const std::string& name, bool has_commands) {
    std::string text = fmt::format("Usage: {} [OPTIONS]", name);
    for (const CLI::Option* const option : app.get_options()) {
        if (option->get_positional()) {
            const bool is_list =
                option->get_expected_max() >= CLI::detail::expected_max_vector_size;
            const std::string shown = name_of(*option) + (is_list ? "..." : "");
            text += option->get_required() ? " " + shown : fmt::format(" [{}]", shown);
        }
    }
    return text + (has_commands ? " COMMAND\n" : "\n");
}

}  // namespace

std::string HelpFormatter::make_help(const CLI::App* app, std::string name,
                                     CLI::AppFormatMode /*mode*/) const {
    const auto commands = app->get_subcommands([](const CLI::App*) { return true; });
    std::string help = app->get_description() + "\n" + usage(*app, name, !commands.empty());
    help += section("Positionals", app->get_options([](const CLI::Option* option) {
        return option->get_positional();
    }));
    // --help is in the group of the options that were not put into one.
    const std::string& ungrouped = app->get_help_ptr()->get_group();
    for (const std::string& group : app->get_groups()) {
        help += section(group == ungrouped ? "Options" : group,
                        app->get_options([&](const CLI::Option* option) {
                            return option->nonpositional() && option->get_group() == group;
                        }));
    }
    help += commands.empty() ? "" : "\nSubcommands:\n";
    for (const CLI::App* const command : commands) {
        help += entry(command->get_name(), command->get_description());
    }
    const std::string footer = app->get_footer();
    return footer.empty() ? help : fmt::format("{}\n{}\n", help, footer);
}

}  // namespace ckpt_lease::cli
