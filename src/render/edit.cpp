// SPDX-License-Identifier: GPL-2.0-or-later
#include "render/edit.hpp"

#include <fmt/format.h>

#include "ckpt-lease/base/text.hpp"
#include "render/parts.hpp"

namespace ckpt_lease::render {

EditReport::EditReport(Out& out, const Form& form, bool dry_run)
    : Report(out, form, "edit"), dry_run_(dry_run) {
    if (form_.json) {
        json_.member("dry_run", dry_run_);
    }
    begin_list("images");
}

void EditReport::begin_image(const std::string& name) {
    name_ = name;
    if (form_.json) {
        json_.begin_object().bytes_member("path", name).key("leases").begin_array();
    }
}

void EditReport::lease(const Lock& before, const LeaseState& after, bool changed,
                       const Ownership& ownership) {
    if (form_.json) {
        json_.begin_object();
        write_place(json_, before, ownership);
        json_.key("before").begin_object();
        write_state(json_, before.lease);
        json_.end_object().key("after").begin_object();
        write_state(json_, after);
        json_.end_object().end_object();
        return;
    }
    print_headline(out_, form_.page, name_,
                   fmt::format("lock {}, fd {}, {}{}", before.index, before.fd,
                               shown_path(ownership.path(before.file)),
                               dry_run_ ? ", dry run: nothing is written" : ""));
    out_.print("  was {}\n", describe(before.lease));
    out_.print("  {} {}\n", changed ? "now" : "stays", describe(after));
}

void EditReport::end_image(const Counts& counts) {
    if (form_.json) {
        json_.end_array()
            .member("changed", counts.changed)
            .member("unchanged", counts.unchanged)
            .end_object();
    }
}

void EditReport::fail_image(const std::string& name, const std::string& error) {
    if (form_.json) {
        begin_image(name);
        json_.end_array().member("error", to_utf8(error)).end_object();
    }
}

}  // namespace ckpt_lease::render
