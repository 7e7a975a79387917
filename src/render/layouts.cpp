// SPDX-License-Identifier: GPL-2.0-or-later
#include "render/layouts.hpp"

#include <fmt/format.h>

#include "render/document.hpp"
#include "render/table.hpp"

namespace ckpt_lease::render {
namespace {

std::string end_of_list(const linux_cr::Layout& layout) {
    const auto* const counted = std::get_if<linux_cr::CountedList>(&layout.list_end);
    return counted != nullptr ? fmt::format("count (type {})", counted->type) : "marker";
}

std::string type_name(const Field& field) {
    return fmt::format("{}{}", field.is_signed ? 's' : 'u', field.width * 8);
}

void print_table(Out& out, const Page& page, const std::vector<linux_cr::BuiltInLayout>& layouts) {
    using Kind = Table::Kind;
    Table table(out, page,
                {{"NAME", Kind::left},
                 {"TYPE", Kind::right},
                 {"LENGTH", Kind::right},
                 {"LIST ENDS BY", Kind::left},
                 {"DESCRIPTION", Kind::wrapped}});
    for (const auto& [layout, text] : layouts) {
        table.add({layout.name, fmt::to_string(layout.type), fmt::to_string(layout.length),
                   end_of_list(layout), layout.description});
    }
    table.finish();
}

void print_json(Document& document, const std::vector<linux_cr::BuiltInLayout>& layouts) {
    JsonWriter& json = document.begin("layouts");
    json.key("layouts").begin_array();
    for (const auto& [layout, text] : layouts) {
        const bool counted = std::holds_alternative<linux_cr::CountedList>(layout.list_end);
        json.begin_object()
            .member("name", layout.name)
            .member("description", layout.description)
            .member("type", layout.type)
            .member("length", layout.length)
            .member("list_end", counted ? "count" : "marker")
            .key("fields")
            .begin_array();
        for (const Field& field : layout.fields()) {
            json.begin_object()
                .member("name", field.name)
                .member("offset", field.offset)
                .member("type", type_name(field))
                .end_object();
        }
        json.end_array().end_object();
    }
    document.end();
}

}  // namespace

void print_layouts(Out& out, const Form& form,
                   const std::vector<linux_cr::BuiltInLayout>& layouts) {
    form.json ? print_json(*form.document, layouts) : print_table(out, form.page, layouts);
}

}  // namespace ckpt_lease::render
