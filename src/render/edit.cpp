// SPDX-License-Identifier: GPL-2.0-or-later
#include "render/edit.hpp"

#include <fmt/format.h>

#include "ckpt-lease/base/text.hpp"
#include "render/parts.hpp"

namespace ckpt_lease::render {

EditReport::EditReport(Out& out, const Form& form, bool dry_run)
    : Report(out, form, "edit"), dry_run_(dry_run) {
    if (form_.json) {
        json().member("dry_run", dry_run_);
    }
    begin_list("images");
}

void EditReport::begin_image(const Name& name) {
    name_ = name;
    if (form_.json) {
        json().begin_object();
        write_names(name.subject, name.path).key("leases").begin_array();
    }
}

void EditReport::lease(const Lock& before, const LeaseState& after, bool changed,
                       const Ownership& ownership) {
    if (form_.json) {
        json().begin_object();
        write_place(json(), before, ownership);
        json().key("before").begin_object();
        write_state(json(), before.lease);
        json().end_object().key("after").begin_object();
        write_state(json(), after);
        json().end_object().end_object();
        return;
    }
    print_headline(out_, form_.page, name_.subject,
                   fmt::format("lock {}, fd {}, {}{}", before.index, before.fd,
                               shown_path(ownership.path(before.file)),
                               dry_run_ ? ", dry run: nothing is written" : ""));
    out_.print("  was {}\n", describe(before.lease));
    out_.print("  {} {}\n", changed ? "now" : "stays", describe(after));
}

void EditReport::end_image(const Counts& counts) {
    if (form_.json) {
        json().end_array().member("changed", counts.changed).member("unchanged", counts.unchanged);
        document_.write_no_errors();
        json().end_object();
    }
}

void EditReport::fail_image(const Name& name, const Problem& problem, const std::string& text) {
    if (form_.json) {
        begin_image(name);
        json().end_array().member("error", to_utf8(text));
        document_.write_errors(name.subject, problem);
        json().end_object();
    }
}

}  // namespace ckpt_lease::render
