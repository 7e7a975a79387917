// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include "base/joined.hpp"
#include "completions/choices.hpp"

namespace ckpt_lease::completions {
namespace {

// What does not depend on the options.
constexpr const char* kFishFunctions = R"sh(# fish completion of ckpt-lease
function __ckpt_lease_command --argument-names command
    set -l words (commandline -opc)
    test "$words[2]" = $command
end

# Whether the argument number $number of the command is what is to be typed, and no option's value. The words that
# follow are the options that take one. $number is 0+ for all arguments of the command.
function __ckpt_lease_argument --argument-names command number
    __ckpt_lease_command $command; or return
    set -l words (commandline -opc)
    set -l given 0
    set -l needed no
    for word in $words[3..]
        if string match -qr -- '^-.' $word # not -?*: for fish 4 a ? is none but itself
            set needed no
            contains -- $word $argv[3..]; and set needed yes
        else if test $needed = yes
            set needed no
        else
            set given (math $given + 1)
        end
    end
    test $needed = no; and contains -- $number $given 0+
end

# What the words say is offered: themselves; <pid>; <list>, that they are those of a list with commas; *.img: files of
# such names, and folders.
function __ckpt_lease_offer
    set -l token (string replace -r -- '^(--[^=]*=|-[a-zA-Z])' '' (commandline -ct))
    set -l before ''
    set -l files
    set -l given
    for word in $argv
        switch $word
            case '<pid>'
                grep -s . /proc/*/comm | string replace -rf '^/proc/(\d+)/comm:(.*)$' "\$1"\t"\$2"
            case '<list>'
                set before (string match -r -- '^(?:.*,|\+)?' $token)
                set given (string split , -- (string trim -l -c + -- $before))
            case '*\**'
                set -q files[1]
                or set files (complete -C "__ckpt_lease_no_such_command $token" | string replace -r \t'.*' '')
                string match -- $word $files
            case '*'
                contains -- $word $given; or echo $before$word
        end
    end
    set -q files[1]; and string match -- '*/' $files
end

complete -c ckpt-lease -f
complete -c ckpt-lease -n __fish_use_subcommand -s h -l help -d 'print help'
complete -c ckpt-lease -n __fish_use_subcommand -s V -l version -d 'print the version'
)sh";

std::string offering(const Choice& choice) {
    return choice.offered.empty()
               ? ""
               : fmt::format(" -a '(__ckpt_lease_offer{})'", as_arguments(choice.offered));
}

std::string option_line(const CommandChoices& command, const Choice& option) {
    std::string line =
        fmt::format("complete -c ckpt-lease -n '__ckpt_lease_command {}'", command.name);
    for (const std::string& name : option.names) {
        line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
    }
    // Where it may be left out, fish takes it only behind "=".
    return line + (option.needs_value && option.takes_value ? " -x" : "") + offering(option) +
           " -d " + quoted(option.description) + "\n";
}

}  // namespace

std::string fish(const std::vector<CommandChoices>& commands) {
    std::string text = kFishFunctions;
    for (const CommandChoices& command : commands) {
        text += fmt::format("complete -c ckpt-lease -n __fish_use_subcommand -a {} -d {}\n",
                            command.name, quoted(command.description));
        for (const Choice& option : command.options) {
            text += option_line(command, option);
        }
        for (std::size_t at = 0; at < command.arguments.size(); ++at) {
            const Choice& argument = command.arguments[at];
            text += fmt::format("complete -c ckpt-lease -n '__ckpt_lease_argument {} {} {}'{}\n",
                                command.name, argument.may_repeat ? "0+" : std::to_string(at),
                                joined(names_of(command, true), " "), offering(argument));
        }
    }
    return text;
}

}  // namespace ckpt_lease::completions
