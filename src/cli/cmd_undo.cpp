// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include "ckpt-lease/base/text.hpp"
#include "cli/command.hpp"
#include "cli/exit_status.hpp"
#include "cli/input.hpp"
#include "cli/options.hpp"
#include "render/recover.hpp"
#include "rewrite/undo.hpp"
#include "subject/find_image.hpp"

namespace ckpt_lease::cli {
namespace {

class UndoCommand final : public Command {
 public:
    void declare(CLI::App& app) override {
        app.add_option("FILE", undo_file_, "what --undo-file kept")
            ->type_name("")
            ->required()
            ->check(offer("*"));
        app.add_option("--image", image_,
                       "a copy of the image that the undo file was made for, or the folder with "
                       "it; without this, that "
                       "itself, where it was then")
            ->type_name("IMAGE")
            ->check(offer(kSubjects));
        declare_json(app, json_);
        declare_wait(app, wait_);
        app.footer(
            R"(FILE stays as it is. The image must be the one that FILE was made for, and must
not have been changed again at these places.

Examples:
  ckpt-lease policy --add 10 --undo-file job.undo job.img
  ckpt-lease undo job.undo                      job.img is as it was before
  ckpt-lease undo --image copy.img job.undo     a copy of it, made after)");
    }

    int run(const Context& context) override {
        io::System& system = *context.environment.system;
        context.document.set_subject(undo_file_);
        if (undo_file_ == "-") {
            refuse("an undo file is not read from standard input",
                   "give the name of what policy --undo-file or edit --undo-file kept");
        }
        const Journal journal = read_undo_file(system, undo_file_);
        const bool is_copy = !image_.empty();
        const std::optional<io::Place> place = find_image(system, is_copy ? image_ : journal.image);
        if (!place) {
            refuse(fmt::format("{}: no leases were captured with this checkpoint", escape(image_)),
                   "give a copy of the image that was changed");
        }
        ImageFile image =
            open_to_undo(*place, journal, undo_file_, {.copied = is_copy, .wait = wait_});
        tell_of_interruption(context, image.file().name(), image);
        render::Recovery recovery;
        recovery.image = image.file().name();
        recovery.edits = journal.edits.size();
        {
            const io::Progress progress = progress_on(context, image.file());
            const StopSignals stop_signals;
            recovery.put_back = undo(image, journal, undo_file_, is_copy, progress) == Undone::now;
        }
        if (recovery.put_back) {
            context.note_change(recovery.image + " was changed");
        }
        render::print_undo(context.out, context.form(json_, {}), undo_file_, recovery);
        return kDone;
    }

 private:
    std::string undo_file_;
    std::string image_;
    bool json_ = false;
    bool wait_ = false;
};

}  // namespace

std::unique_ptr<Command> make_undo() {
    return std::make_unique<UndoCommand>();
}

}  // namespace ckpt_lease::cli
