// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstdio>
#include <exception>

#include "cli/app.hpp"

int main(int argc, char** argv) {
    try {
        auto environment = ckpt_lease::cli::process_environment();
        return ckpt_lease::cli::run(argc, argv, environment);
    } catch (const std::exception& error) {
        // Only bugs and a lack of memory get here.
        static_cast<void>(std::fprintf(stderr, "ckpt-lease: internal error: %s\n", error.what()));
        return 3;
    }
}
