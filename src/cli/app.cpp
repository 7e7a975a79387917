// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/app.hpp"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <csignal>
#include <exception>
#include <vector>

#include "base/nearest.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/base/text.hpp"
#include "cli/advice.hpp"
#include "cli/exit_status.hpp"
#include "cli/help_formatter.hpp"
#include "cli/log_format.hpp"
#include "cli/options.hpp"
#include "version.hpp"

namespace ckpt_lease::cli {
namespace {

struct CommandEntry {
    const char* name;
    const char* description;
    std::unique_ptr<Command> (*make)();
};

constexpr CommandEntry kCommands[] = {
    {"show", "Show who holds which lease, and how long still", make_show},
    {"policy", "Rewrite the time that the holders of leases being broken have left", make_policy},
    {"edit", "Rewrite one lease by hand", make_edit},
    {"verify", "Find everything that is wrong with an image", make_verify},
    {"records", "List all records of an image", make_records},
    {"diff", "Show how the leases of two images differ", make_diff},
    {"recover", "Take back a change that was interrupted", make_recover},
    {"undo", "Take back a change with the undo file that was kept of it", make_undo},
    {"capture", "Write the leases of live processes to an image", make_capture},
    {"apply", "Set the leases of live processes as an image says", make_apply},
    {"criu-hook", "Keep leases across a checkpoint with CRIU, as its action script",
     make_criu_hook},
    {"layouts", "List and print layouts of the lock records", make_layouts},
    {"schema", "Print what JSON looks like that ckpt-lease writes or reads", make_schema},
};

constexpr const char* kFooter = R"(Examples:
  ckpt-lease show job.img
  ckpt-lease policy --favor-holder job.img
  checkpoint 42 | ckpt-lease policy --add 10 - | restart

Exit status: 0 done; 1 an image is damaged or not supported; 2 usage; 3 input or
output failed; 4 --require-match, and nothing matched; 5 a lease of a live
process could not be looked into, or not be set.
'ckpt-lease help COMMAND' says more, and so does ckpt-lease(1).)";

constexpr const char* kLevels[] = {"warning", "info", "debug", "trace"};

// In `message`, and with what was meant if that can be guessed.
int report_mistake(render::Out& err, const std::string& message, const std::string& meant,
                   const std::string& command) {
    say(err,
        fmt::format("{} ({}see '{} --help')", message, meant.empty() ? "" : meant + " ", command));
    return kUsage;
}

// Of what is on the command line and is not expected there, the first.
int report_extra(const CLI::App& used, const std::string& command, render::Out& err) {
    const std::vector<std::string> extras = used.remaining(true);
    const std::string extra = extras.empty() ? std::string() : extras.front();
    if (extra.size() < 2 || extra.front() != '-') {
        return report_mistake(err, fmt::format("'{}' is an argument too many", escape(extra)), {},
                              command);
    }
    const std::string option = extra.substr(0, extra.find('='));
    std::vector<std::string> known;
    for (const CLI::Option* const each : used.get_options()) {
        for (const std::string& name : each->get_lnames()) {
            known.push_back("--" + name);
        }
    }
    return report_mistake(err, fmt::format("there is no option {}", escape(option)),
                          did_you_mean(option, known), command);
}

int report_usage_error(const CLI::App& app, const CLI::ParseError& error, render::Out& err) {
    const CLI::App* used = &app;
    while (!used->get_subcommands().empty()) {
        used = used->get_subcommands().front();
    }
    const std::string command =
        used == &app ? app.get_name() : app.get_name() + " " + used->get_name();
    if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
        return report_extra(*used, command, err);
    }
    return report_mistake(err, error.what(), {}, command);
}

int report_unknown_command(const std::string& name, render::Out& err) {
    std::vector<std::string> known{"help"};
    for (const CommandEntry& entry : kCommands) {
        known.emplace_back(entry.name);
    }
    return report_mistake(err, fmt::format("there is no command '{}'", escape(name)),
                          did_you_mean(name, known), "ckpt-lease");
}

// `ckpt-lease help show` is `ckpt-lease show --help`.
std::vector<const char*> without_help(int argc, const char* const* argv) {
    std::vector<const char*> words(argv, argv + argc);
    if (argc > 1 && std::string_view(argv[1]) == "help") {
        words.erase(words.begin() + 1);
        words.push_back("--help");
    }
    return words;
}

void set_up_log(const std::string& level) {
    auto logger = std::make_shared<spdlog::logger>(
        "ckpt-lease", std::make_shared<spdlog::sinks::stderr_sink_st>());
    logger->set_formatter(log_format("%n: %l: %*"));
    logger->set_level(spdlog::level::from_str(level));
    spdlog::set_default_logger(std::move(logger));
}

int run_command(Program& program, const Context& context) {
    try {
        const int status = program.chosen()->run(context);
        context.out.flush();
        context.err.flush();
        return status;
    } catch (const Error& error) {
        context.end_with(context.with_changes(error));
        context.err.flush();
        if (error.kind() == Error::Kind::interrupted) {
            // The signal that was put off does now what it always does.
            static_cast<void>(::raise(context.environment.stop_signal()));
        }
        return status_of(error);
    }
}

int print(std::string_view text, const Context& context) {
    try {
        context.out.write(text);
        context.out.flush();
        return kDone;
    } catch (const Error& error) {
        say(context.err, context.text_of(error));
        return status_of(error);
    }
}

// A script's "$OUT" that is not set must not be taken for an option that is not given.
void refuse_empty_values(CLI::App& app) {
    for (CLI::Option* const option : app.get_options()) {
        if (option->get_items_expected_max() > 0) {
            option->check([](const std::string& value) {
                return value.empty() ? std::string("the value is empty") : std::string();
            });
        }
    }
}

}  // namespace

Program::Program(std::optional<std::string_view> only)
    : app_("Show and rewrite file leases in checkpoint images", "ckpt-lease") {
    app_.set_version_flag("-V,--version", "ckpt-lease " CKPT_LEASE_VERSION);
    app_.set_help_all_flag("");
    app_.require_subcommand(1);
    app_.footer(kFooter);
    app_.formatter(std::make_shared<HelpFormatter>());
    for (const CommandEntry& entry : kCommands) {
        CLI::App* const app = app_.add_subcommand(entry.name, entry.description);
        commands_.push_back({app, entry.make()});
        if (only && *only != entry.name) {
            continue;
        }
        commands_.back().command->declare(*app);
        auto* const verbose = app->add_flag("-v,--verbose", verbosity_,
                                            "say more on standard error; -vv and -vvv still more");
        auto* const log_level =
            app->add_option("--log-level", log_level_,
                            "what to say on standard error: warning, info, debug or trace")
                ->type_name("LEVEL")
                ->check(one_of({std::begin(kLevels), std::end(kLevels)}));
        app->add_flag("-q,--quiet", quiet_, "say nothing on standard error but errors")
            ->excludes(verbose)
            ->excludes(log_level);
        app->add_option("--color,--colour", colour_,
                        "bold and dim text: auto (on terminals), always or never")
            ->type_name("WHEN")
            ->check(one_of({"auto", "always", "never"}));
        refuse_empty_values(*app);
    }
}

bool Program::has_command(std::string_view name) const {
    return std::any_of(commands_.begin(), commands_.end(),
                       [&](const Entry& entry) { return name == entry.app->get_name(); });
}

Command* Program::chosen() const {
    for (const Entry& entry : commands_) {
        if (entry.app->parsed()) {
            return entry.command.get();
        }
    }
    return nullptr;
}

std::string Program::log_level() const {
    if (!log_level_.empty()) {
        return log_level_;
    }
    return kLevels[std::min<std::size_t>(static_cast<std::size_t>(std::max(verbosity_, 0)),
                                         std::size(kLevels) - 1)];
}

int run(int argc, const char* const* argv, Environment& environment) {
    render::Out out(io::File::borrow(*environment.system, "standard output", STDOUT_FILENO),
                    render::Out::Kind::results);
    render::Out err(io::File::borrow(*environment.system, "standard error", STDERR_FILENO),
                    render::Out::Kind::messages);
    render::Document document(out);
    const Context context{environment, out, err, document};
    // To make the options of all commands takes longer than most commands do.
    const std::vector<const char*> words = without_help(argc, argv);
    Program program(words.size() > 1 ? words[1] : "");
    if (words.size() > 1 && words[1][0] != '-' && !program.has_command(words[1])) {
        return report_unknown_command(words[1], err);
    }
    try {
        program.app().parse(static_cast<int>(words.size()), words.data());
    } catch (const CLI::CallForHelp&) {
        return print(program.app().help(), context);  // of the command, where one was named
    } catch (const CLI::CallForVersion& version) {
        return print(fmt::format("{}\n", version.what()), context);
    } catch (const CLI::ParseError& error) {
        return report_usage_error(program.app(), error, err);
    }
    set_up_log(program.log_level());
    environment.out_page.colour = program.has_colour(environment.out_page.colour);
    environment.err_page.colour = program.has_colour(environment.err_page.colour);
    environment.err_is_terminal = environment.err_is_terminal && !program.is_quiet();
    render::Out unseen(io::File::borrow(*environment.system, "standard error", STDERR_FILENO),
                       render::Out::Kind::unseen);
    const CLI::App* const command = program.app().get_subcommands().front();
    std::vector<std::string> changes;
    document.set_words([command](const Problem& problem) { return in_words(problem, command); });
    return run_command(program, {environment, out, err, document, command,
                                 program.is_quiet() ? &unseen : nullptr, &changes});
}

}  // namespace ckpt_lease::cli
