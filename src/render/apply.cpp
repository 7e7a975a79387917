// SPDX-License-Identifier: GPL-2.0-or-later
#include "render/apply.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "render/document.hpp"
#include "render/parts.hpp"
#include "render/table.hpp"

namespace ckpt_lease::render {
namespace {

using Result = live::AppliedLease::Outcome;

std::string_view word_for(Result outcome, bool dry_run) {
    switch (outcome) {
        case Result::set:
            return dry_run ? "would be set" : "set";
        case Result::skipped:
            return "skipped";
        case Result::lost:
            break;
    }
    return "lost";
}

// What became of a lease, whether there was a process for it or not.
live::AppliedLease result_of(const Applied& applied, const live::Targets::Place& place) {
    return place.missing.empty() ? applied.results[place.wanted]
                                 : live::AppliedLease{Result::skipped, place.missing};
}

const live::WantedLease& wanted_of(const Applied& applied, const live::Targets::Place& place) {
    return place.missing.empty() ? applied.targets.wanted[place.wanted] : place.lost;
}

void print_table(Out& out, const Page& page, const Applied& applied) {
    using Kind = Table::Kind;
    Table table(out, page,
                {{"IDX", Kind::right},
                 {"PID", Kind::right},
                 {"FD", Kind::right},
                 {"RESULT", Kind::left},
                 {"LEASE", Kind::wrapped},
                 {"PATH", Kind::wrapped}});
    for (const auto& place : applied.targets.places) {
        const live::AppliedLease result = result_of(applied, place);
        const live::WantedLease& wanted = wanted_of(applied, place);
        table.add(
            {fmt::to_string(place.index), place.missing.empty() ? fmt::to_string(wanted.pid) : "-",
             fmt::to_string(wanted.fd), std::string(word_for(result.outcome, applied.dry_run)),
             result.reason.empty() ? describe(wanted.state) : result.reason,
             shown_path(wanted.path)},
            result.outcome == Result::lost ? Table::Style::important : Table::Style::plain);
    }
    table.finish();
    if (applied.targets.places.empty()) {
        out.print("no leases\n");
    }
}

void print_json(Document& document, const Applied& applied) {
    JsonWriter& json = document.begin("apply");
    json.bytes_member("subject", applied.image).bytes_member("path", applied.image);
    json.member("dry_run", applied.dry_run).key("leases").begin_array();
    for (const auto& place : applied.targets.places) {
        const live::AppliedLease result = result_of(applied, place);
        json.begin_object().member("index", place.index);
        const live::WantedLease& wanted = wanted_of(applied, place);
        json.key("pid");
        place.missing.empty() ? json.value(wanted.pid) : json.null();
        json.member("fd", wanted.fd);
        write_path(json, wanted.path);
        json.member("result", word_for(result.outcome, false));
        json.member("outcome", word_for(result.outcome, applied.dry_run));
        json.key("wanted").begin_object();
        write_state(json, wanted.state);
        json.end_object();
        if (!result.reason.empty()) {
            json.member("reason", result.reason);
        }
        json.end_object();
    }
    document.end();
}

}  // namespace

void print_applied(Out& out, const Form& form, const Applied& applied) {
    form.json ? print_json(*form.document, applied) : print_table(out, form.page, applied);
}

bool is_all_set(const Applied& applied) {
    return std::all_of(
        applied.targets.places.begin(), applied.targets.places.end(),
        [&](const auto& place) { return result_of(applied, place).outcome == Result::set; });
}

}  // namespace ckpt_lease::render
