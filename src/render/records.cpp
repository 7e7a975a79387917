// SPDX-License-Identifier: GPL-2.0-or-later
#include "render/records.hpp"

#include <fmt/format.h>

#include "ckpt-lease/base/text.hpp"

namespace ckpt_lease::render {
namespace {

using linux_cr::Fact;
using linux_cr::Record;
using linux_cr::RecordFacts;

std::string number(const Fact& fact) {
    return fact.is_signed ? fmt::to_string(fact.signed_value()) : fmt::to_string(fact.value);
}

std::string line_of(const Record& record, const RecordFacts& facts) {
    std::string line =
        fmt::format("{:>10}  {:<15} {:>9}", record.offset, facts.name, record.length);
    for (const Fact& fact : facts.facts) {
        line +=
            fmt::format("  {}={}", fact.name, fact.meaning.empty() ? number(fact) : fact.meaning);
    }
    if (facts.is_text) {
        line += fmt::format("  \"{}\"", escape(facts.text));
    }
    return line;
}

}  // namespace

RecordsReport::RecordsReport(Out& out, const Form& form, const std::string& name)
    : Report(out, form, "records") {
    if (form_.json) {
        write_names(name, name);
    }
    begin_list("records");
}

void RecordsReport::record(const Record& record, const RecordFacts& facts) {
    if (!form_.json) {
        out_.print("{}\n", line_of(record, facts));
        return;
    }
    json()
        .begin_object()
        .member("offset", record.offset)
        .member("type", record.type)
        .member("name", facts.name)
        .member("length", record.length);
    json().key("fields").begin_object();
    for (const Fact& fact : facts.facts) {
        json().key(fact.name);
        fact.is_signed ? json().value(fact.signed_value()) : json().value(fact.value);
    }
    json().end_object();
    if (facts.is_text) {
        json().bytes_member("text", facts.text);
    }
    json().end_object();
}

void RecordsReport::break_off(const Problem& broken) {
    if (form_.json) {
        json().close_down_to(1).member("error", to_utf8(broken.message));
    }
}

}  // namespace ckpt_lease::render
