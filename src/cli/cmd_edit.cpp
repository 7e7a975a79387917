// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <optional>

#include "ckpt-lease/subject/plan.hpp"
#include "cli/advice.hpp"
#include "cli/exit_status.hpp"
#include "cli/input.hpp"
#include "cli/options.hpp"
#include "render/edit.hpp"

namespace ckpt_lease::cli {
namespace {

class EditCommand final : public Command {
 public:
    void declare(CLI::App& app) override {
        app.add_option("IMAGE", image_, "an image, or CRIU's folder or archive")
            ->type_name("")
            ->required()
            ->check(offer(kSubjects));
        app.add_option("--index", index_, "the lock record, as 'show' counts them")
            ->type_name("N")
            ->required();
        app.add_option("--remaining", remaining_, "the time that is left; none: no deadline")
            ->type_name("D|none")
            ->check(offer("none"));
        app.add_option("--notified", notified_, "whether the holder was signalled")
            ->type_name("yes|no")
            ->check(offer("yes no"));
        app.add_option("--type", type_, "the type of a lease; of one being broken: what it becomes")
            ->type_name("TYPE")
            ->check(offer("F_RDLCK F_WRLCK F_UNLCK"));
        app.add_option("--previous-type", previous_type_,
                       "the type that a lease being broken had before")
            ->type_name("TYPE")
            ->check(offer("F_RDLCK F_WRLCK"));
        app.add_flag("--whole-lease", whole_lease_,
                     "edit all records of the lease, where it is held through several descriptors");
        app.add_flag("-f,--force", force_, "write values that a restart refuses");
        output_.declare(app);
        declare_json(app, json_);
        declare_wait(app, wait_);
        layout_.declare(app);
        app.footer(
            R"(TYPE is F_RDLCK, F_WRLCK or F_UNLCK. Of a lease that is held only the type means
anything.

Examples:
  ckpt-lease edit job.img --index 0 --remaining 30   half a minute for lease 0
  ckpt-lease edit job.img --index 0 --notified no    signal its holder again
  ckpt-lease edit job.img --index 1 --type F_RDLCK -o new.img)");
    }

    int run(const Context& context) override {
        const bool to_stdout = output_.is_stdout({image_});
        if (json_ && to_stdout) {
            context.put_document_on_standard_error();
        }
        output_.check({image_});
        if (to_stdout && !output_.target().dry_run) {
            refuse_terminal(context.environment);
        }
        const EditRequest request = this->request(context);
        if (image_ == "-") {
            refuse("edit needs an image that can be read more than once, and - cannot",
                   "save the image and give its name, or use policy");
        }
        render::EditReport report(context.reports(),
                                  context.form(json_, context.environment.err_page),
                                  output_.target().dry_run);
        render::Name name{image_, image_};
        const int status = for_each_image(context, {image_}, [&](const std::string& /*image*/) {
            try {
                edit(context, request, report, name);
            } catch (const Error& error) {
                report.fail_image(name, error.problem(), context.text_of(error));
                throw;
            }
            return kDone;
        });
        report.end();
        return status;
    }

 private:
    [[nodiscard]] EditRequest request(const Context& context) const {
        EditRequest request;
        request.index = parse_number_option("--index", index_, INT64_MAX);
        if (remaining_) {
            request.remaining = *remaining_ == "none" ? Remaining::no_deadline()
                                                      : Remaining(parse_duration(*remaining_));
            if (*remaining_ != "none" && !request.remaining->has_deadline()) {
                refuse(fmt::format("--remaining {}: 0 is the least", *remaining_));
            }
        }
        if (notified_) {
            if (*notified_ != "yes" && *notified_ != "no") {
                refuse(fmt::format("--notified {}: give yes or no", *notified_));
            }
            request.notified = *notified_ == "yes";
        }
        if (type_) {
            request.type = parse_type_option("--type", *type_);
        }
        if (previous_type_) {
            request.previous_type = parse_type_option("--previous-type", *previous_type_);
        }
        if (!remaining_ && !notified_ && !type_ && !previous_type_) {
            refuse("nothing is to be changed",
                   "give --remaining, --notified, --type or --previous-type");
        }
        request.whole_lease = whole_lease_;
        request.force = force_;
        request.layout = layout_.layout(*context.environment.system);
        return request;
    }

    void edit(const Context& context, const EditRequest& request, render::EditReport& report,
              render::Name& name) const {
        const auto subject =
            open_subject(context, image_, {.target = output_.target(), .wait = wait_});
        name.path = shown_as(*subject);
        const Plan plan = plan_edit(*subject, request);
        carry_out(*subject, plan, name.path);
        context.note_written(*subject, output_.target(), plan.counts);
        report.begin_image(name);
        for (const PlannedLease& lease : plan.leases) {
            report.lease(plan.locks.at(lease.index), lease.after, lease.changed,
                         plan.locks.ownership());
        }
        report.end_image(plan.counts);
    }

    std::string image_;
    std::string index_;
    std::optional<std::string> remaining_;
    std::optional<std::string> notified_;
    std::optional<std::string> type_;
    std::optional<std::string> previous_type_;
    bool whole_lease_ = false;
    bool force_ = false;
    OutputOptions output_;
    bool json_ = false;
    bool wait_ = false;
    LayoutOption layout_;
};

}  // namespace

std::unique_ptr<Command> make_edit() {
    return std::make_unique<EditCommand>();
}

}  // namespace ckpt_lease::cli
