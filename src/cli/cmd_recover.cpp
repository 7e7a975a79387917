// SPDX-License-Identifier: GPL-2.0-or-later
#include "ckpt-lease/rewrite/image_file.hpp"
#include "cli/command.hpp"
#include "cli/exit_status.hpp"
#include "cli/options.hpp"
#include "render/recovery_output.hpp"

namespace ckpt_lease::cli {
namespace {

class RecoverCommand final : public Command {
 public:
    void declare(CLI::App& app) override {
        app.add_option("IMAGE", images_, "checkpoint images")->type_name("")->required();
        app.add_flag(
            "--copied", copied_,
            "the image and its journal were copied, or their file system was mounted anew: "
            "do not compare device and inode");
        declare_json(app, json_);
        declare_wait(app, wait_);
        app.footer(
            R"(While ckpt-lease rewrites IMAGE, the old bytes stand beside it in
IMAGE.ckpt-lease-journal. Where that is left behind, by a crash or a power
failure, this puts them back. policy and edit do so themselves, and show and the
like show the image as it was; a restart needs this.

Examples:
  ckpt-lease recover job.img     whatever happened, it is whole again
  ckpt-lease recover *.img && restart < job.img)");
    }

    int run(const Context& context) override {
        const auto output = json_ ? make_recover_json(context.out) : make_recover_text(context.out);
        output->begin();
        const int status = for_each_image(context, images_, [&](const std::string& name) {
            if (name == "-") {
                refuse("standard input cannot be recovered", "give the name of the image");
            }
            try {
                output->image(recover(*context.environment.system, name));
            } catch (const Error& error) {
                output->failed(name, error.what());
                throw;
            }
            return kDone;
        });
        output->end();
        return status;
    }

 private:
    // Images that need nothing need not be writable.
    [[nodiscard]] Recovery recover(io::System& system, const std::string& name) const {
        ImageFile::Options options{
            .wait = wait_, .copied = copied_, .only_regular = true, .any_link = true};
        const io::Place place = io::find_place(system, name, "open");
        if (!ImageFile(place, options).was_interrupted()) {
            return {.image = name};
        }
        options.access = ImageFile::Access::write;
        const ImageFile image(place, options);
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
