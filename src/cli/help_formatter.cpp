// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/help_formatter.hpp"

#include <fmt/format.h>

#include <string_view>
#include <utility>

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

}  // namespace

std::string HelpFormatter::make_help(const CLI::App* app, std::string name,
                                     CLI::AppFormatMode mode) const {
    constexpr std::string_view kTwoBlankLines = "\n\n\n";
    std::string help = CLI::Formatter::make_help(app, std::move(name), mode);
    for (std::size_t at = 0; (at = help.find(kTwoBlankLines, at)) != std::string::npos;) {
        help.erase(at, 1);
    }
    return help;
}

std::string HelpFormatter::make_option(const CLI::Option* option, bool is_positional) const {
    return entry(make_option_name(option, is_positional) + make_option_opts(option),
                 make_option_desc(option));
}

std::string HelpFormatter::make_subcommand(const CLI::App* subcommand) const {
    return entry(subcommand->get_name(), subcommand->get_description());
}

// The type alone: what options exclude or need is for the description to say.
std::string HelpFormatter::make_option_opts(const CLI::Option* option) const {
    const std::string type = option->get_type_name();
    return type.empty() ? std::string() : " " + type;
}

}  // namespace ckpt_lease::cli
