// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include "ckpt-lease/base/problem.hpp"
#include "cli/command.hpp"
#include "cli/exit_status.hpp"
#include "cli/options.hpp"
#include "render/json_writer.hpp"
#include "render/table.hpp"

namespace ckpt_lease::cli {
namespace {

std::string end_of_list(const linux_cr::Layout& layout) {
    const auto* const counted = std::get_if<linux_cr::CountedList>(&layout.list_end);
    return counted != nullptr ? fmt::format("count (type {})", counted->type) : "marker";
}

std::string type_name(const Field& field) {
    return fmt::format("{}{}", field.is_signed ? 's' : 'u', field.width * 8);
}

class Layouts final : public Command {
 public:
    void declare(CLI::App& app) override {
        app.add_option("LAYOUT", layout_,
                       "print this one as JSON: the name of a built-in layout, or a file to check")
            ->type_name("");
        declare_json(app, json_);
        app.footer(R"(Examples:
  ckpt-lease layouts                        those that are built in
  ckpt-lease layouts lease-1 > mine.json    one to start from
  ckpt-lease layouts ./mine.json            is it right?
  ckpt-lease show --layout ./mine.json job.img)");
    }

    int run(const Context& context) override {
        if (layout_.empty()) {
            json_ ? list_json(context.out) : list_table(context);
            return kDone;
        }
        if (const auto* const built_in = linux_cr::find_layout(layout_)) {
            context.out.write(built_in->json);
            return kDone;
        }
        const std::string text = read_text_file(*context.environment.system, layout_);
        static_cast<void>(linux_cr::parse_layout(layout_, text));
        context.out.write(text);
        return kDone;
    }

 private:
    static void list_table(const Context& context) {
        using Kind = Table::Kind;
        Table table(context.out, context.environment.out_page,
                    {{"NAME", Kind::left},
                     {"TYPE", Kind::right},
                     {"LENGTH", Kind::right},
                     {"LIST ENDS BY", Kind::left},
                     {"DESCRIPTION", Kind::wrapped}});
        for (const auto& [layout, json] : linux_cr::built_in_layouts()) {
            table.add({layout.name, fmt::to_string(layout.type), fmt::to_string(layout.length),
                       end_of_list(layout), layout.description});
        }
        table.finish();
    }

    static void list_json(Out& out) {
        JsonWriter json(out);
        json.begin_object().member("schema", "ckpt-lease/layouts/1").key("layouts").begin_array();
        for (const auto& [layout, text] : linux_cr::built_in_layouts()) {
            json.begin_object()
                .member("name", layout.name)
                .member("description", layout.description)
                .member("type", layout.type)
                .member("length", layout.length)
                .member("list_end", std::holds_alternative<linux_cr::CountedList>(layout.list_end)
                                        ? "count"
                                        : "marker")
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
        json.end_array().end_object();
        json.finish();
    }

    std::string layout_;
    bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> make_layouts() {
    return std::make_unique<Layouts>();
}

}  // namespace ckpt_lease::cli
