// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ckpt-lease/base/problem.hpp"
#include "render/json_writer.hpp"
#include "render/out.hpp"

namespace ckpt_lease::render {

/// One thing that went wrong, or is odd.
struct Failure {
    std::string subject;  ///< what it is about, as it stands on the command line; empty: no subject
    Problem problem;      ///< in the words of the command line
};

/// The object that tells of it.
void write_failure(JsonWriter& json, const Failure& failure);
/// A list of what went wrong: the member of this name.
void write_failures(JsonWriter& json, std::string_view name, std::span<const Failure> failures);

/// The one document of JSON that a command prints: whole, whatever fails and when. It ends with
/// all that went wrong.
class Document {
 public:
    /// Puts what would help into words.
    using Words = std::function<Problem(const Problem&)>;

    explicit Document(Out& out) : out_(&out) {}
    Document(const Document&) = delete;
    Document& operator=(const Document&) = delete;

    /// Another place for it, before it is begun.
    void write_to(Out& out) { out_ = &out; }
    [[nodiscard]] bool goes_to(const Out& out) const noexcept { return out_ == &out; }
    void set_words(Words words) { words_ = std::move(words); }

    /// Begins it as the schema of `command` has it.
    JsonWriter& begin(std::string_view command);
    [[nodiscard]] JsonWriter& json() { return *json_; }

    /// What the next errors are about, where they do not say it themselves.
    void set_subject(std::string subject) { subject_ = std::move(subject); }
    void add_error(std::string subject, const Problem& problem);
    /// What add_error() would add, for those that print lines instead of a document.
    [[nodiscard]] Failure error_of(const Problem& problem) const {
        return failure(subject_, problem);
    }
    void add_warning(std::string subject, const Problem& problem);
    /// The same list as one of what is written of a subject: it has just this error.
    void write_errors(const std::string& subject, const Problem& problem);
    /// And where nothing is wrong with it.
    void write_no_errors();

    /// Ends it, wherever it stands. One that was not begun is begun first; one that was ended
    /// stays as it is.
    void end(std::string_view command);
    void end();
    [[nodiscard]] bool has_begun() const noexcept { return json_.has_value(); }
    [[nodiscard]] bool has_ended() const noexcept { return has_ended_; }

 private:
    [[nodiscard]] Failure failure(std::string subject, const Problem& problem) const;

    Out* out_;
    Words words_;
    std::string subject_;
    std::optional<JsonWriter> json_;
    std::vector<Failure> errors_;
    std::vector<Failure> warnings_;
    bool has_ended_ = false;
};

}  // namespace ckpt_lease::render
