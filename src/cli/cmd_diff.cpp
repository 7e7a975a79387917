// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/advice.hpp"
#include "cli/command.hpp"
#include "cli/exit_status.hpp"
#include "cli/input.hpp"
#include "cli/options.hpp"
#include "render/diff.hpp"

namespace ckpt_lease::cli {
namespace {

class Diff final : public Command {
 public:
    void declare(CLI::App& app) override {
        app.add_option("A", a_, "an image, or CRIU's folder or archive; - is standard input")
            ->type_name("")
            ->required()
            ->check(offer(kSubjects));
        app.add_option("B", b_, "another")->type_name("")->required()->check(offer(kSubjects));
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
            context.end_with(error);
            return kTrouble;
        }
    }
    [[nodiscard]] int status_of(const Error& /*error*/) const override { return kTrouble; }

 private:
    int compare(const Context& context) const {
        check_images({a_, b_});
        const linux_cr::Layout layout = layout_.layout(*context.environment.system);
        const Snapshot a = read(context, a_, layout);
        const Snapshot b = read(context, b_, layout);
        const render::Form form = context.form(json_, context.environment.out_page);
        return render::print_diff(context.out, form, a, b) ? kDiffer : kSame;
    }

    [[nodiscard]] Snapshot read(const Context& context, const std::string& name,
                                const linux_cr::Layout& layout) const {
        return open_to_look(context, name, wait_)->read_sound(layout);
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
