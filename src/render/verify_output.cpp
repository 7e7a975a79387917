// SPDX-License-Identifier: GPL-2.0-or-later
#include "render/verify_output.hpp"

#include "ckpt-lease/base/text.hpp"
#include "render/image_facts.hpp"
#include "render/json_writer.hpp"

namespace ckpt_lease {
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

class VerifyText final : public VerifyOutput {
 public:
    explicit VerifyText(Out& out) : out_(out) {}

    void problem(const Problem& problem) override {
        const bool is_warning = problem.severity == Problem::Severity::warning;
        out_.print("{}{}\n", is_warning ? "warning: " : "",
                   printable(ckpt_lease::to_string(problem)));
    }
    void end_image(const std::string& name, const linux_cr::ImageFacts& facts,
                   bool sound) override {
        if (sound) {
            out_.print("{}: sound, {} records\n", shown_name(name), facts.records);
        }
    }

 private:
    Out& out_;
};

class VerifyJson final : public VerifyOutput {
 public:
    explicit VerifyJson(Out& out) : json_(out) {}

    void begin() override {
        json_.begin_object().member("schema", "ckpt-lease/verify/1").key("images").begin_array();
    }
    void begin_image(const std::string& name) override {
        json_.begin_object().bytes_member("path", name).key("problems").begin_array();
    }
    void problem(const Problem& problem) override {
        json_.begin_object()
            .member("severity", to_string(problem.severity))
            .optional_member("offset", problem.offset)
            .member("record", to_utf8(problem.record))
            .member("message", to_utf8(problem.message))
            .member("hint", to_utf8(problem.hint))
            .end_object();
    }
    void end_image(const std::string& /*name*/, const linux_cr::ImageFacts& /*facts*/,
                   bool sound) override {
        json_.end_array().member("sound", sound).end_object();
    }
    void fail_image(const std::string& error) override {
        json_.end_array().member("error", to_utf8(error)).end_object();
    }
    void end() override {
        json_.end_array().end_object();
        json_.finish();
    }

 private:
    JsonWriter json_;
};

}  // namespace

std::unique_ptr<VerifyOutput> make_verify_text(Out& out) {
    return std::make_unique<VerifyText>(out);
}

std::unique_ptr<VerifyOutput> make_verify_json(Out& out) {
    return std::make_unique<VerifyJson>(out);
}

}  // namespace ckpt_lease
