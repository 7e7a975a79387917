// SPDX-License-Identifier: GPL-2.0-or-later
#include <optional>

#include "cli/command.hpp"
#include "cli/exit_status.hpp"
#include "cli/input.hpp"
#include "cli/options.hpp"
#include "linux_cr/describe.hpp"
#include "render/records.hpp"
#include "subject/opened.hpp"

namespace ckpt_lease::cli {
namespace {

class Records final : public Command {
 public:
    void declare(CLI::App& app) override {
        app.add_option("IMAGE", image_,
                       "an image, or CRIU's folder or archive; - is standard input")
            ->type_name("")
            ->required()
            ->check(offer(kSubjects));
        declare_json(app, json_);
        declare_wait(app, wait_);
        layout_.declare(app);
        app.footer(
            R"(One line a record: offset, name of its type, length, and the known fields.

Examples:
  ckpt-lease records job.img
  ckpt-lease records job.img | grep -E 'FILE_(NAME|LOCK)'
  ckpt-lease records --json job.img | jq '.records[] | select(.name=="VMA")')");
    }

    int run(const Context& context) override {
        const linux_cr::Layout layout = layout_.layout(*context.environment.system);
        render::RecordsReport report(context.out, context.form(json_, {}), image_);
        const int status = for_each_image(context, {image_}, [&](const std::string& /*image*/) {
            try {
                list(context, layout, report);
            } catch (const Error& error) {
                report.break_off(error.problem());
                throw;
            }
            return kDone;
        });
        report.end();
        return status;
    }

 private:
    void list(const Context& context, const linux_cr::Layout& layout,
              render::RecordsReport& report) const {
        const auto subject = open_to_look(context, image_, wait_);
        std::optional<Problem> broken;
        linux_cr::Walker walker(subject->opened().source(),
                                [&](const Problem& problem) { broken = problem; });
        bool ended = false;
        while (!ended && walker.next()) {
            report.record(walker.record(), linux_cr::describe_record(walker, layout));
            ended = walker.record().type == linux_cr::kTail;
        }
        if (broken) {
            throw Error(Error::Kind::damaged, *broken);
        }
    }

    std::string image_;
    bool json_ = false;
    bool wait_ = false;
    LayoutOption layout_;
};

}  // namespace

std::unique_ptr<Command> make_records() {
    return std::make_unique<Records>();
}

}  // namespace ckpt_lease::cli
