// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "render/document.hpp"
#include "render/form.hpp"
#include "render/json_writer.hpp"
#include "render/out.hpp"

namespace ckpt_lease::render {

/// What commands print that tell of one thing after the other, as they come: no more is kept than
/// what a line needs. As JSON it is an object with a list in it.
class Report {
    std::optional<Document> own_;

 public:
    Report(const Report&) = delete;
    Report& operator=(const Report&) = delete;

    /// All has been said.
    void end() {
        if (form_.json) {
            document_.end();
        }
    }

 protected:
    /// `command`: the name of the schema in schemas/.
    Report(Out& out, const Form& form, std::string_view command)
        : out_(out),
          form_(form),
          document_(form.document != nullptr ? *form.document : own_.emplace(out)) {
        if (form_.json) {
            document_.begin(command);
        }
    }
    ~Report() = default;

    [[nodiscard]] JsonWriter& json() { return document_.json(); }
    void begin_list(std::string_view name) {
        if (form_.json) {
            json().key(name).begin_array();
        }
    }
    /// The names of a subject, in an object about it: as it was given, and of what is read of it.
    JsonWriter& write_names(std::string_view subject, std::string_view path) {
        return json().bytes_member("subject", subject).bytes_member("path", path);
    }

    Out& out_;
    Form form_;
    Document& document_;
};

/// What a report of one subject after the other calls it.
struct Name {
    std::string subject;         ///< as it was given
    std::string path;            ///< of what is read of it
    bool is_checkpoint = false;  ///< of CRIU
};

}  // namespace ckpt_lease::render
