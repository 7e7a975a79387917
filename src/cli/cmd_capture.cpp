// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include "ckpt-lease/base/bytes.hpp"
#include "cli/advice.hpp"
#include "cli/command.hpp"
#include "cli/exit_status.hpp"
#include "cli/live_options.hpp"
#include "cli/options.hpp"
#include "live/capture.hpp"
#include "rewrite/writers.hpp"

namespace ckpt_lease::cli {
namespace {

class Capture final : public Command {
 public:
    void declare(CLI::App& app) override {
        processes_.declare(app, "the process");
        app.add_option("-o,--output", out_, "write the image to OUT; - is standard output")
            ->type_name("OUT")
            ->required()
            ->check(offer("*"));
        app.footer(
            R"(The image holds tasks, descriptors and leases, and no memory: show, policy and
the like work on it as on any other, and apply sets it on live processes. Those
that run on meanwhile may change their leases: stop them first.

Examples:
  ckpt-lease capture --pid 42 --tree -o leases.img
  ckpt-lease capture --container web -o leases.img
  ckpt-lease capture --pid 42 -o - | ckpt-lease policy --add 5 - > later.img

On a kernel without the ckpt-lease patch, what is left of a lease break can be
seen by root only. Where it cannot be seen, it is recorded as not known.)");
    }

    int run(const Context& context) override {
        if (out_ == "-") {
            refuse_terminal(context.environment);
        }
        const live::Captured captured = live::capture(processes_.read(), {});
        const std::string image = linux_cr::make_image(captured.image, linux_cr::default_layout());
        if (out_ == "-") {
            context.out.write(image);
        } else {
            Output output = find_output(*context.environment.system, out_);
            write_whole(output, as_bytes(image));
        }
        for (const Problem& problem : captured.left_alone) {
            context.note(context.text_of(problem));
        }
        for (const Problem& problem : captured.unknown) {
            context.complain(context.text_of(problem));
        }
        return captured.unknown.empty() ? kDone : kPartly;
    }

 private:
    ProcessOptions processes_;
    std::string out_;
};

}  // namespace

std::unique_ptr<Command> make_capture() {
    return std::make_unique<Capture>();
}

}  // namespace ckpt_lease::cli
