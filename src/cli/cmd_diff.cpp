// SPDX-License-Identifier: GPL-2.0-or-later
#include "ckpt-lease/linux_cr/image.hpp"
#include "cli/checkpoints.hpp"
#include "cli/command.hpp"
#include "cli/exit_status.hpp"
#include "cli/input.hpp"
#include "cli/options.hpp"
#include "render/diff_output.hpp"

namespace ckpt_lease::cli {
namespace {

using linux_cr::Image;

class Diff final : public Command {
 public:
    void declare(CLI::App& app) override {
        app.add_option("A", a_, "a checkpoint image; - is standard input")
            ->type_name("")
            ->required();
        app.add_option("B", b_, "another")->type_name("")->required();
        declare_json(app, json_);
        declare_wait(app, wait_);
        layout_.declare(app);
        app.footer(R"(Leases are matched by path, descriptor and the pids of their tasks.
Exit status, as diff(1): 0 the same, 1 they differ, 2 trouble.

Examples:
  ckpt-lease policy --add 10 -o new.img job.img; ckpt-lease diff job.img new.img
  ckpt-lease diff --json a.img b.img | jq '.differences[].path')");
    }

    int run(const Context& context) override {
        try {
            return compare(context);
        } catch (const Error& error) {
            if (error.kind() == Error::Kind::interrupted) {
                throw;
            }
            context.complain(error.what());
            return kTrouble;
        }
    }

 private:
    int compare(const Context& context) const {
        check_images({a_, b_});
        const linux_cr::Layout layout = layout_.layout(*context.environment.system);
        const Image a = read(context, a_, layout);
        const Image b = read(context, b_, layout);
        const auto output = json_ ? make_diff_json(context.out)
                                  : make_diff_table(context.out, context.environment.out_page);
        return output->print({a_, a.locks}, {b_, b.locks}) ? kDiffer : kSame;
    }

    Image read(const Context& context, const std::string& name,
               const linux_cr::Layout& layout) const {
        Input input(context, name, {.wait = wait_, .any_link = true});
        return linux_cr::read_sound_image(input.source(), layout);
    }

    std::string a_;
    std::string b_;
    bool json_ = false;
    bool wait_ = false;
    LayoutOption layout_;
};

}  // namespace

std::unique_ptr<Command> make_diff() {
    return std::make_unique<Diff>();
}

}  // namespace ckpt_lease::cli
