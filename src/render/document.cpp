// SPDX-License-Identifier: GPL-2.0-or-later
#include "render/document.hpp"

#include "ckpt-lease/base/text.hpp"

namespace ckpt_lease::render {
namespace {

// Null where there is nothing to be said.
void write_text(JsonWriter& json, std::string_view name, std::string_view text) {
    text.empty() ? json.key(name).null() : json.member(name, std::string_view(to_utf8(text)));
}

void write_bytes(JsonWriter& json, std::string_view name, std::string_view bytes) {
    bytes.empty() ? json.key(name).null() : json.bytes_member(name, bytes);
}

}  // namespace

void write_failure(JsonWriter& json, const Failure& failure) {
    const Problem& problem = failure.problem;
    json.begin_object();
    write_bytes(json, "subject", failure.subject);
    json.member("code", to_string(code_of(problem)));
    json.member("message", std::string_view(to_utf8(problem.message)));
    write_bytes(json, "file", problem.file);
    json.optional_member("offset", problem.offset);
    write_text(json, "record", problem.record);
    write_text(json, "hint", problem.hint);
    json.end_object();
}

void write_failures(JsonWriter& json, std::string_view name, std::span<const Failure> failures) {
    json.key(name).begin_array();
    for (const Failure& failure : failures) {
        write_failure(json, failure);
    }
    json.end_array();
}

JsonWriter& Document::begin(std::string_view command) {
    json_.emplace(*out_);
    return json_->begin_document(command);
}

Failure Document::failure(std::string subject, const Problem& problem) const {
    return {std::move(subject), words_ ? words_(problem) : problem};
}

void Document::add_error(std::string subject, const Problem& problem) {
    errors_.push_back(failure(subject.empty() ? subject_ : std::move(subject), problem));
}

void Document::add_warning(std::string subject, const Problem& problem) {
    warnings_.push_back(failure(std::move(subject), problem));
}

void Document::write_errors(const std::string& subject, const Problem& problem) {
    const Failure one = failure(subject, problem);
    write_failures(*json_, "errors", {&one, 1});
}

void Document::write_no_errors() {
    write_failures(*json_, "errors", {});
}

void Document::end(std::string_view command) {
    if (!json_) {
        begin(command);
    }
    end();
}

void Document::end() {
    if (std::exchange(has_ended_, true)) {
        return;
    }
    json_->close_down_to(1);
    write_failures(*json_, "errors", errors_);
    write_failures(*json_, "warnings", warnings_);
    json_->end_object().finish();
}

}  // namespace ckpt_lease::render
