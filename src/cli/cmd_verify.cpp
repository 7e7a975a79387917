// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include "ckpt-lease/base/text.hpp"
#include "cli/command.hpp"
#include "cli/exit_status.hpp"
#include "cli/input.hpp"
#include "cli/options.hpp"
#include "render/image_facts.hpp"
#include "render/json_writer.hpp"

namespace ckpt_lease::cli {
namespace {

std::string_view to_string(Problem::Severity severity) {
    switch (severity) {
        case Problem::Severity::warning:
            return "warning";
        case Problem::Severity::meaning:
            return "meaning";
        case Problem::Severity::structure:
            break;
    }
    return "structure";
}

// Problems are printed as they are found: a hostile image may have millions.
class VerifyOutput {
 public:
    VerifyOutput(Out& out, bool as_json) : out_(out), json_(out), as_json_(as_json) {}

    void begin() {
        if (as_json_) {
            json_.begin_object()
                .member("schema", "ckpt-lease/verify/1")
                .key("images")
                .begin_array();
        }
    }
    void begin_image(const std::string& name) {
        faults_ = 0;
        if (as_json_) {
            json_.begin_object().bytes_member("path", name).key("problems").begin_array();
        }
    }
    void problem(const Problem& problem) {
        faults_ += problem.severity == Problem::Severity::warning ? 0 : 1;
        if (!as_json_) {
            out_.print("{}{}\n", problem.severity == Problem::Severity::warning ? "warning: " : "",
                       ckpt_lease::to_string(problem));
            return;
        }
        json_.begin_object()
            .member("severity", to_string(problem.severity))
            .optional_member("offset", problem.offset)
            .member("record", to_utf8(problem.record))
            .member("message", to_utf8(problem.message))
            .member("hint", to_utf8(problem.hint))
            .end_object();
    }
    /// Returns whether the image is sound.
    bool end_image(const std::string& name, const linux_cr::ImageFacts& facts) {
        const bool sound = faults_ == 0;
        if (as_json_) {
            json_.end_array().member("sound", sound).end_object();
        } else if (sound) {
            out_.print("{}: sound, {} records\n", escape(name == "-" ? "standard input" : name),
                       facts.records);
        }
        return sound;
    }
    void fail_image(const std::string& error) {
        if (as_json_) {
            json_.end_array().member("error", to_utf8(error)).end_object();
        }
    }
    void end() {
        if (as_json_) {
            json_.end_array().end_object();
            json_.finish();
        }
    }

 private:
    Out& out_;
    JsonWriter json_;
    bool as_json_;
    std::uint64_t faults_ = 0;
};

class Verify final : public Command {
 public:
    void declare(CLI::App& app) override {
        declare_images(app, images_);
        declare_json(app, json_);
        layout_.declare(app);
        app.footer(R"(Finds everything, not only the first problem: what is wrong with the records,
what a restart would refuse or misunderstand, and what is only odd (warnings).

Examples:
  ckpt-lease verify job.img
  ckpt-lease verify --json *.img | jq -r '.images[] | select(.sound | not).path')");
    }

    int run(const Context& context) override {
        check_images(images_);
        const linux_cr::Layout layout = layout_.layout(*context.environment.system);
        VerifyOutput output(context.out, json_);
        output.begin();
        const int status = for_each_image(context, images_, [&](const std::string& name) {
            output.begin_image(name);
            try {
                Input input(context, name);
                const linux_cr::ImageFacts facts =
                    linux_cr::verify(input.source(), layout,
                                     [&](const Problem& problem) { output.problem(problem); });
                return output.end_image(name, facts) ? kDone : kDamaged;
            } catch (const Error& error) {
                output.fail_image(error.what());
                throw;
            }
        });
        output.end();
        return status;
    }

 private:
    std::vector<std::string> images_;
    bool json_ = false;
    LayoutOption layout_;
};

}  // namespace

std::unique_ptr<Command> make_verify() {
    return std::make_unique<Verify>();
}

}  // namespace ckpt_lease::cli
