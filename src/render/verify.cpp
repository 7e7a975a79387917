// SPDX-License-Identifier: GPL-2.0-or-later
#include "render/verify.hpp"

#include "ckpt-lease/base/text.hpp"
#include "render/parts.hpp"

namespace ckpt_lease::render {
namespace {

std::string_view name_of(Problem::Severity severity) {
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

}  // namespace

VerifyReport::VerifyReport(Out& out, const Form& form) : Report(out, form, "verify") {
    begin_list("images");
}

void VerifyReport::begin_image(const std::string& name) {
    name_ = name;
    if (form_.json) {
        json().begin_object();
        write_names(name, name).key("problems").begin_array();
    }
}

void VerifyReport::problem(const Problem& problem) {
    if (form_.json) {
        json()
            .begin_object()
            .member("severity", name_of(problem.severity))
            .member("code", to_string(code_of(problem)))
            .optional_member("offset", problem.offset)
            .member("record", to_utf8(problem.record))
            .member("message", to_utf8(problem.message))
            .member("hint", to_utf8(problem.hint));
        if (problem.file != name_) {
            json().bytes_member("file", problem.file);
        }
        json().end_object();
        return;
    }
    const bool is_warning = problem.severity == Problem::Severity::warning;
    out_.print("{}{}\n", is_warning ? "warning: " : "", printable(to_string(problem)));
}

void VerifyReport::end_image(const Name& name, std::uint64_t records, bool sound) {
    if (form_.json) {
        json().end_array().member("sound", sound);
        document_.write_no_errors();
        json().end_object();
    } else if (sound) {
        out_.print("{}: {}sound, {} records\n", shown_name(name.subject),
                   name.is_checkpoint ? "CRIU checkpoint, " : "", records);
    }
}

void VerifyReport::fail_image(const Problem& problem, const std::string& text) {
    if (form_.json) {
        json().end_array().member("error", to_utf8(text));
        document_.write_errors(name_, problem);
        json().end_object();
    }
}

}  // namespace ckpt_lease::render
