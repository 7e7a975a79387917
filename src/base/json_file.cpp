// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/json_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>
#include <vector>

#include "ckpt-lease/base/problem.hpp"

namespace ckpt_lease {
namespace {

using Adapter = valijson::adapters::NlohmannJsonAdapter;

// valijson writes places as {"<root>", "[rules]", "[0]"}.
std::string to_pointer(const std::vector<std::string>& context) {
    std::string pointer;
    for (auto step = context.begin(); step != context.end(); ++step) {
        if (step != context.begin()) {
            pointer += "/" + step->substr(1, step->size() - 2);
        }
    }
    return pointer;
}

std::string without_full_stop(std::string text) {
    if (text.ends_with('.')) {
        text.pop_back();
    }
    return text;
}

[[noreturn]] void fail_validation(const std::string& name, std::string_view schema,
                                  valijson::ValidationResults& results) {
    // The deepest place says most: errors further out only say that something inside is wrong.
    valijson::ValidationResults::Error worst;
    valijson::ValidationResults::Error error;
    while (results.popError(error)) {
        if (worst.description.empty() || error.context.size() > worst.context.size()) {
            worst = error;
        }
    }
    fail_json(name, to_pointer(worst.context), without_full_stop(worst.description),
              fmt::format("schemas/{} says what is allowed", schema));
}

}  // namespace

void fail_json(const std::string& name, const std::string& pointer, std::string message,
               std::string hint) {
    Problem problem;
    problem.file = name;
    problem.record = pointer.empty() ? "top level" : pointer;
    problem.message = std::move(message);
    problem.hint = std::move(hint);
    throw Error(Error::Kind::damaged, std::move(problem));
}

nlohmann::json parse_json(const std::string& name, std::string_view text, std::string_view schema) {
    nlohmann::json document;
    try {
        document = nlohmann::json::parse(text);
    } catch (const nlohmann::json::parse_error& error) {
        const std::string_view before = text.substr(0, error.byte == 0 ? 0 : error.byte - 1);
        fail_json(name, fmt::format("line {}", 1 + std::count(before.begin(), before.end(), '\n')),
                  "this is not JSON", "jq . FILE says more");
    }
    valijson::Schema parsed;
    valijson::SchemaParser(valijson::SchemaParser::kDraft7)
        .populateSchema(Adapter(nlohmann::json::parse(embedded_file(schema))), parsed);
    valijson::ValidationResults results;
    if (!valijson::Validator().validate(parsed, Adapter(document), &results)) {
        fail_validation(name, schema, results);
    }
    return document;
}

}  // namespace ckpt_lease
