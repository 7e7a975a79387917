// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ckpt-lease/lease/rules.hpp"
#include "ckpt-lease/subject/subject.hpp"
#include "cli/environment.hpp"
#include "render/document.hpp"
#include "render/out.hpp"

namespace ckpt_lease::cli {

/// What a command works with once its options are read.
struct Context {
    Environment& environment;
    render::Out& out;                   ///< standard output
    render::Out& err;                   ///< standard error
    render::Document& document;         ///< what --json prints
    const CLI::App* command = nullptr;  ///< the one that is at work, once that is known
    /// With --quiet: where what nobody wants to see goes.
    render::Out* unseen = nullptr;
    /// What this run has changed so far, in words: whoever cannot read the report is told of it.
    std::vector<std::string>* changes = nullptr;

    /// Keeps that `what` is done: "job.img was changed".
    void note_change(std::string what) const;
    /// The same of what policy or edit have written of `subject`: in it, or in another file.
    void note_written(const Subject& subject, const Target& target, const Counts& counts) const;
    /// `error`, and if it is that the report cannot be written, what is changed all the same.
    [[nodiscard]] Error with_changes(const Error& error) const;

    /// Where reports go that stand on standard error, for people.
    [[nodiscard]] render::Out& reports() const { return unseen == nullptr ? err : *unseen; }
    /// As complain(), of what is no error.
    void note(std::string_view message) const {
        if (unseen == nullptr) {
            complain(message);
        }
    }

    /// How the command prints, on a page of standard output or of standard error.
    [[nodiscard]] render::Form form(bool json, const render::Page& page) const;
    /// The document goes to standard error, which is then no place for messages: it has them all.
    void put_document_on_standard_error() const;

    /// Says `message` on standard error, behind what was written to standard output.
    void complain(std::string_view message) const;
    /// The same, of what makes the command fail, or is worth knowing; `subject`: what it is about,
    /// as it stands on the command line. A document has it, too.
    void fail(const std::string& subject, const Problem& problem) const;
    void warn(const std::string& subject, const Problem& problem) const;
    /// Nothing that `subject` has matches, as `message` says.
    void fail_to_match(const std::string& subject, const Problem& problem,
                       std::string_view message) const;
    /// The command ends with this. A document is ended; one that was not begun is begun first.
    void end_with(const Error& error) const;
    /// What a user of this command is told of it: text_of().
    [[nodiscard]] std::string text_of(const Problem& problem) const;
    [[nodiscard]] std::string text_of(const std::exception& error) const;
};

/// "ckpt-lease: MESSAGE" on `err`. Names may stand in messages as they are: this is the one place
/// that lets nothing through to a terminal that acts on it, or that makes two lines of one.
void say(render::Out& err, std::string_view message);

/// One subcommand. Each has a file of its own, cmd_NAME.cpp, and a line in kCommands.
class Command {
 public:
    Command() = default;
    Command(const Command&) = delete;
    Command& operator=(const Command&) = delete;
    virtual ~Command() = default;

    /// Adds the options to `app`, which has the command's name and description.
    virtual void declare(CLI::App& app) = 0;
    /// Does the work. Errors that end it are thrown.
    virtual int run(const Context& context) = 0;
    /// The exit status where `error` ends the command; also where its output could not be written
    /// when all was done.
    [[nodiscard]] virtual int status_of(const Error& error) const;
};

std::unique_ptr<Command> make_apply();
std::unique_ptr<Command> make_capture();
std::unique_ptr<Command> make_criu_hook();
std::unique_ptr<Command> make_diff();
std::unique_ptr<Command> make_edit();
std::unique_ptr<Command> make_layouts();
std::unique_ptr<Command> make_policy();
std::unique_ptr<Command> make_records();
std::unique_ptr<Command> make_recover();
std::unique_ptr<Command> make_schema();
std::unique_ptr<Command> make_show();
std::unique_ptr<Command> make_undo();
std::unique_ptr<Command> make_verify();

/// Does `work` for each of `images`: an image that fails is complained about, and the next follows.
/// Returns the highest exit status.
int for_each_image(const Context& context, const std::vector<std::string>& images,
                   const std::function<int(const std::string& image)>& work);

}  // namespace ckpt_lease::cli
