// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/advice.hpp"
#include "cli/command.hpp"
#include "cli/exit_status.hpp"
#include "cli/options.hpp"
#include "render/recover.hpp"
#include "rewrite/image_file.hpp"
#include "subject/find_image.hpp"

namespace ckpt_lease::cli {
namespace {

class RecoverCommand final : public Command {
 public:
    void declare(CLI::App& app) override {
        app.add_option("IMAGE", images_,
                       "images, folders of checkpoints, or archives that are not compressed")
            ->type_name("")
            ->required()
            ->check(offer("*.img *.tar"));
        app.add_flag(
            "--copied", copied_,
            "the image and its journal were copied, or their file system was mounted anew: "
            "do not compare device and inode");
        declare_json(app, json_);
        declare_wait(app, wait_);
        app.footer(
            R"(While ckpt-lease rewrites IMAGE, the old bytes stand beside it in
IMAGE.ckpt-lease-journal. If a crash or a power failure leaves this file
behind, recover puts the old bytes back. policy and edit do so themselves, and
show and the like show the image as it was. Before a restart, run recover.

Examples:
  ckpt-lease recover job.img     take back what was interrupted
  ckpt-lease recover *.img && restart < job.img)");
    }

    int run(const Context& context) override {
        render::RecoverReport report(context.out, context.form(json_, {}));
        const int status = for_each_image(context, images_, [&](const std::string& name) {
            try {
                if (name == "-") {
                    refuse("standard input cannot be recovered", "give the name of the image");
                }
                const render::Recovery done = recover(*context.environment.system, name);
                if (done.put_back) {
                    context.note_change(name + " was changed");
                }
                report.image(done);
            } catch (const Error& error) {
                report.fail_image(name, error.problem(), context.text_of(error));
                throw;
            }
            return kDone;
        });
        report.end();
        return status;
    }

 private:
    // Images that need nothing need not be writable.
    [[nodiscard]] render::Recovery recover(io::System& system, const std::string& name) const {
        ImageFile::Options options{
            .wait = wait_, .copied = copied_, .only_regular = true, .any_link = true};
        const std::optional<io::Place> place = find_image(system, name);
        if (!place || !ImageFile(*place, options).was_interrupted()) {
            return {.image = name};
        }
        options.access = ImageFile::Access::write;
        const ImageFile image(*place, options);
        return {.image = name,
                .put_back = image.was_interrupted(),
                .edits = image.was_interrupted() ? image.interrupted().size() : 0};
    }

    std::vector<std::string> images_;
    bool copied_ = false;
    bool json_ = false;
    bool wait_ = false;
};

}  // namespace

std::unique_ptr<Command> make_recover() {
    return std::make_unique<RecoverCommand>();
}

}  // namespace ckpt_lease::cli
