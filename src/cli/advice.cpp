// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/advice.hpp"

#include <fmt/format.h>

#include <utility>

#include "ckpt-lease/linux_cr/layout.hpp"

namespace ckpt_lease::cli {
namespace {

std::string words(Advice advice, const std::string& detail) {
    switch (advice) {
        case Advice::none:
            break;
        case Advice::wait:
            return "--wait waits until it is done";
        case Advice::write_elsewhere:
            return "write elsewhere with -o OUT" + (detail.empty() ? "" : ", or " + detail);
        case Advice::write_and_copy:
            return "write a file with -o OUT, and copy it back";
        case Advice::stream_elsewhere:
            return "rewrite it on its way with policy -o OUT";
        case Advice::recover:
            return "'ckpt-lease recover' on that image uses and removes it";
        case Advice::recover_first:
            return "do so with 'ckpt-lease recover' before the image is used";
        case Advice::recover_or_remove_journal:
            return "take the change back with 'ckpt-lease recover', or remove the journal";
        case Advice::recover_copied:
            return "if both were copied or the file system was mounted anew, use 'ckpt-lease "
                   "recover --copied', and if the image was replaced, remove the journal";
        case Advice::give_undo_file:
            return "give what policy --undo-file or edit --undo-file kept";
        case Advice::rename_undo_file:
            return "give it another name, and 'ckpt-lease undo' puts back what it keeps";
        case Advice::undo_another:
            return "--image IMAGE names a copy that it may be used on";
        case Advice::bound_time:
            return "--max D bounds it";
        case Advice::set_time:
            return "--set D says what is to be left, and filters leave the lease out";
        case Advice::no_elapsed_time:
            return "policy --elapsed cannot be used on this image";
        case Advice::make_records_agree:
            return "ckpt-lease policy --set, or edit --whole-lease, makes them agree";
        case Advice::edit_lease:
            return "ckpt-lease edit can mend a lease";
        case Advice::take_again:
            return "ckpt-lease mends leases only; take the checkpoint again";
        case Advice::take_again_for:
            return fmt::format("no command changes {}; take the checkpoint again", detail);
        case Advice::use_layout:
            return fmt::format("the layout {0} would fit: --layout {0}", detail);
        case Advice::describe_layout:
            return fmt::format(
                "no built-in layout fits; describe this kernel's in a file for --layout, starting "
                "from what 'ckpt-lease layouts {}' prints",
                linux_cr::default_layout().name);
        case Advice::list_locks:
            return "'ckpt-lease show --all' lists them";
        case Advice::edit_whole_lease:
            return "edit both with --whole-lease, or one with --force";
        case Advice::force_edit:
            return "a restart refuses that; --force writes it all the same";
        case Advice::give_time:
            return "give --remaining a time";
        case Advice::give_no_deadline:
            return "--remaining none is for no deadline";
        case Advice::recover_or_name:
            return "run 'ckpt-lease recover' on it first, or give its name";
        case Advice::see_schema:
            return fmt::format("'ckpt-lease schema {}' prints what is allowed", detail);
        case Advice::say_time:
            return "--now says what time it is";
        case Advice::no_undo_file:
            return "leave --undo-file out";
        case Advice::no_modifiers:
            return "leave min, max and renotify out";
        case Advice::capture_times:
            return "dump with the plugin or the action script that 'ckpt-lease criu-hook --check' "
                   "looks for; without them there are policy --favor-holder and --favor-breaker";
    }
    return {};
}

// What the advice is to be followed with. Null: it names a command, or no option.
const char* option_of(Advice advice) {
    switch (advice) {
        case Advice::wait:
            return "--wait";
        case Advice::write_elsewhere:
        case Advice::write_and_copy:
            return "--output";
        case Advice::undo_another:
            return "--image";
        case Advice::bound_time:
            return "--max";
        case Advice::set_time:
            return "--set";
        case Advice::use_layout:
        case Advice::describe_layout:
            return "--layout";
        case Advice::edit_whole_lease:
            return "--whole-lease";
        case Advice::force_edit:
            return "--force";
        case Advice::give_time:
        case Advice::give_no_deadline:
            return "--remaining";
        case Advice::say_time:
            return "--now";
        case Advice::no_undo_file:
            return "--undo-file";
        default:
            return nullptr;
    }
}

bool can_follow(const CLI::App* command, Advice advice) {
    const char* const option = option_of(advice);
    return option == nullptr ||
           (command != nullptr && command->get_option_no_throw(option) != nullptr);
}

// An image that is written elsewhere has no undo file, and both are not taken together.
std::string elsewhere(const CLI::App& command, const std::string& how) {
    const CLI::Option* const undo_file = command.get_option_no_throw("--undo-file");
    return undo_file != nullptr && undo_file->count() > 0 ? "leave --undo-file out and " + how
                                                          : how;
}

void append(std::string& text, std::string_view more) {
    text += text.empty() || more.empty() ? "" : "; ";
    text += more;
}

}  // namespace

Problem in_words(Problem problem, const CLI::App* command) {
    const Advice advice = std::exchange(problem.advice, Advice::none);
    const std::string detail = std::exchange(problem.detail, {});
    const std::string outcome = std::exchange(problem.outcome, {});
    if (!can_follow(command, advice)) {
        append(problem.hint, advice == Advice::write_elsewhere ? detail : std::string());
        append(problem.hint, outcome);
    } else if (advice == Advice::write_elsewhere && !problem.hint.empty()) {
        problem.hint += ", or " + elsewhere(*command, "write elsewhere with -o");
        append(problem.hint, outcome);
    } else if (advice == Advice::recover_first) {  // it is about the outcome
        append(problem.hint, outcome);
        append(problem.hint, words(advice, detail));
    } else {
        const bool is_elsewhere = advice == Advice::write_elsewhere ||
                                  advice == Advice::write_and_copy ||
                                  advice == Advice::stream_elsewhere;
        append(problem.hint,
               is_elsewhere ? elsewhere(*command, words(advice, detail)) : words(advice, detail));
        append(problem.hint, outcome);
    }
    return problem;
}

std::string text_of(const Problem& problem, const CLI::App* command) {
    return to_string(in_words(problem, command));
}

std::string text_of(const std::exception& error, const CLI::App* command) {
    const auto* const ours = dynamic_cast<const Error*>(&error);
    return ours != nullptr ? text_of(ours->problem(), command) : error.what();
}

void check(const Filter& filter) {
    const auto condition = filter.contradiction();
    if (!condition) {
        return;
    }
    constexpr const char* kWhich[] = {"two different --index", "two different --fd",
                                      "two different --target", "--breaking and --held"};
    refuse(fmt::format("{} can never both match", kWhich[static_cast<std::size_t>(*condition)]),
           "all filters must match: leave one of them out");
}

std::string reason_of(const live::AppliedLease& result) {
    return result.reason == live::kTimeNotKnown
               ? result.reason + ": ckpt-lease policy --set says what it is to be"
               : result.reason;
}

}  // namespace ckpt_lease::cli
