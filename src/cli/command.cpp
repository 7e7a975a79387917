// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/command.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "ckpt-lease/base/text.hpp"
#include "cli/advice.hpp"
#include "cli/exit_status.hpp"
#include "render/watch.hpp"

namespace ckpt_lease::cli {

void say(render::Out& err, std::string_view message) {
    err.print("ckpt-lease: {}\n", printable(message));
    err.flush();
}

namespace {

bool is_given(const CLI::App* command, const char* name) {
    const CLI::Option* const option =
        command == nullptr ? nullptr : command->get_option_no_throw(name);
    return option != nullptr && option->count() > 0;
}

}  // namespace

render::Form Context::form(bool json, const render::Page& page) const {
    return {json, page, &document};
}

void Context::put_document_on_standard_error() const {
    document.write_to(err);
    spdlog::set_level(spdlog::level::off);
}

void Context::note_change(std::string what) const {
    if (changes != nullptr) {
        changes->push_back(std::move(what));
    }
}

void Context::note_written(const Subject& subject, const Target& target,
                           const Counts& counts) const {
    if (target.dry_run || target.is_standard_output(subject.name())) {
        return;
    }
    if (!target.out.empty()) {
        note_change(target.out + " was written");
    } else if (counts.changed > 0) {
        note_change(subject.name() + " was changed");
    }
}

Error Context::with_changes(const Error& error) const {
    if (changes == nullptr || changes->empty() || error.problem().file != "standard output") {
        return error;
    }
    std::string outcome = "only the report is lost: " + changes->back();
    if (changes->size() > 1) {
        outcome += fmt::format(", and {} before it", changes->size() - 1);
    }
    return with_outcome(error, std::move(outcome));
}

void Context::complain(std::string_view message) const {
    if (document.goes_to(err) && !document.has_ended()) {
        return;  // it would stand in the middle
    }
    if (!out.has_failed()) {
        out.flush();  // so that results and messages on one terminal keep their order
    }
    say(err, message);
}

void Context::fail(const std::string& subject, const Problem& problem) const {
    document.add_error(subject, problem);
    complain(text_of(problem));
}

void Context::warn(const std::string& subject, const Problem& problem) const {
    document.add_warning(subject, problem);
    note(text_of(problem));
}

void Context::fail_to_match(const std::string& subject, const Problem& problem,
                            std::string_view message) const {
    document.add_error(subject, problem);
    complain(message);
}

void Context::end_with(const Error& error) const {
    bool is_told = false;
    try {
        if (is_given(command, "--json") && is_given(command, "--watch") && !document.has_begun()) {
            // No document: what is watched is told of in lines.
            render::WatchReport(out, true).error(document.error_of(error.problem()),
                                                 environment.now());
            out.flush();
        } else if ((is_given(command, "--json") || document.has_begun()) && !document.has_ended()) {
            document.add_error({}, error.problem());
            document.end(command->get_name());
            is_told = document.goes_to(err);
            out.flush();
        }
    } catch (const Error&) {
        // What could not be written before cannot be now.
    }
    try {
        if (!is_told) {
            complain(text_of(error));
        }
    } catch (const Error&) {
        // Standard output or error cannot be written: the exit status still says so.
    }
}

std::string Context::text_of(const Problem& problem) const {
    return cli::text_of(problem, command);
}

std::string Context::text_of(const std::exception& error) const {
    return cli::text_of(error, command);
}

int Command::status_of(const Error& error) const {
    return cli::status_of(error);
}

int for_each_image(const Context& context, const std::vector<std::string>& images,
                   const std::function<int(const std::string& image)>& work) {
    int status = kDone;
    for (const std::string& image : images) {
        try {
            status = std::max(status, work(image));
        } catch (const Error& error) {
            if (error.kind() == Error::Kind::interrupted) {
                throw;
            }
            // That the report cannot be written is no fault of the image's, and is told at the end.
            if (!context.out.has_failed_with(error)) {
                context.fail(image, error.problem());
            }
            status = std::max(status, status_of(error));
        }
    }
    return status;
}

}  // namespace ckpt_lease::cli
