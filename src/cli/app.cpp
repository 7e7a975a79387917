// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/app.hpp"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <exception>
#include <iterator>
#include <vector>

#include "ckpt-lease/base/problem.hpp"
#include "cli/advice.hpp"
#include "cli/exit_status.hpp"
#include "cli/help_formatter.hpp"
#include "cli/log_format.hpp"
#include "cli/mistakes.hpp"
#include "cli/options.hpp"
#include "version.hpp"

namespace ckpt_lease::cli {
namespace {

using std::string_view_literals::operator""sv;

struct CommandEntry {
    const char* name;
    const char* description;
    std::unique_ptr<Command> (*make)();
};

constexpr CommandEntry kCommands[] = {
    {"show", "Show who holds which lease, and for how long", make_show},
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
    {"schema", "Print the JSON schemas of what ckpt-lease writes and reads", make_schema},
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

// Whether the command line asks for JSON: it could not be read to its end.
bool asks_for_json(const CLI::App& command, const std::vector<const char*>& words) {
    const std::vector<const char*> options(words.begin(),
                                           std::find(words.begin(), words.end(), "--"sv));
    const auto has = [&](const std::string& name) {
        return command.get_option_no_throw(name) != nullptr &&
               std::any_of(options.begin(), options.end(), [&](std::string_view word) {
                   return word == name || word.starts_with(name + "=");
               });
    };
    return has("--json") && !has("--watch");  // which prints lines
}

// Whether an image would have gone to standard output: with -o -, or without -o where - is the
// image.
bool would_print_image(const CLI::App& command, const std::vector<const char*>& words) {
    bool is_piped = false;
    std::string_view before;
    for (const std::string_view word : words) {
        if (before == "--output" || word.starts_with("--output=")) {
            return word == "-" || word == "--output=-";
        }
        // Several short ones may stand in one word, -qo OUT or -qoOUT.
        const bool is_short = word.size() > 1 && word[0] == '-' && word[1] != '-';
        const std::size_t letter = is_short ? word.find_first_of("no") : std::string_view::npos;
        if (word == "--dry-run" || (letter != std::string_view::npos && word[letter] == 'n')) {
            return false;
        }
        if (letter != std::string_view::npos && letter + 1 < word.size()) {
            return word.substr(letter + 1) == "-";
        }
        is_piped = is_piped || (word == "-" && before != "--rules");
        before = letter != std::string_view::npos ? "--output" : word;
    }
    return is_piped && command.get_option_no_throw("--output") != nullptr;
}

int report_mistake(const Problem& problem, const Context& context,
                   const std::vector<const char*>& words) {
    if (context.command != nullptr && asks_for_json(*context.command, words)) {
        if (would_print_image(*context.command, words)) {
            context.put_document_on_standard_error();
        }
        context.document.begin(context.command->get_name());
    }
    context.end_with(Error(Error::Kind::refused, problem));
    context.err.flush();
    return kUsage;
}

// `ckpt-lease help show` is `ckpt-lease show --help`.
std::vector<const char*> without_help(int argc, const char* const* argv) {
    std::vector<const char*> words(argv, argv + argc);
    if (argc < 2 || words[1] != "help"sv) {
        return words;
    }
    const bool names_command = argc > 2 && words[2][0] != '-' && words[2] != "help"sv;
    return names_command ? std::vector<const char*>{words[0], words[2], "--help"}
                         : std::vector<const char*>{words[0], "--help"};
}

// "--output=" without a value: CLI11 would take the next word for it, which may be an image.
std::optional<Problem> option_without_value(const std::vector<const char*>& words) {
    for (std::size_t i = 1; i < words.size() && words[i] != "--"sv; ++i) {
        const std::string_view word = words[i];
        if (word.starts_with("--") && word.ends_with("=") && word.find('=') == word.size() - 1) {
            return Problem{
                .message = fmt::format("{}: the value is empty", word.substr(0, word.size() - 1)),
                .hint = "give one, or leave the option out",
                .code = Problem::Code::refused};
        }
    }
    return std::nullopt;
}

// The first word that is a command: the others have no options then. Empty: there is none.
std::string_view first_command(const std::vector<const char*>& words) {
    for (std::size_t i = 1; i < words.size(); ++i) {
        for (const CommandEntry& entry : kCommands) {
            if (std::string_view(entry.name) == words[i]) {
                return entry.name;
            }
        }
    }
    return {};
}

std::vector<std::string> command_names() {
    std::vector<std::string> names{"help"};
    for (const CommandEntry& entry : kCommands) {
        names.emplace_back(entry.name);
    }
    return names;
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
        return program.chosen()->status_of(error);
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

// A script's "$OUT" that is not set must not be taken for an option that is not given, nor
// --dry-run=false for one that is.
void refuse_odd_values(CLI::App& app) {
    for (CLI::Option* const option : app.get_options()) {
        if (option->get_items_expected_max() == 0) {
            option->disable_flag_override();
        } else {
            option->check([](const std::string& value) {
                return value.empty() ? std::string("the value is empty") : std::string();
            });
        }
    }
}

}  // namespace

Program::Program(std::optional<std::string_view> only)
    : app_("Show and rewrite file leases in checkpoint images", "ckpt-lease") {
    // In our words: those of CLI11 change with its version.
    app_.set_help_flag("-h,--help", "Print this help message and exit");
    app_.set_version_flag("-V,--version", "ckpt-lease " CKPT_LEASE_VERSION,
                          "Display program version information and exit");
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
        // By a function: bound to a number, a flag counts as given in CLI11 2.4, as it has a value.
        auto* const verbose = app->add_flag_function(
            "-v,--verbose", [this](std::int64_t count) { verbosity_ = count; },
            "say more on standard error; -vv and -vvv still more");
        auto* const log_level =
            app->add_option("--log-level", log_level_,
                            "what to say on standard error: warning, info, debug or trace")
                ->type_name("LEVEL")
                ->take_last()
                ->check(one_of({std::begin(kLevels), std::end(kLevels)}));
        app->add_flag("-q,--quiet", quiet_, "say nothing on standard error but errors")
            ->excludes(verbose)
            ->excludes(log_level);
        app->add_option("--color,--colour", colour_,
                        "bold and dim text: auto (on terminals), always or never")
            ->type_name("WHEN")
            ->take_last()  // an alias may have one already
            ->check(one_of({"auto", "always", "never"}));
        refuse_odd_values(*app);
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
    constexpr std::int64_t kMost = std::size(kLevels) - 1;
    return kLevels[std::clamp<std::int64_t>(verbosity_, 0, kMost)];
}

int run(int argc, const char* const* argv, Environment& environment) {
    render::Out out(io::File::borrow(*environment.system, "standard output", STDOUT_FILENO),
                    render::Out::Kind::results);
    render::Out err(io::File::borrow(*environment.system, "standard error", STDERR_FILENO),
                    render::Out::Kind::messages);
    render::Document document(out);
    const Context context{environment, out, err, document};
    const std::vector<const char*> words = without_help(argc, argv);
    const std::string_view named = first_command(words);
    // To make the options of all commands takes longer than most commands do.
    Program program(named);
    const CLI::App* const command =
        named.empty() ? nullptr : program.app().get_subcommand(std::string(named));
    if (words.size() > 1 && words[1][0] != '-' && named != words[1]) {
        return report_mistake(no_such_command(words[1], command_names()), context, words);
    }
    if (const auto problem = option_before_command(program.app(), command, words)) {
        return report_mistake(*problem, context, words);
    }
    if (const auto problem = option_without_value(words)) {
        return report_mistake(*problem, {environment, out, err, document, command}, words);
    }
    try {
        program.app().parse(static_cast<int>(words.size()), words.data());
    } catch (const CLI::CallForHelp&) {
        return print(program.app().help(), context);  // of the command, where one was named
    } catch (const CLI::CallForVersion& version) {
        return print(fmt::format("{}\n", version.what()), context);
    } catch (const CLI::ParseError& error) {
        return report_mistake(mistake(program.app(), error),
                              {environment, out, err, document, command}, words);
    }
    set_up_log(program.log_level());
    environment.out_page.colour = program.has_colour(environment.out_page.colour);
    environment.err_page.colour = program.has_colour(environment.err_page.colour);
    environment.err_is_terminal = environment.err_is_terminal && !program.is_quiet();
    render::Out unseen(io::File::borrow(*environment.system, "standard error", STDERR_FILENO),
                       render::Out::Kind::unseen);
    std::vector<std::string> changes;
    document.set_words([command](const Problem& problem) { return in_words(problem, command); });
    const Context ready{
        environment, out, err, document, command, program.is_quiet() ? &unseen : nullptr, &changes};
    environment.system->on_wait = [&ready](const std::string& shown) {
        ready.note(
            fmt::format("{}: somebody has a lease or a lock on it, and is waited for", shown));
    };
    const int status = run_command(program, ready);
    environment.system->on_wait = nullptr;
    return status;
}

}  // namespace ckpt_lease::cli
