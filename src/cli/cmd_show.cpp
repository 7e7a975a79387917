// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "ckpt-lease/base/bytes.hpp"
#include "ckpt-lease/criu/checkpoint.hpp"
#include "cli/checkpoints.hpp"
#include "cli/command.hpp"
#include "cli/exit_status.hpp"
#include "cli/input.hpp"
#include "cli/live_show.hpp"
#include "cli/options.hpp"
#include "render/show_output.hpp"

namespace ckpt_lease::cli {
namespace {

class Show final : public Command {
 public:
    void declare(CLI::App& app) override {
        declare_images(app, images_, false);
        app.add_flag("-a,--all", all_,
                     "show POSIX and flock locks too, and which bytes they cover");
        app.add_flag("--tree", tree_,
                     "without IMAGE: the leases of the descendants of --pid as well");
        app.add_flag("--require-match", require_match_,
                     "exit with 4 if nothing in an image matches the filters");
        declare_json(app, json_);
        declare_wait(app, wait_);
        layout_.declare(app);
        filters_.declare(app);
        app.footer(
            R"(IMAGE may be a folder or an archive of CRIU's images, too. Without IMAGE, --pid
names live processes.

Examples:
  ckpt-lease show job.img                 who holds which lease, for how long
  checkpoint 42 | ckpt-lease show -       the same of an image on its way
  ckpt-lease show --pid 42                the same of a live process, now
  ckpt-lease show img                     of what criu dump -D img has written
  ckpt-lease show --target F_UNLCK *.img  only leases that are being taken away
  ckpt-lease show --json job.img | jq '.images[].leases[].remaining_seconds'

IDX is the record's index; a lease that is held through several descriptors has
several. SIG says whether the holder was signalled.)");
    }

    int run(const Context& context) override {
        const bool live = images_.empty();
        const linux_cr::Layout layout = layout_.layout(*context.environment.system);
        Filter filter = filters_.filter();
        if (live && filter.pids.empty()) {
            refuse("neither an image nor a process is given",
                   "give IMAGE, or --pid N for a live process");
        }
        if (!live) {
            check_images(images_);
            if (tree_) {
                refuse("--tree is about live processes", "give no image, and --pid");
            }
        }
        const auto output = json_
                                ? make_show_json(context.out, all_)
                                : make_show_table(context.out, context.environment.out_page, all_);
        output->begin();
        const int status = live ? try_live(context, filter, *output)
                                : for_each_image(context, images_, [&](const std::string& name) {
                                      return show(context, name, layout, filter, *output);
                                  });
        output->end();
        return status;
    }

 private:
    int show(const Context& context, const std::string& name, const linux_cr::Layout& layout,
             const Filter& filter, ShowOutput& output) const {
        if (is_checkpoint(*context.environment.system, name)) {
            return show_checkpoint(context, name, layout, filter, output);
        }
        linux_cr::Image image;
        try {
            Input input(context, name, {.wait = wait_, .any_link = true});
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
        return matched_status(context, name, matched);
    }

    // What was captured tells more than CRIU's images do, of leases; and nothing of other locks.
    int show_checkpoint(const Context& context, const std::string& name,
                        const linux_cr::Layout& layout, const Filter& filter,
                        ShowOutput& output) const {
        const auto files = criu::open_checkpoint(*context.environment.system, name);
        const bool captured = files->has(criu::kCapturedImage);
        bool matched = false;
        if (captured) {
            const std::string path = files->path_of(criu::kCapturedImage);
            const linux_cr::Image image = read_captured(context, *files, layout);
            check_captured_with(*files, image.facts);
            matched = output.image({path, layout.name, image, filter});
            if (image.damage) {
                throw Error(Error::Kind::damaged, *image.damage);
            }
        }
        if (!captured || all_) {
            criu::Checkpoint checkpoint = criu::read_checkpoint(*files);
            linux_cr::Image image;
            image.locks = std::move(checkpoint.locks);
            for (std::size_t i = 0; i < checkpoint.details.size(); ++i) {
                if (image.locks.at(i).kind == LockKind::lease) {
                    image.owners.emplace(i, checkpoint.details[i].owner);
                }
            }
            ShownImage shown{name, layout.name, image, filter};
            shown.checkpoint = &checkpoint.facts;
            matched |= output.image(shown);
        }
        return matched_status(context, name, matched);
    }

    // In a folder it is an image as any other, which somebody may be changing.
    [[nodiscard]] linux_cr::Image read_captured(const Context& context,
                                                criu::CheckpointFiles& files,
                                                const linux_cr::Layout& layout) const {
        const std::string path = files.path_of(criu::kCapturedImage);
        if (!files.is_archive()) {
            Input input(context, files.place_of(criu::kCapturedImage).value(),
                        {.wait = wait_, .only_regular = true, .any_link = true});
            return linux_cr::read_image(input.source(), layout);
        }
        const std::string bytes = files.read(criu::kCapturedImage).value_or("");
        io::MemorySource source(path, as_bytes(bytes));
        return linux_cr::read_image(source, layout);
    }

    int try_live(const Context& context, const Filter& filter, ShowOutput& output) const {
        return for_each_image(context, {name_of_processes(filter.pids)}, [&](const std::string&) {
            try {
                return show_live(context, filter, output);
            } catch (const Error& error) {
                show_failed_live(output, filter.pids, error.problem());
                throw;
            }
        });
    }

    int show_live(const Context& context, const Filter& filter, ShowOutput& output) const {
        Filter others = filter;
        others.pids.clear();
        const LiveLeases leases(filter.pids, tree_);
        const bool matched = leases.show(output, others);
        for (const Problem& problem : leases.unknown()) {
            context.complain(to_string(problem));
        }
        const int status = matched_status(context, leases.name(), matched);
        return status == kDone && !leases.unknown().empty() ? kPartly : status;
    }

    int matched_status(const Context& context, const std::string& name, bool matched) const {
        if (require_match_ && !matched) {
            context.complain(fmt::format("{}: nothing matches", name));
            return kNoMatch;
        }
        return kDone;
    }

    std::vector<std::string> images_;
    bool all_ = false;
    bool tree_ = false;
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
