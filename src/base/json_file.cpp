// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/json_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
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

// How much an error says, compared with others about the same place. Where alternatives are tried,
// each that fails leaves errors of its own, which mislead.
int weight(std::string_view description, bool has_alternatives) {
    if (description.starts_with("Object contains a property")) {
        return 3;
    }
    if (description.starts_with("Failed to validate against exactly one") ||
        description.find("oneOf") != std::string_view::npos) {
        return 2;
    }
    return has_alternatives ? 0 : 1;
}

std::string in_our_words(std::string description) {
    if (weight(description, true) == 2) {
        return "just one of several members must be there";
    }
    if (description.ends_with('.')) {
        description.pop_back();
    }
    return description;
}

[[noreturn]] void fail_validation(const std::string& name, std::string_view schema,
                                  valijson::ValidationResults& results) {
    // The deepest place says most: errors further out only say that something inside is wrong.
    using Fault = valijson::ValidationResults::Error;
    std::vector<Fault> deepest;
    for (Fault fault; results.popError(fault);) {
        if (!deepest.empty() && fault.context.size() > deepest.front().context.size()) {
            deepest.clear();
        }
        if (deepest.empty() || fault.context.size() == deepest.front().context.size()) {
            deepest.push_back(fault);
        }
    }
    const bool has_alternatives =
        std::any_of(deepest.begin(), deepest.end(),
                    [](const Fault& fault) { return weight(fault.description, true) == 2; });
    const auto worst =
        std::max_element(deepest.begin(), deepest.end(), [&](const Fault& a, const Fault& b) {
            return weight(a.description, has_alternatives) <
                   weight(b.description, has_alternatives);
        });
    fail_json(
        name, to_pointer(worst->context), in_our_words(worst->description),
        fmt::format("the schema {} says what is allowed; ckpt-lease(1) says where it is", schema));
}

// The longest path has 4096 bytes. The schemas' patterns are matched by a recursion of the standard
// library, once a byte: there is no stack for texts of any length.
constexpr std::size_t kLongestText = 4096;

// Ours need 5 levels, and a rule has some 10 values; what a document may cost has to end somewhere.
constexpr int kMostLevels = 16;
constexpr std::size_t kMostValues = 200'000;

// What JSON allows, and we do not: two members of one name, as nobody can tell which was meant,
// texts, levels and numbers of values without end.
class StrictCheck {
 public:
    explicit StrictCheck(std::string name) : name_(std::move(name)) {}

    bool operator()(int depth, nlohmann::json::parse_event_t event, const nlohmann::json& parsed) {
        using Event = nlohmann::json::parse_event_t;
        check_extent(depth);
        if (event == Event::object_start) {
            keys_.emplace_back();
        } else if (event == Event::object_end) {
            keys_.pop_back();
        } else if (event == Event::key && !keys_.back().insert(parsed.get<std::string>()).second) {
            fail_json(name_, {},
                      fmt::format("the member '{}' stands twice in one object",
                                  parsed.get<std::string>()));
        } else if (event == Event::value && parsed.is_string()) {
            check_length(parsed.get_ref<const std::string&>());
        }
        return true;
    }

 private:
    void check_extent(int depth) {
        if (depth > kMostLevels) {
            fail_json(name_, {},
                      fmt::format("more than {} levels of objects and arrays", kMostLevels));
        }
        if (++values_ > kMostValues) {
            fail_json(name_, {}, fmt::format("more than {} values", kMostValues));
        }
    }
    void check_length(const std::string& text) const {
        if (text.size() > kLongestText) {
            fail_json(name_, {},
                      fmt::format("a text of {} bytes: {} are the most that a path can have",
                                  text.size(), kLongestText));
        }
    }

    std::string name_;
    std::vector<std::set<std::string>> keys_;
    std::size_t values_ = 0;  // and the beginnings and ends of what holds them
};

}  // namespace

void fail_json(const std::string& name, const std::string& pointer, std::string message,
               std::string hint) {
    throw Error(Error::Kind::refused, {.file = name,
                                       .record = pointer.empty() ? "top level" : pointer,
                                       .message = std::move(message),
                                       .hint = std::move(hint)});
}

nlohmann::json parse_json(const std::string& name, std::string_view text, std::string_view schema) {
    if (text.size() > kMostJson) {
        fail_json(
            name, {},
            fmt::format("{} bytes: a file of this kind has {} at most", text.size(), kMostJson));
    }
    nlohmann::json document;
    try {
        document = nlohmann::json::parse(text, StrictCheck(name));
    } catch (const nlohmann::json::out_of_range&) {
        fail_json(name, {}, "a number is larger than any that can be meant",
                  "floating-point numbers end at 1.8e308");
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
