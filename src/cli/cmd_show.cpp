// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "cli/command.hpp"
#include "cli/exit_status.hpp"
#include "cli/input.hpp"
#include "cli/options.hpp"
#include "render/show_output.hpp"

namespace ckpt_lease::cli {
namespace {

class Show final : public Command {
 public:
    void declare(CLI::App& app) override {
        declare_images(app, images_);
        app.add_flag("-a,--all", all_,
                     "show POSIX and flock locks too, and which bytes they cover");
        app.add_flag("--require-match", require_match_,
                     "exit with 4 if nothing in an image matches the filters");
        declare_json(app, json_);
        declare_wait(app, wait_);
        layout_.declare(app);
        filters_.declare(app);
        app.footer(R"(Examples:
  ckpt-lease show job.img                 who holds which lease, for how long
  checkpoint 42 | ckpt-lease show -       the same of an image on its way
  ckpt-lease show --target F_UNLCK *.img  only leases that are being taken away
  ckpt-lease show --json job.img | jq '.images[].leases[].remaining_seconds'

IDX is the record's index; a lease that is held through several descriptors has
several. SIG says whether the holder was signalled.)");
    }

    int run(const Context& context) override {
        check_images(images_);
        const linux_cr::Layout layout = layout_.layout(*context.environment.system);
        const Filter filter = filters_.filter();
        const auto output = json_
                                ? make_show_json(context.out, all_)
                                : make_show_table(context.out, context.environment.out_page, all_);
        output->begin();
        const int status = for_each_image(context, images_, [&](const std::string& name) {
            return show(context, name, layout, filter, *output);
        });
        output->end();
        return status;
    }

 private:
    int show(const Context& context, const std::string& name, const linux_cr::Layout& layout,
             const Filter& filter, ShowOutput& output) const {
        linux_cr::Image image;
        try {
            Input input(context, name, {.wait = wait_});
            image = linux_cr::read_image(input.source(), layout);
        } catch (const Error& error) {
            image.damage = error.problem();
            output.image({name, layout.name, image, filter});
            throw;
        }
        spdlog::info("{}: {} records, {} locks", name, image.facts.records, image.locks.size());
        const bool matched = output.image({name, layout.name, image, filter});
        if (image.damage) {
            throw Error(Error::Kind::damaged, *image.damage);
        }
        if (require_match_ && !matched) {
            context.complain(fmt::format("{}: nothing matches", name));
            return kNoMatch;
        }
        return kDone;
    }

    std::vector<std::string> images_;
    bool all_ = false;
    bool json_ = false;
    bool wait_ = false;
    bool require_match_ = false;
    FilterOptions filters_;
    LayoutOption layout_;
};

}  // namespace

std::unique_ptr<Command> make_show() {
    return std::make_unique<Show>();
}

}  // namespace ckpt_lease::cli
