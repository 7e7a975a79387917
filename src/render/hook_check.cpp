// SPDX-License-Identifier: GPL-2.0-or-later
#include "render/hook_check.hpp"

#include <string_view>

#include "ckpt-lease/base/text.hpp"
#include "render/table.hpp"

namespace ckpt_lease::render {
namespace {

std::string_view name_of(Check::State state) {
    switch (state) {
        case Check::State::ok:
            return "ok";
        case Check::State::note:
            return "note";
        case Check::State::failed:
            break;
    }
    return "failed";
}

}  // namespace

HookCheckReport::HookCheckReport(Out& out, const Form& form) : Report(out, form, "criu-hook") {}

void HookCheckReport::checks(const std::vector<Check>& checks, bool keeps) {
    if (form_.json) {
        begin_list("checks");
        for (const Check& check : checks) {
            write_object(check);
        }
        json().end_array().member("keeps_leases", keeps);
        return;
    }
    Table table(out_, form_.page,
                {{"CHECK", Table::Kind::left},
                 {"STATE", Table::Kind::left},
                 {"WHAT WAS FOUND", Table::Kind::wrapped}});
    for (const Check& check : checks) {
        table.add(
            {check.name, std::string(name_of(check.state)), escape(check.message)},
            check.state == Check::State::failed ? Table::Style::important : Table::Style::plain);
        if (!check.advice.empty()) {
            table.add({"", "", "-> " + escape(check.advice)});
        }
    }
    table.finish();
    out_.write(keeps ? "\nA dump or restore that is started now keeps leases.\n"
                     : "\nA dump or restore that is started now does not keep leases.\n");
}

void HookCheckReport::write_object(const Check& check) {
    json().begin_object().member("name", check.name).member("state", name_of(check.state));
    json().bytes_member("message", check.message).key("advice");
    check.advice.empty() ? json().null() : json().value(std::string_view(to_utf8(check.advice)));
    json().end_object();
}

}  // namespace ckpt_lease::render
