// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/command.hpp"
#include "cli/exit_status.hpp"
#include "cli/options.hpp"
#include "render/layouts.hpp"

namespace ckpt_lease::cli {
namespace {

class Layouts final : public Command {
 public:
    void declare(CLI::App& app) override {
        app.add_option("LAYOUT", layout_,
                       "print this one as JSON: the name of a built-in layout, or a file to check")
            ->type_name("")
            ->check(offer("<layout> *.json"));
        declare_json(app, json_);
        app.footer(R"(Examples:
  ckpt-lease layouts                        list those that are built in
  ckpt-lease layouts lease-1 > mine.json    one to start from
  ckpt-lease layouts ./mine.json            is it right?
  ckpt-lease show --layout ./mine.json job.img)");
    }

    int run(const Context& context) override {
        if (layout_.empty()) {
            render::print_layouts(context.out, context.form(json_, context.environment.out_page),
                                  linux_cr::built_in_layouts());
            return kDone;
        }
        const std::string text = layout_text(*context.environment.system, layout_);
        static_cast<void>(linux_cr::parse_layout(layout_, text));  // is it right?
        context.out.write(text);
        return kDone;
    }

 private:
    std::string layout_;
    bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_layouts() {
    return std::make_unique<Layouts>();
}

}  // namespace ckpt_lease::cli
