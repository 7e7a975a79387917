// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstdint>

#include "ckpt-lease/subject/subject.hpp"
#include "cli/advice.hpp"
#include "cli/command.hpp"
#include "cli/exit_status.hpp"
#include "cli/input.hpp"
#include "cli/options.hpp"
#include "render/verify.hpp"

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
  ckpt-lease verify img                   of what criu dump -D img has written
  ckpt-lease verify --json *.img | jq -r '.images[] | select(.sound | not).path')");
    }

    int run(const Context& context) override {
        check_images(images_);
        const linux_cr::Layout layout = layout_.layout(*context.environment.system);
        render::VerifyReport report(context.out, context.form(json_, {}));
        const int status = for_each_image(context, images_, [&](const std::string& name) {
            report.begin_image(name);
            bool sound = true;
            const ProblemSink tell = [&](const Problem& problem) {
                report.problem(in_words(problem, context.command));
                sound &= problem.severity == Problem::Severity::warning;
            };
            try {
                const auto subject = open_to_look(context, name, wait_);
                const std::uint64_t records = verify(*subject, layout, tell);
                report.end_image({name, name, subject->has_checkpoint()}, records, sound);
                return sound ? kDone : kDamaged;
            } catch (const Error& error) {
                report.fail_image(error.problem(), context.text_of(error));
                throw;
            }
        });
        report.end();
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
