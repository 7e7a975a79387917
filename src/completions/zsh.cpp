// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <string_view>

#include "base/joined.hpp"
#include "completions/choices.hpp"

namespace ckpt_lease::completions {
namespace {

// What does not depend on the options.
constexpr const char* kZshFunctions = R"sh(#compdef ckpt-lease
# What the words say is offered: themselves; <pid>; <list>, that they are those of a list with commas; *.img: files of
# such names, and folders.
(( $+functions[_ckpt_lease_offer] )) ||
_ckpt_lease_offer() {
    local entry name is_list=0 failed=1
    local -a choices patterns pids shown expl
    for entry; do
        case $entry in
            ('<pid>')
                for entry in /proc/<->(Nn:t); do
                    name=
                    { read -r name < /proc/$entry/comm } 2>/dev/null
                    [[ -z $name ]] || { pids+=($entry) shown+=("$entry  $name") }
                done
                ;;
            ('<list>') is_list=1 ;;
            ('*') patterns+=('*(-.)') ;;
            (*\**) patterns+=("$entry(-.)") ;;
            (*) choices+=($entry) ;;
        esac
    done
    if (( is_list )); then
        compset -P '+'
        _values -s , value $choices
        return
    fi
    (( ! $#pids )) || _wanted -V processes expl process compadd -l -d shown -a pids && failed=0
    (( ! $#choices )) || _wanted values expl value compadd -a choices && failed=0
    (( ! $#patterns )) || _wanted files expl file _path_files -g "$patterns *(-/)" && failed=0
    return failed
}

)sh";

// A text for where _arguments and _describe give these characters a meaning.
std::string escaped(std::string text) {
    constexpr std::string_view kSpecial = "[]:\\";
    for (std::size_t at = 0; (at = text.find_first_of(kSpecial, at)) != std::string::npos;
         at += 2) {
        text.insert(at, "\\");
    }
    return text;
}

std::string value_of(const Choice& choice) {
    // A space is what offers nothing.
    return fmt::format(
        ":{}:{}", escaped(choice.type),
        choice.offered.empty() ? " " : " _ckpt_lease_offer" + as_arguments(choice.offered));
}

void add_option(std::string& text, const Choice& option) {
    std::vector<std::string> excluded = option.excluded;
    if (!option.may_repeat) {
        excluded.insert(excluded.end(), option.names.begin(), option.names.end());
    }
    if (option.takes_value && !option.needs_value) {
        excluded.emplace_back("*");  // what follows would be its value, and no argument
    }
    for (const std::string& name : option.names) {
        const bool is_long = name.starts_with("--");
        std::string spec = excluded.empty() ? "" : fmt::format("({})", joined(excluded, " "));
        spec += (option.may_repeat ? "*" : "") + name;
        spec += !option.takes_value ? "" : is_long ? "=" : "+";
        spec += fmt::format("[{}]", escaped(option.description));
        if (option.takes_value) {
            spec += (option.needs_value ? "" : ":") + value_of(option);
        }
        text += fmt::format("                {} \\\n", quoted(spec));
    }
}

}  // namespace

std::string zsh(const std::vector<CommandChoices>& commands) {
    std::string names;
    std::string cases;
    for (const CommandChoices& command : commands) {
        names +=
            fmt::format("        {}\n", quoted(command.name + ":" + escaped(command.description)));
        cases += fmt::format("        {})\n            _arguments -s -S \\\n", command.name);
        for (const Choice& option : command.options) {
            add_option(cases, option);
        }
        for (const Choice& argument : command.arguments) {
            const std::string spec = (argument.may_repeat ? "*" : ":") + value_of(argument);
            cases += fmt::format("                {} \\\n",
                                 quoted(spec.substr(argument.may_repeat ? 0 : 1)));
        }
        cases += "                && return 0\n            ;;\n";
    }
    return kZshFunctions + fmt::format(R"(local -a commands
if (( CURRENT == 2 )); then
    commands=(
{}    )
    _describe command commands
    _arguments -s {{-h,--help}}'[print help]' {{-V,--version}}'[print the version]'
else
    local command=$words[2]
    shift words
    (( CURRENT-- ))
    case $command in
{}    esac
    return 1
fi
)",
                                       names, cases);
}

}  // namespace ckpt_lease::completions
