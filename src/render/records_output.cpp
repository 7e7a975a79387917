// SPDX-License-Identifier: GPL-2.0-or-later
#include "render/records_output.hpp"

#include <fmt/format.h>

#include "ckpt-lease/base/text.hpp"
#include "render/json_writer.hpp"

namespace ckpt_lease {
namespace {

using linux_cr::Fact;
using linux_cr::Record;
using linux_cr::RecordFacts;

std::string number(const Fact& fact) {
    return fact.is_signed ? fmt::to_string(fact.signed_value()) : fmt::to_string(fact.value);
}

class RecordsText final : public RecordsOutput {
 public:
    explicit RecordsText(Out& out) : out_(out) {}

    void record(const Record& record, const RecordFacts& facts) override {
        std::string line =
            fmt::format("{:>10}  {:<15} {:>9}", record.offset, facts.name, record.length);
        for (const Fact& fact : facts.facts) {
            line += fmt::format("  {}={}", fact.name,
                                fact.meaning.empty() ? number(fact) : fact.meaning);
        }
        if (facts.is_text) {
            line += fmt::format("  \"{}\"", escape(facts.text));
        }
        out_.print("{}\n", line);
    }

 private:
    Out& out_;
};

class RecordsJson final : public RecordsOutput {
 public:
    explicit RecordsJson(Out& out) : json_(out) {}

    void begin(const std::string& name) override {
        json_.begin_object().member("schema", "ckpt-lease/records/1");
        json_.bytes_member("path", name).key("records").begin_array();
    }

    void record(const Record& record, const RecordFacts& facts) override {
        json_.begin_object()
            .member("offset", record.offset)
            .member("type", record.type)
            .member("name", facts.name)
            .member("length", record.length);
        json_.key("fields").begin_object();
        for (const Fact& fact : facts.facts) {
            json_.key(fact.name);
            fact.is_signed ? json_.value(fact.signed_value()) : json_.value(fact.value);
        }
        json_.end_object();
        if (facts.is_text) {
            json_.bytes_member("text", facts.text);
        }
        json_.end_object();
    }

    void end(const std::optional<Problem>& broken) override {
        json_.end_array();
        if (broken) {
            json_.member("error", to_utf8(broken->message));
        }
        json_.end_object();
        json_.finish();
    }

 private:
    JsonWriter json_;
};

}  // namespace

std::unique_ptr<RecordsOutput> make_records_text(Out& out) {
    return std::make_unique<RecordsText>(out);
}

std::unique_ptr<RecordsOutput> make_records_json(Out& out) {
    return std::make_unique<RecordsJson>(out);
}

}  // namespace ckpt_lease
