// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <optional>

#include "ckpt-lease/base/text.hpp"
#include "ckpt-lease/linux_cr/describe.hpp"
#include "cli/command.hpp"
#include "cli/exit_status.hpp"
#include "cli/input.hpp"
#include "cli/options.hpp"
#include "render/json_writer.hpp"

namespace ckpt_lease::cli {
namespace {

using linux_cr::Fact;
using linux_cr::Record;
using linux_cr::RecordFacts;

std::string number(const Fact& fact) {
    return fact.is_signed ? fmt::to_string(fact.signed_value()) : fmt::to_string(fact.value);
}

void print_text(Out& out, const Record& record, const RecordFacts& facts) {
    std::string line =
        fmt::format("{:>10}  {:<15} {:>9}", record.offset, facts.name, record.length);
    for (const Fact& fact : facts.facts) {
        line +=
            fmt::format("  {}={}", fact.name, fact.meaning.empty() ? number(fact) : fact.meaning);
    }
    if (facts.is_text) {
        line += fmt::format("  \"{}\"", escape(facts.text));
    }
    out.print("{}\n", line);
}

void write_json(JsonWriter& json, const Record& record, const RecordFacts& facts) {
    json.begin_object()
        .member("offset", record.offset)
        .member("type", record.type)
        .member("name", facts.name)
        .member("length", record.length);
    json.key("fields").begin_object();
    for (const Fact& fact : facts.facts) {
        json.key(fact.name);
        fact.is_signed ? json.value(fact.signed_value()) : json.value(fact.value);
    }
    json.end_object();
    if (facts.is_text) {
        json.bytes_member("text", facts.text);
    }
    json.end_object();
}

class Records final : public Command {
 public:
    void declare(CLI::App& app) override {
        app.add_option("IMAGE", image_, "a checkpoint image; - is standard input")
            ->type_name("")
            ->required();
        declare_json(app, json_);
        layout_.declare(app);
        app.footer(
            R"(One line a record: offset, name of its type, length, and the known fields.

Examples:
  ckpt-lease records job.img
  ckpt-lease records job.img | grep -E 'FILE_(NAME|LOCK)'
  ckpt-lease records --json job.img | jq '.records[] | select(.name=="VMA")')");
    }

    int run(const Context& context) override {
        const linux_cr::Layout layout = layout_.layout(*context.environment.system);
        Input input(context, image_);
        std::optional<Problem> broken;
        linux_cr::Walker walker(input.source(), [&](const Problem& problem) { broken = problem; });
        JsonWriter json(context.out);
        if (json_) {
            json.begin_object().member("schema", "ckpt-lease/records/1");
            json.bytes_member("path", image_).key("records").begin_array();
        }
        bool ended = false;
        while (!ended && walker.next()) {
            const RecordFacts facts = linux_cr::describe_record(walker, layout);
            if (json_) {
                write_json(json, walker.record(), facts);
            } else {
                print_text(context.out, walker.record(), facts);
            }
            ended = walker.record().type == linux_cr::kTail;
        }
        if (json_) {
            json.end_array();
            if (broken) {
                json.member("error", to_utf8(broken->message));
            }
            json.end_object();
            json.finish();
        }
        if (broken) {
            throw Error(Error::Kind::damaged, *broken);
        }
        return kDone;
    }

 private:
    std::string image_;
    bool json_ = false;
    LayoutOption layout_;
};

}  // namespace

std::unique_ptr<Command> make_records() {
    return std::make_unique<Records>();
}

}  // namespace ckpt_lease::cli
