// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>

#include "base/joined.hpp"
#include "cli/advice.hpp"
#include "cli/command.hpp"
#include "cli/containers.hpp"
#include "cli/exit_status.hpp"
#include "cli/input.hpp"
#include "cli/live_options.hpp"
#include "cli/options.hpp"
#include "live/apply.hpp"
#include "live/stopped.hpp"
#include "live/target.hpp"
#include "render/apply.hpp"
#include "subject/opened.hpp"

namespace ckpt_lease::cli {
namespace {

class Apply final : public Command {
 public:
    void declare(CLI::App& app) override {
        app.add_option("IMAGE", image_,
                       "an image of capture, or CRIU's folder or archive; - is standard input")
            ->type_name("")
            ->required()
            ->check(offer(kSubjects));
        app.add_option("--pid", pids_,
                       "look for the image's tasks in the tree of this process, by their pids in "
                       "its container; without it, they have the pids that stand in the image")
            ->type_name("N")
            ->allow_extra_args(false)
            ->check(offer("<pid>"));
        declare_container(app, container_)->excludes("--pid");
        app.add_option("--begin", begin_,
                       "count the remaining times from TIME, the start of the restart: seconds of "
                       "CLOCK_MONOTONIC (the first number in /proc/uptime is near it); now if not "
                       "given")
            ->type_name("TIME");
        app.add_flag("--any-path", any_path_,
                     "also where a descriptor leads to another path than in the image");
        CLI::Option* const stop = app.add_flag(
            "--stop", stop_,
            "stop the processes that hold the leases and those that wait for them, and let them "
            "go on afterwards");
        app.add_flag("-n,--dry-run", dry_run_, "say what would be done, and do nothing")
            ->excludes(stop);
        declare_json(app, json_);
        declare_wait(app, wait_);
        app.footer(
            R"(The processes must be stopped, and nobody else may have their files open or
wait for them: a restart sees to this before it lets them run, and here --stop
does.

Examples:
  ckpt-lease apply leases.img              on the processes that were captured
  ckpt-lease apply --pid 4711 leases.img   on a tree that was restored elsewhere
  ckpt-lease apply --container web leases.img
  ckpt-lease apply -n leases.img           to see what would be done
  ckpt-lease apply --stop leases.img       on processes that are running

On a kernel without the ckpt-lease patch this takes each lease and sets it anew,
and changes /proc/sys/fs/lease-break-time for an instant: ckpt-lease-apply(1)
says more.)");
    }

    int run(const Context& context) override {
        render::Applied applied;
        applied.image = image_;
        applied.dry_run = dry_run_;
        live::ApplyOptions options;
        options.dry_run = dry_run_;
        options.begin = begin();
        options.tell = [&](const Problem& problem) { context.warn(image_, problem); };
        const linux_cr::Image image = read(context);
        const std::vector<live::Process> processes = find_processes(image);
        applied.targets = live::find_targets(image, processes, where());
        std::vector<live::WantedLease> wanted = applied.targets.wanted;
        for (live::WantedLease& lease : wanted) {
            lease.path = any_path_ ? std::string() : lease.path;
        }
        applied.results = set(wanted, processes, options);
        for (live::AppliedLease& result : applied.results) {
            result.reason = reason_of(result);
        }
        const auto is_set = [](const live::AppliedLease& result) {
            return result.outcome == live::AppliedLease::Outcome::set;
        };
        if (!dry_run_ && std::any_of(applied.results.begin(), applied.results.end(), is_set)) {
            context.note_change("leases were set");
        }
        render::print_applied(context.out, context.form(json_, context.environment.out_page),
                              applied);
        return render::is_all_set(applied) ? kDone : kPartly;
    }

 private:
    [[nodiscard]] std::vector<live::AppliedLease> set(const std::vector<live::WantedLease>& wanted,
                                                      const std::vector<live::Process>& processes,
                                                      live::ApplyOptions options) const {
        std::optional<live::Stopped> stopped;
        if (stop_) {
            stopped.emplace(wanted, processes);
            options.hold = &stopped->hold();
        }
        return live::apply(wanted, options);
    }

    // Where the tasks of the image are looked for; empty: everywhere.
    [[nodiscard]] std::string where() const {
        if (!container_.empty()) {
            return fmt::format("in the container {}", container_);
        }
        return pids_.empty() ? std::string()
                             : fmt::format("in the tree of process {}", joined(pids_, " or "));
    }

    [[nodiscard]] std::optional<live::SteadyTime> begin() const {
        if (begin_.empty()) {
            return std::nullopt;
        }
        const Nanoseconds time = parse_duration(begin_);
        if (time.count() <= 0) {
            refuse("--begin is a time after the machine was started");
        }
        return live::SteadyTime(time);
    }

    [[nodiscard]] linux_cr::Image read(const Context& context) const {
        return open_to_look(context, image_, wait_)
            ->opened()
            .read_sound_image(linux_cr::default_layout());
    }

    [[nodiscard]] std::vector<live::Process> find_processes(const linux_cr::Image& image) const {
        const LiveChoice choice = container_.empty()
                                      ? LiveChoice{.pids = parse_pids("--pid", pids_), .tree = true}
                                      : find_container(container_);
        return choice.pids.empty() ? live::read_holders(image)
                                   : read_processes(choice, live::Reading::names);
    }

    std::string image_;
    std::vector<std::string> pids_;
    std::string container_;
    std::string begin_;
    bool any_path_ = false;
    bool stop_ = false;
    bool dry_run_ = false;
    bool json_ = false;
    bool wait_ = false;
};

}  // namespace

std::unique_ptr<Command> make_apply() {
    return std::make_unique<Apply>();
}

}  // namespace ckpt_lease::cli
