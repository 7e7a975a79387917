// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <exception>

#include "cli/app.hpp"

namespace {

// A descriptor that is closed would be given to the next file that is opened: to an image, which
// messages would then be written into. Nobody listens to messages that go to a closed descriptor;
// results that cannot be written are an error, and so is an input that is not there.
bool has_standard_descriptors() {
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        const int flags = fd == STDIN_FILENO ? O_WRONLY : fd == STDOUT_FILENO ? O_RDONLY : O_RDWR;
        // The lowest number that is free is this one, as those below are open by now.
        if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", flags | O_NOCTTY) != fd) {
            return false;
        }
    }
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    if (!has_standard_descriptors()) {
        return 3;  // there may be nobody to tell
    }
    try {
        auto environment = ckpt_lease::cli::process_environment();
        return ckpt_lease::cli::run(argc, argv, environment);
    } catch (const std::exception& error) {
        // Only bugs and a lack of memory get here.
        static_cast<void>(std::fprintf(stderr, "ckpt-lease: internal error: %s\n", error.what()));
        return 3;
    }
}
