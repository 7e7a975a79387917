// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/advice.hpp"
#include "cli/command.hpp"
#include "cli/containers.hpp"
#include "cli/exit_status.hpp"
#include "cli/input.hpp"
#include "cli/live_options.hpp"
#include "cli/live_show.hpp"
#include "cli/options.hpp"
#include "cli/watch.hpp"
#include "criu/checkpoint.hpp"
#include "render/show.hpp"

namespace ckpt_lease::cli {
namespace {

constexpr const char* kTableGroup = "Table";

// --columns and the like
class TableOptions {
 public:
    // Only where there is no --json, which prints everything.
    void declare(CLI::App& app) {
        std::string headings;
        for (const render::Column* const column : render::text_columns()) {
            headings += fmt::format("{} ", column->heading);
        }
        std::vector<CLI::Option*> options{
            app.add_option("--columns", columns_,
                           "which columns, as PATH,REMAINING; +LIST: the usual ones and these")
                ->type_name("LIST")
                ->check(offer("<list> " + headings)),
            app.add_option("--sort", sort_, "in the order of this column")
                ->type_name("COLUMN")
                ->check(offer(headings)),
            app.add_flag("-n,--noheadings", no_headings_, "no line of headings, nor about images"),
            app.add_flag("-r,--raw", raw_, "for scripts: no alignment; spaces in cells are \\x20"),
            app.add_flag("-P,--pairs", pairs_, "for scripts: COLUMN=\"cell\" for each cell"),
        };
        for (CLI::Option* const option : options) {
            option->group(kTableGroup)->excludes(app.get_option("--json"));
        }
        options.back()->excludes(app.get_option("--raw"));
        options_ = std::move(options);
    }

    // Throws Error(refused) if one is given.
    void refuse_without_table() const {
        for (const CLI::Option* const option : options_) {
            if (option->count() > 0) {
                const std::string name = "--" + option->get_lnames().front();
                refuse(fmt::format("{} is about the table, and --watch draws it only on a terminal "
                                   "that can be cleared",
                                   name),
                       fmt::format("leave out {}", name));
            }
        }
    }

    // Throws Error(refused) if there are no such columns.
    [[nodiscard]] render::ShowTable table(bool all, bool tree) const {
        render::ShowTable table{.all = all, .headings = !no_headings_, .tree = tree};
        if (!columns_.empty()) {
            table.columns = render::parse_columns(columns_);
        }
        if (!sort_.empty()) {
            table.sorted_by = &render::find_column(sort_);
        }
        table.lines = raw_     ? render::Table::Lines::raw
                      : pairs_ ? render::Table::Lines::pairs
                               : render::Table::Lines::aligned;
        return table;
    }

 private:
    std::string columns_;
    std::string sort_;
    bool no_headings_ = false;
    bool raw_ = false;
    bool pairs_ = false;
    std::vector<CLI::Option*> options_;
};

class Show final : public Command {
 public:
    void declare(CLI::App& app) override {
        declare_images(app, images_, false);
        app.add_flag("-a,--all", all_,
                     "of an image: show POSIX and flock locks too, and which bytes they "
                     "cover");
        app.add_flag("--tree", tree_,
                     "without IMAGE: the descendants of --pid as well, drawn as a tree");
        auto* const container = declare_container(app, container_);
        app.add_flag("--system", system_, "without IMAGE: all processes of the machine")
            ->excludes(container)
            ->excludes(app.get_option("--tree"));
        app.add_flag("--require-match", require_match_,
                     "exit with 4 if nothing in an image matches the filters");
        app.add_option("--watch", watch_,
                       "without IMAGE: again and again, every SECONDS (2 if not given); if it is "
                       "not printed on a terminal, what becomes of the leases, a line each")
            ->type_name("[SECONDS]")
            ->expected(0, 1)
            ->default_str("2")
            ->excludes(app.get_option("--require-match"));
        declare_json(app, json_);
        table_.declare(app);
        declare_wait(app, wait_);
        layout_.declare(app);
        filters_.declare(app);
        app.footer(
            R"(Without IMAGE, --pid, --container or --system name live processes.
ckpt-lease(1) says what IMAGE can be.

Examples:
  ckpt-lease show job.img                 who holds which lease, for how long
  checkpoint 42 | ckpt-lease show -       the same of an image on its way
  ckpt-lease show --pid 42                the same of a live process, now
  ckpt-lease show --pid 42 --watch        and what becomes of it
  ckpt-lease show --container web         the same of a container
  ckpt-lease show --system                the same of the whole machine
  ckpt-lease show img                     of what criu dump -D img has written
  ckpt-lease show job.tar.zst             of what podman has exported
  ckpt-lease show --breaking *.img        only leases that are being broken
  ckpt-lease show --json job.img | jq '.images[].leases[].remaining_seconds'

Columns of the table:
)" + render::describe_columns());
    }

    int run(const Context& context) override {
        const linux_cr::Layout layout = layout_.layout(*context.environment.system);
        const Filter filter = filters_.filter();
        const bool live = images_.empty();
        if (!live) {
            check_images(images_);
        }
        check_options(live, filter);
        if (live && watch_) {
            return watch(context, filter);
        }
        render::ShowReport report(context.out, context.form(json_, context.environment.out_page),
                                  table_.table(all_, tree_));
        const int status = live ? try_live(context, filter, report)
                                : for_each_image(context, images_, [&](const std::string& name) {
                                      return show(context, name, layout, filter, report);
                                  });
        report.end();
        return status;
    }

 private:
    // Throws Error(refused) if options are about the other kind of subject.
    void check_options(bool live, const Filter& filter) const {
        if (!live) {
            for (const auto& [is_given, option] :
                 {std::pair(tree_, "--tree"), std::pair(watch_.has_value(), "--watch"),
                  std::pair(!container_.empty(), "--container"), std::pair(system_, "--system")}) {
                if (is_given) {
                    refuse(fmt::format("{} is about live processes", option),
                           std::string_view(option) == "--tree" ||
                                   std::string_view(option) == "--watch"
                               ? "give no image, and --pid"
                               : "give no image");
                }
            }
            return;
        }
        const bool has_choice = system_ || !container_.empty();
        if (filter.pids.empty() && !has_choice) {
            refuse("neither an image nor a process is given",
                   "give IMAGE, or --pid N for a live process");
        }
        if (!filter.pids.empty() && has_choice) {
            refuse(fmt::format("--pid and {} cannot both be given",
                               system_ ? "--system" : "--container"),
                   "");
        }
        if (all_) {
            refuse("--all is about images: of live processes only leases are looked at",
                   "lslocks(8) lists their other locks");
        }
    }

    // Throws Error(io) if there is no such container.
    [[nodiscard]] LiveChoice choose(const Filter& filter) const {
        if (system_) {
            return {.system = true, .name = name_of(filter)};
        }
        if (!container_.empty()) {
            return find_container(container_);
        }
        return {.pids = filter.pids, .tree = tree_, .name = name_of(filter)};
    }
    [[nodiscard]] std::string name_of(const Filter& filter) const {
        return system_              ? "system"
               : container_.empty() ? name_of_processes(filter.pids)
                                    : "container " + container_;
    }

    int show(const Context& context, const std::string& name, const linux_cr::Layout& layout,
             const Filter& filter, render::ShowReport& report) const {
        std::string shown = name;
        bool matched = false;
        bool is_told = false;  // of what is shown: an error that follows is said elsewhere
        const Problem unmatched = no_match(name);
        const auto show = [&](const Snapshot& snapshot, bool is_last) {
            shown = snapshot.origin.name;
            spdlog::info("{}: {} locks", shown, snapshot.locks.size());
            is_told = true;
            const bool has_to_match = require_match_ && is_last && !matched;
            matched |= report.snapshot(snapshot, filter, has_to_match ? &unmatched : nullptr);
            if (snapshot.damage) {
                throw Error(Error::Kind::damaged, *snapshot.damage);
            }
            is_told = false;
        };
        try {
            const auto subject = open_to_look(context, name, wait_);
            // What was captured tells more than CRIU's images do, of leases; and nothing of other
            // locks.
            const bool shows_checkpoint =
                subject->has_checkpoint() && (!subject->has_image() || all_);
            if (subject->has_image()) {
                shown = subject->image_name();
                show(subject->read(layout), !shows_checkpoint);
            }
            if (shows_checkpoint) {
                shown = name;
                show(subject->read_checkpoint(), true);
            }
        } catch (const Error& error) {
            if (!is_told) {
                Snapshot failed;
                failed.origin.name = shown;
                failed.origin.subject = name;
                failed.damage = error.problem();
                report.snapshot(failed, filter);
            }
            throw;
        }
        return matched_status(context, name, matched);
    }

    int try_live(const Context& context, const Filter& filter, render::ShowReport& report) const {
        return for_each_image(context, {name_of(filter)}, [&](const std::string& name) {
            try {
                return show_live(context, filter, report);
            } catch (const Error& error) {
                Snapshot nothing;
                nothing.origin = {.name = name, .format = Format::live};
                nothing.damage = error.problem();
                report.snapshot(nothing, filter);
                throw;
            }
        });
    }

    int show_live(const Context& context, const Filter& filter, render::ShowReport& report) const {
        const LiveLeases leases = read_live(choose(filter));
        const Problem unmatched = no_match(leases.snapshot.origin.name);
        const bool matched = report.snapshot(leases.snapshot, without_processes(filter),
                                             require_match_ ? &unmatched : nullptr);
        for (const Problem& problem : leases.unknown) {
            context.fail(leases.snapshot.origin.name, problem);
        }
        const int status = matched_status(context, leases.snapshot.origin.name, matched);
        return status == kDone && !leases.unknown.empty() ? kPartly : status;
    }

    // Of a snapshot, what was asked for but the processes.
    static Filter without_processes(Filter filter) {
        filter.pids.clear();
        return filter;
    }

    [[nodiscard]] Nanoseconds interval() const {
        constexpr Nanoseconds kLeast = std::chrono::milliseconds(100);
        const Nanoseconds interval = parse_duration(*watch_);
        if (interval < kLeast) {
            refuse(fmt::format("--watch {}: 0.1 is the least", *watch_));
        }
        return interval;
    }

    int watch(const Context& context, const Filter& filter) const {
        const bool on_screen = context.environment.out_is_screen && !json_;
        if (!on_screen) {
            table_.refuse_without_table();
        }
        const Nanoseconds every = interval();
        context.document.set_subject(name_of(filter));
        const WatchRequest request{.interval = every,
                                   .choice = choose(filter),
                                   .json = json_,
                                   .on_screen = on_screen,
                                   .filter = without_processes(filter),
                                   .table = table_.table(false, tree_)};
        cli::watch(context, request, read_live(request.choice));
        return kDone;
    }

    static Problem no_match(const std::string& name) {
        return {.file = name, .message = "nothing matches", .code = Problem::Code::no_match};
    }

    int matched_status(const Context& context, const std::string& name, bool matched) const {
        if (require_match_ && !matched) {
            context.fail_to_match(name, no_match(name), fmt::format("{}: nothing matches", name));
            return kNoMatch;
        }
        return kDone;
    }

    std::vector<std::string> images_;
    bool all_ = false;
    bool tree_ = false;
    std::string container_;
    bool system_ = false;
    std::optional<std::string> watch_;
    bool json_ = false;
    bool wait_ = false;
    bool require_match_ = false;
    TableOptions table_;
    FilterOptions filters_;
    LayoutOption layout_;
};

}  // namespace

std::unique_ptr<Command> make_show() {
    return std::make_unique<Show>();
}

}  // namespace ckpt_lease::cli
