// SPDX-License-Identifier: GPL-2.0-or-later
// Writes a shell's completions, made from the options themselves: completions bash|zsh|fish
#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "cli/app.hpp"

namespace {

struct Choice {
    std::string name;  // "--target"
    std::string description;
    bool takes_value = false;
    std::vector<std::string> values;  // to choose from; empty: a file, or anything
};

// The values of options that take one of a few, by what help calls them.
std::vector<std::string> values_of(const CLI::Option& option) {
    const std::string type = option.get_type_name();
    if (type == "TYPE") {
        return {"F_RDLCK", "F_WRLCK", "F_UNLCK"};
    }
    if (type == "LEVEL") {
        return {"warning", "info", "debug", "trace"};
    }
    if (type == "yes|no") {
        return {"yes", "no"};
    }
    return {};
}

std::vector<Choice> options_of(const CLI::App& app) {
    std::vector<Choice> choices;
    for (const CLI::Option* const option : app.get_options()) {
        for (const std::string& name : option->get_lnames()) {
            choices.push_back({"--" + name, option->get_description(),
                               option->get_items_expected_max() > 0, values_of(*option)});
        }
    }
    return choices;
}

std::string join(const std::vector<std::string>& words) {
    return fmt::format("{}", fmt::join(words, " "));
}

std::string names_of(const std::vector<Choice>& choices) {
    std::vector<std::string> names;
    names.reserve(choices.size());
    for (const Choice& choice : choices) {
        names.push_back(choice.name);
    }
    return join(names);
}

// A text for a single-quoted string of a shell.
std::string quoted(std::string text) {
    for (std::size_t at = 0; (at = text.find('\'', at)) != std::string::npos; at += 4) {
        text.replace(at, 1, "'\\''");
    }
    return text;
}

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
    return app.get_subcommands([](const CLI::App*) { return true; });
}

std::string bash(const CLI::App& app) {
    std::string commands;
    std::string cases;
    std::string values;
    for (const CLI::App* const command : commands_of(app)) {
        commands += (commands.empty() ? "" : " ") + command->get_name();
        const std::vector<Choice> options = options_of(*command);
        cases +=
            fmt::format("        {}) options='{}' ;;\n", command->get_name(), names_of(options));
        for (const Choice& option : options) {
            const std::string line =
                fmt::format("        {}) COMPREPLY=($(compgen -W '{}' -- \"$cur\")); return ;;\n",
                            option.name, join(option.values));
            if (!option.values.empty() && values.find(line) == std::string::npos) {
                values += line;
            }
        }
    }
    return fmt::format(R"(_ckpt_lease() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} options=
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W '{} --help --version' -- "$cur"))
        return
    fi
    case "$prev" in
{}    esac
    case "${{COMP_WORDS[1]}}" in
{}    esac
    if [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W "$options" -- "$cur"))
    else
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    fi
}}
complete -F _ckpt_lease ckpt-lease
)",
                       commands, values, cases);
}

std::string zsh(const CLI::App& app) {
    std::string commands;
    std::string cases;
    const auto text = [](std::string description) {
        for (const char special : {'[', ']', ':'}) {
            for (std::size_t at = 0; (at = description.find(special, at)) != std::string::npos;
                 at += 2) {
                description.insert(at, "\\");
            }
        }
        return quoted(description);
    };
    for (const CLI::App* const command : commands_of(app)) {
        commands +=
            fmt::format("        '{}:{}'\n", command->get_name(), text(command->get_description()));
        cases += fmt::format("        {})\n            _arguments \\\n", command->get_name());
        for (const Choice& option : options_of(*command)) {
            const std::string argument = !option.takes_value ? ""
                                         : option.values.empty()
                                             ? ":value:_files"
                                             : fmt::format(":value:({})", join(option.values));
            cases += fmt::format("                '*{}[{}]{}' \\\n", option.name,
                                 text(option.description), argument);
        }
        cases += "                '*:image:_files'\n            ;;\n";
    }
    return fmt::format(R"(#compdef ckpt-lease
local -a commands
if (( CURRENT == 2 )); then
    commands=(
{}    )
    _describe command commands
    _arguments '--help[print help]' '--version[print the version]'
else
    local command=$words[2]
    shift words
    (( CURRENT-- ))
    case $command in
{}    esac
fi
)",
                       commands, cases);
}

std::string fish(const CLI::App& app) {
    std::string text =
        "complete -c ckpt-lease -n __fish_use_subcommand -l help\n"
        "complete -c ckpt-lease -n __fish_use_subcommand -l version\n";
    for (const CLI::App* const command : commands_of(app)) {
        text += fmt::format("complete -c ckpt-lease -n __fish_use_subcommand -f -a {} -d '{}'\n",
                            command->get_name(), quoted(command->get_description()));
        for (const Choice& option : options_of(*command)) {
            text += fmt::format(
                "complete -c ckpt-lease -n '__fish_seen_subcommand_from {}' -l {}{}{} -d '{}'\n",
                command->get_name(), option.name.substr(2), option.takes_value ? " -r" : "",
                option.values.empty() ? "" : fmt::format(" -f -a '{}'", join(option.values)),
                quoted(option.description));
        }
    }
    return text;
}

}  // namespace

// Runs while the program is built: what is thrown ends that, as it should.
// NOLINTNEXTLINE(bugprone-exception-escape)
int main(int argc, char** argv) {
    const std::string_view shell = argc == 2 ? argv[1] : "";
    ckpt_lease::cli::Program program;
    const std::string text = shell == "bash"   ? bash(program.app())
                             : shell == "zsh"  ? zsh(program.app())
                             : shell == "fish" ? fish(program.app())
                                               : "";
    if (text.empty()) {
        fmt::print(stderr, "usage: completions bash|zsh|fish\n");
        return 2;
    }
    fmt::print("{}", text);
    return 0;
}
