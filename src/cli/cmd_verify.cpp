// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/checkpoints.hpp"
#include "cli/command.hpp"
#include "cli/exit_status.hpp"
#include "cli/input.hpp"
#include "cli/options.hpp"
#include "render/verify_output.hpp"

namespace ckpt_lease::cli {
namespace {

class Verify final : public Command {
 public:
    void declare(CLI::App& app) override {
        declare_images(app, images_);
        declare_json(app, json_);
        declare_wait(app, wait_);
        layout_.declare(app);
        app.footer(R"(Finds everything, not only the first problem: what is wrong with the records,
what a restart would refuse or misunderstand, and what is only odd (warnings).

Examples:
  ckpt-lease verify job.img
  ckpt-lease verify --json *.img | jq -r '.images[] | select(.sound | not).path')");
    }

    int run(const Context& context) override {
        check_images(images_);
        const linux_cr::Layout layout = layout_.layout(*context.environment.system);
        const auto output = json_ ? make_verify_json(context.out) : make_verify_text(context.out);
        output->begin();
        const int status = for_each_image(context, images_, [&](const std::string& name) {
            output->begin_image(name);
            bool sound = true;
            try {
                Input input(context, name, {.wait = wait_, .any_link = true});
                const linux_cr::ImageFacts facts =
                    linux_cr::verify(input.source(), layout, [&](const Problem& problem) {
                        output->problem(problem);
                        sound &= problem.severity == Problem::Severity::warning;
                    });
                output->end_image(name, facts, sound);
                return sound ? kDone : kDamaged;
            } catch (const Error& error) {
                output->fail_image(error.what());
                throw;
            }
        });
        output->end();
        return status;
    }

 private:
    std::vector<std::string> images_;
    bool json_ = false;
    bool wait_ = false;
    LayoutOption layout_;
};

}  // namespace

std::unique_ptr<Command> make_verify() {
    return std::make_unique<Verify>();
}

}  // namespace ckpt_lease::cli
