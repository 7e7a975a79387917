// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "cli/exit_status.hpp"
#include "cli/options.hpp"
#include "cli/policy_run.hpp"

namespace ckpt_lease::cli {
namespace {

constexpr const char* kPolicyGroup = "Policies (exactly one): how much time is left afterwards";
constexpr const char* kModifierGroup = "Modifiers";
constexpr std::string_view kRules = "rules";
constexpr Nanoseconds kKernelDefault = std::chrono::seconds(45);

class PolicyCommand final : public Command {
 public:
    void declare(CLI::App& app) override {
        declare_images(app, images_);
        for (const PolicyKind& kind : policy_kinds()) {
            declare_policy(app, kind);
        }
        app.add_option("--rules", rules_,
                       "what the first matching rule of a JSON file says; - is standard input")
            ->type_name("FILE")
            ->group(kPolicyGroup)
            ->check(offer("*.json"));
        declare_modifiers(app);
        output_.declare(app);
        app.add_flag("--require-match", require_match_,
                     "exit with 4 if no lease being broken matches; no file is written then");
        declare_json(app, json_);
        declare_wait(app, wait_);
        layout_.declare(app);
        filters_.declare(app);
        app.footer(
            R"(Durations are 90, 90s, 1.5, 1m30s, 5min or 250ms. Only leases that are being
broken change, and of them only the time that is left (and, with --renotify,
whether the holder is signalled again).

Examples:
  ckpt-lease policy --favor-holder job.img        the whole lease-break-time
  ckpt-lease policy --add 10 --max 60 job.img     ten seconds more, 60 at most
  ckpt-lease policy --elapsed -o new.img job.img  as if it had not been stopped
  ckpt-lease policy --set 5 --comm smbd -n *.img  what would this change?
  ckpt-lease policy --add 5 img job.tar.zst       in checkpoints of CRIU
  checkpoint 42 | ckpt-lease policy --add 10 - | restart

If CRIU's hook captured no leases, only --favor-holder and --favor-breaker work.
-o takes an archive, and no folder. ckpt-lease-policy(1) says more.)");
    }

    int run(const Context& context) override {
        const bool to_stdout = output_.is_stdout(images_);
        if (json_ && to_stdout) {
            context.put_document_on_standard_error();
        }
        output_.check(images_);
        if (to_stdout && !output_.target().dry_run) {
            refuse_terminal(context.environment);
        }
        PolicyRunner::Settings settings;
        render::PolicyRun facts;
        settings.request.rules = rules(context, facts);
        settings.request.layout = layout_.layout(*context.environment.system);
        settings.request.now = now_.empty() ? context.environment.now() : parse_moment(now_);
        settings.target = output_.target();
        settings.wait = wait_;
        settings.require_match = require_match_;
        facts.dry_run = settings.target.dry_run;
        find_lease_break_time(context, facts);
        settings.request.lease_break_time = facts.lease_break_time;

        render::PolicyReport report(context.reports(),
                                    context.form(json_, context.environment.err_page), facts);
        PolicyRunner runner(context, settings, report);
        const int status = for_each_image(
            context, images_, [&](const std::string& image) { return runner.run(image); });
        report.end();
        return status;
    }

 private:
    void declare_policy(CLI::App& app, const PolicyKind& kind) {
        std::string names = fmt::format("--{}", kind.name);
        if (!kind.alias.empty()) {
            names += fmt::format(",--{}", kind.alias);
        }
        const std::string help(kind.help);
        if (kind.argument.empty()) {
            app.add_flag(names, flags_[kind.name], help)->group(kPolicyGroup);
        } else {
            app.add_option(names, arguments_[kind.name], help)
                ->type_name(std::string(kind.argument))
                ->group(kPolicyGroup);
        }
    }

    void declare_modifiers(CLI::App& app) {
        app.add_option("--min", min_, "then: at least D")->type_name("D")->group(kModifierGroup);
        app.add_option("--max", max_, "and at most D")->type_name("D")->group(kModifierGroup);
        app.add_flag("--renotify", renotify_, "have the holder signalled again")
            ->group(kModifierGroup);
        app.add_option("--lease-break-time", lease_break_time_,
                       "for --favor-holder; /proc/sys/fs/lease-break-time if not given, 45 if "
                       "there is none")
            ->type_name("D")
            ->group(kModifierGroup);
        app.add_option("--now", now_,
                       "for --elapsed: the time it is, as 2026-11-22T19:33:00Z or @SECONDS")
            ->type_name("TIME")
            ->group(kModifierGroup);
    }

    // What was asked for, as rules and in words.
    RuleSet rules(const Context& context, render::PolicyRun& facts) const {
        std::vector<std::pair<const PolicyKind*, std::string>> asked;
        for (const PolicyKind& kind : policy_kinds()) {
            if (const auto flag = flags_.find(kind.name); flag != flags_.end() && flag->second) {
                asked.emplace_back(&kind, "");
            }
            if (const auto argument = arguments_.find(kind.name);
                argument != arguments_.end() && argument->second) {
                asked.emplace_back(&kind, *argument->second);
            }
        }
        if (asked.size() + (rules_.empty() ? 0 : 1) != 1) {
            std::string names;
            for (const PolicyKind& kind : policy_kinds()) {
                names += fmt::format("{}--{}", names.empty() ? "" : ", ", kind.name);
            }
            refuse(asked.empty() && rules_.empty() ? "no policy is given"
                                                   : "more than one policy is given",
                   fmt::format("give just one of {} and --rules", names));
        }
        Treatment treatment;
        if (!min_.empty()) {
            treatment.min = parse_duration(min_);
        }
        if (!max_.empty()) {
            treatment.max = parse_duration(max_);
        }
        treatment.renotify = renotify_;
        treatment.check();
        facts.min = treatment.min;
        facts.max = treatment.max;
        facts.renotify = renotify_;
        const Filter filter = filters_.filter();
        if (!rules_.empty()) {
            return rules_of_file(context, treatment, filter, facts);
        }
        facts.policy = asked.front().first->name;
        facts.argument = asked.front().second;
        Treatment asked_for = Treatment::of(*asked.front().first, facts.argument);
        asked_for.bound_by(treatment);
        return {{{filter, asked_for}}, std::nullopt};
    }

    // Filters and modifiers hold for every rule: a lease must match both, and is bounded by both.
    RuleSet rules_of_file(const Context& context, const Treatment& modifiers, const Filter& filter,
                          render::PolicyRun& facts) const {
        if (rules_ == "-" && std::find(images_.begin(), images_.end(), "-") != images_.end()) {
            refuse("standard input can be read only once: it cannot be rules and image",
                   "give the name of a file for one of them");
        }
        facts.policy = kRules;
        facts.argument = rules_;
        RuleSet set = parse_rules(rules_, read_text_file(*context.environment.system, rules_));
        if (set.otherwise) {
            set.rules.push_back({Filter(), *set.otherwise});
            set.otherwise.reset();
        }
        for (Rule& rule : set.rules) {
            rule.match.add(filter);
            rule.treatment.bound_by(modifiers);
            rule.treatment.check();
        }
        return set;
    }

    void find_lease_break_time(const Context& context, render::PolicyRun& facts) const {
        if (!lease_break_time_.empty()) {
            facts.lease_break_time = parse_duration(lease_break_time_);
            facts.lease_break_time_source = render::TimeSource::option;
            if (facts.lease_break_time.count() < 0) {
                refuse("--lease-break-time is below 0");
            }
            return;
        }
        facts.lease_break_time = kKernelDefault;
        facts.lease_break_time_source = render::TimeSource::fallback;
        try {
            std::string text =
                read_text_file(*context.environment.system, "/proc/sys/fs/lease-break-time");
            text.erase(text.find_last_not_of(" \n") + 1);
            facts.lease_break_time = parse_duration(text);
            facts.lease_break_time_source = render::TimeSource::system;
        } catch (const Error&) {
            // Not on every system, and not in every container: the default serves.
        }
    }

    std::vector<std::string> images_;
    std::map<std::string_view, bool> flags_;
    std::map<std::string_view, std::optional<std::string>> arguments_;
    std::string rules_;
    std::string min_;
    std::string max_;
    bool renotify_ = false;
    std::string lease_break_time_;
    std::string now_;
    OutputOptions output_;
    bool require_match_ = false;
    bool json_ = false;
    bool wait_ = false;
    FilterOptions filters_;
    LayoutOption layout_;
};

}  // namespace

std::unique_ptr<Command> make_policy() {
    return std::make_unique<PolicyCommand>();
}

}  // namespace ckpt_lease::cli
