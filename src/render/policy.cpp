// SPDX-License-Identifier: GPL-2.0-or-later
#include "render/policy.hpp"

#include <fmt/format.h>

#include <vector>

#include "ckpt-lease/base/text.hpp"
#include "render/parts.hpp"

namespace ckpt_lease::render {
namespace {

struct SourceWords {
    std::string_view text;
    std::string_view json;
};

SourceWords words_for(TimeSource source) {
    switch (source) {
        case TimeSource::option:
            return {"as given", "option"};
        case TimeSource::system:
            return {"this system's", "system"};
        case TimeSource::fallback:
            break;
    }
    return {"the kernel's default", "default"};
}

std::string headline(const PolicyRun& run, bool used_break_time) {
    std::string text = "--" + run.policy;
    if (!run.argument.empty()) {
        text += " " + escape(run.argument);
    }
    if (run.min) {
        text += fmt::format(" --min {}s", format_seconds(*run.min));
    }
    if (run.max) {
        text += fmt::format(" --max {}s", format_seconds(*run.max));
    }
    if (run.renotify) {
        text += " --renotify";
    }
    if (used_break_time) {
        text += fmt::format(", lease-break-time {}s ({})", format_seconds(run.lease_break_time),
                            words_for(run.lease_break_time_source).text);
    }
    return run.dry_run ? text + ", dry run: nothing is written" : text;
}

void write_time(JsonWriter& json, std::string_view key, const std::optional<Nanoseconds>& time) {
    json.key(key);
    time ? json.seconds(*time) : json.null();
}

void write_run(JsonWriter& json, const PolicyRun& run) {
    json.member("policy", run.policy).key("argument");
    run.argument.empty() ? json.null() : json.value(to_utf8(run.argument));
    write_time(json, "min", run.min);
    write_time(json, "max", run.max);
    json.member("renotify", run.renotify).member("dry_run", run.dry_run);
    write_time(json, "lease_break_time", run.lease_break_time);
    json.member("lease_break_time_source", words_for(run.lease_break_time_source).json);
}

std::string yes_or_no(bool value) {
    return value ? "yes" : "no";
}

}  // namespace

PolicyReport::PolicyReport(Out& out, const Form& form, const PolicyRun& run)
    : Report(out, form, "policy"), run_(run) {
    if (form_.json) {
        write_run(json(), run);
    }
    begin_list("images");
}

void PolicyReport::begin_image(const Name& name, bool used_break_time) {
    in_image_ = true;
    if (form_.json) {
        json().begin_object();
        write_names(name.subject, name.path).key("leases").begin_array();
        return;
    }
    print_headline(
        out_, form_.page, name.subject,
        (name.is_checkpoint ? "CRIU checkpoint, " : "") + headline(run_, used_break_time));
    using Kind = Table::Kind;
    table_.emplace(out_, form_.page,
                   std::vector<Table::Column>{{"IDX", Kind::right},
                                              {"BEFORE", Kind::right},
                                              {"AFTER", Kind::right},
                                              {"SIG", Kind::left},
                                              {"FD", Kind::right},
                                              {"PATH", Kind::wrapped}},
                   Table::Form{.indent = "  "});
}

void PolicyReport::lease(const Lock& before, const LeaseState& after, const Ownership& ownership) {
    const LeaseState& state = before.lease;
    if (form_.json) {
        json().begin_object();
        write_place(json(), before, ownership);
        json().key("before").begin_object();
        write_break(json(), state);
        json().end_object().key("after").begin_object();
        write_break(json(), after);
        json().end_object().end_object();
        return;
    }
    table_->add(
        {fmt::to_string(before.index), to_string(state.remaining), to_string(after.remaining),
         yes_or_no(state.notified) +
             (state.notified == after.notified ? "" : "->" + yes_or_no(after.notified)),
         fmt::to_string(before.fd), shown_path(ownership.path(before.file))},
        state == after ? Table::Style::aside : Table::Style::plain);
}

void PolicyReport::end_image(const Counts& counts) {
    in_image_ = false;
    if (form_.json) {
        json()
            .end_array()
            .member("changed", counts.changed)
            .member("changed_leases", counts.changed_leases)
            .member("unchanged", counts.unchanged)
            .member("not_breaking", counts.not_breaking)
            .member("filtered_out", counts.filtered_out);
        document_.write_no_errors();
        json().end_object();
        return;
    }
    table_->finish();
    out_.print("  {} changed{}, {} unchanged, {} not being broken, {} filtered out\n",
               counts.changed,
               counts.changed == counts.changed_leases
                   ? std::string()
                   : fmt::format(" (of {} lease{})", counts.changed_leases,
                                 counts.changed_leases == 1 ? "" : "s"),
               counts.unchanged, counts.not_breaking, counts.filtered_out);
}

void PolicyReport::fail_image(const Name& name, const Problem& problem, const std::string& text) {
    if (!form_.json) {
        return;
    }
    if (!in_image_) {
        begin_image(name, false);
    }
    in_image_ = false;
    json().end_array().member("error", to_utf8(text));
    document_.write_errors(name.subject, problem);
    json().end_object();
}

}  // namespace ckpt_lease::render
