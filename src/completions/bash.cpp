// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include "base/joined.hpp"
#include "completions/choices.hpp"

namespace ckpt_lease::completions {
namespace {

// What does not depend on the options.
constexpr const char* kBashFunctions = R"sh(
# Completes $1 with what the other words say: themselves; <pid>; <list>, that they are those of a list with commas;
# *.img: files of such names, and folders.
_ckpt_lease_offer() {
    local word=$1 before='' files=$1 entry
    local -a words=() matches
    shift
    for entry; do
        case $entry in
            '<pid>')
                mapfile -t words < <(compgen -G '/proc/[0-9]*')
                words=("${words[@]#/proc/}")
                ;;
            '<list>')
                case $word in
                    *,*) before=${word%,*}, ;;
                    +*) before=+ ;;
                esac
                compopt -o nospace 2>/dev/null
                ;;
            *\**)
                # What is typed may be quoted, and names that are offered are not: readline quotes them.
                files=${files//\\/} files=${files#[\"\']}
                compopt -o filenames 2>/dev/null
                mapfile -t matches < <(compgen -f -X "!$entry" -- "$files")
                COMPREPLY+=("${matches[@]}")
                ;;
            *)
                [[ ,${before#+} == *,$entry,* ]] || words+=("$entry")
                ;;
        esac
    done
    for entry in "${words[@]}"; do
        [[ $before$entry != "$word"* ]] || COMPREPLY+=("$before$entry")
    done
    [[ $* != *\** || $* == '*' ]] || {
        mapfile -t matches < <(compgen -d -- "$files")
        COMPREPLY+=("${matches[@]}")
    }
}

_ckpt_lease() {
    local cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} start='' word needed='' given=0 at
    local command=${COMP_WORDS[1]} optional=''
    local -a options offered
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        _ckpt_lease_offer "$cur" "${_ckpt_lease_commands[@]}"
        return
    fi
    _ckpt_lease_options "$command" || return
    # --option=value is three words, or one where = parts no words.
    if [[ $cur == = ]]; then
        cur='' start=-
    elif [[ $before == = ]]; then
        before=${COMP_WORDS[COMP_CWORD-2]} start=-
    elif [[ $cur == --*=* ]]; then
        before=${cur%%=*} start=$before= cur=${cur#*=}
    elif [[ $cur == -[!-]?* ]] && _ckpt_lease_value "$command" "${cur:0:2}"; then  # -oFILE
        before=${cur:0:2} start=${cur:0:2} cur=${cur:2}
    fi
    if [[ $before == -?* ]] && _ckpt_lease_value "$command" "$before" && [[ -z $optional || -n $start || $cur != -* ]]
    then
        _ckpt_lease_offer "$cur" "${offered[@]}"
        [[ $start != -?* ]] || COMPREPLY=("${COMPREPLY[@]/#/$start}")
        return
    fi
    if [[ $cur == -* ]]; then
        _ckpt_lease_offer "$cur" "${options[@]}"
        return
    fi
    for ((at = 2; at < COMP_CWORD; ++at)); do
        word=${COMP_WORDS[at]}
        if [[ $word == -?* ]]; then
            needed=$word
        elif [[ $word != = ]]; then
            [[ -n $needed ]] && _ckpt_lease_value "$command" "$needed" || given=$((given + 1))
            needed=
        fi
    done
    ! _ckpt_lease_value "$command" "$given" || _ckpt_lease_offer "$cur" "${offered[@]}"
}

complete -F _ckpt_lease ckpt-lease
)sh";

}  // namespace

std::string bash(const std::vector<CommandChoices>& commands) {
    std::string names;
    std::string options;
    std::string values;
    const auto add_value = [&](const std::string& pattern, const Choice& choice) {
        const std::string offered = as_arguments(choice.offered);
        values += fmt::format("        {}) offered=({}){} ;;\n", pattern,
                              offered.substr(offered.empty() ? 0 : 1),
                              choice.needs_value ? "" : " optional=1");
    };
    for (const CommandChoices& command : commands) {
        names += " " + command.name;
        options += fmt::format("        {}) options=({}) ;;\n", command.name,
                               joined(names_of(command, false), " "));
        for (const Choice& option : command.options) {
            if (option.takes_value) {
                std::string pattern;
                for (const std::string& name : option.names) {
                    pattern +=
                        fmt::format("{}'{} {}'", pattern.empty() ? "" : " | ", command.name, name);
                }
                add_value(pattern, option);
            }
        }
        for (std::size_t at = 0; at < command.arguments.size(); ++at) {
            const bool is_last_of_many = command.arguments[at].may_repeat;
            add_value(is_last_of_many ? fmt::format("'{} '[0-9]*", command.name)
                                      : fmt::format("'{} {}'", command.name, at),
                      command.arguments[at]);
        }
    }
    return fmt::format(R"(# bash completion of ckpt-lease
_ckpt_lease_commands=({} -h --help -V --version)

# Sets options to those of the command $1, if there is one of that name.
_ckpt_lease_options() {{
    case $1 in
{}        *) return 1 ;;
    esac
}}

# Sets offered to what the value of the option $2 of the command $1 can be, or its argument number $2. Fails if there is
# no such one.
_ckpt_lease_value() {{
    case "$1 $2" in
{}        *) return 1 ;;
    esac
    return 0
}}
)",
                       names.substr(1), options, values) +
           kBashFunctions;
}

}  // namespace ckpt_lease::completions
