// SPDX-License-Identifier: GPL-2.0-or-later
// Writes a shell's completions, made from the options themselves: completions bash|zsh|fish
#include <fmt/format.h>

#include <string>
#include <string_view>

#include "cli/app.hpp"
#include "completions/choices.hpp"

// Runs while the program is built: what is thrown ends that, as it should.
// NOLINTNEXTLINE(bugprone-exception-escape)
int main(int argc, char** argv) {
    using namespace ckpt_lease;
    const std::string_view shell = argc == 2 ? argv[1] : "";
    cli::Program program;
    const auto commands = completions::choices_of(program.app());
    const std::string text = shell == "bash"   ? completions::bash(commands)
                             : shell == "zsh"  ? completions::zsh(commands)
                             : shell == "fish" ? completions::fish(commands)
                                               : "";
    if (text.empty()) {
        fmt::print(stderr, "usage: completions bash|zsh|fish\n");
        return 2;
    }
    fmt::print("{}", text);
    return 0;
}
