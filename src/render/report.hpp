// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string_view>

#include "render/form.hpp"
#include "render/json_writer.hpp"
#include "render/out.hpp"

namespace ckpt_lease::render {

/// What commands print that tell of one thing after the other, as they come: no more is kept than
/// what a line needs. As JSON it is an object with a list in it.
class Report {
 public:
    Report(const Report&) = delete;
    Report& operator=(const Report&) = delete;

    /// All has been said.
    void end() {
        if (form_.json) {
            json_.end_array().end_object().finish();
        }
    }

 protected:
    /// `command`: the name of the schema in schemas/.
    Report(Out& out, const Form& form, std::string_view command)
        : out_(out), json_(out), form_(form) {
        if (form_.json) {
            json_.begin_document(command);
        }
    }
    ~Report() = default;

    void begin_list(std::string_view name) {
        if (form_.json) {
            json_.key(name).begin_array();
        }
    }

    Out& out_;
    JsonWriter json_;
    Form form_;
};

}  // namespace ckpt_lease::render
