// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/command.hpp"

#include <algorithm>

#include "ckpt-lease/base/text.hpp"
#include "cli/advice.hpp"
#include "cli/exit_status.hpp"

namespace ckpt_lease::cli {

void say(render::Out& err, std::string_view message) {
    err.print("ckpt-lease: {}\n", printable(message));
    err.flush();
}

void Context::complain(std::string_view message) const {
    out.flush();  // so that results and messages on one terminal keep their order
    say(err, message);
}

std::string Context::text_of(const Problem& problem) const {
    return cli::text_of(problem, command);
}

std::string Context::text_of(const std::exception& error) const {
    return cli::text_of(error, command);
}

int for_each_image(const Context& context, const std::vector<std::string>& images,
                   const std::function<int(const std::string& image)>& work) {
    int status = kDone;
    for (const std::string& image : images) {
        try {
            status = std::max(status, work(image));
        } catch (const Error& error) {
            if (error.kind() == Error::Kind::interrupted) {
                throw;
            }
            context.complain(context.text_of(error));
            status = std::max(status, status_of(error));
        }
    }
    return status;
}

}  // namespace ckpt_lease::cli
