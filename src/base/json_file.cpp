// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/json_file.hpp"

#include <fmt/format.h>

#include <set>
#include <utility>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>
#include <vector>

#include "base/json_fault.hpp"
#include "base/json_place.hpp"
#include "ckpt-lease/base/problem.hpp"

namespace ckpt_lease {
namespace {

using Json = nlohmann::json;
using Adapter = valijson::adapters::NlohmannJsonAdapter;

// About a file that has not become a document.
[[noreturn]] void fail_whole(const std::string& name, std::string message, std::string hint = {}) {
    throw Error(Error::Kind::refused, {.file = name,
                                       .record = "top level",
                                       .message = std::move(message),
                                       .hint = std::move(hint)});
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

    bool operator()(int depth, Json::parse_event_t event, const Json& parsed) {
        using Event = Json::parse_event_t;
        check_extent(depth);
        if (event == Event::object_start) {
            keys_.emplace_back();
        } else if (event == Event::object_end) {
            keys_.pop_back();
        } else if (event == Event::key && !keys_.back().insert(parsed.get<std::string>()).second) {
            fail_whole(name_, fmt::format("the member '{}' stands twice in one object",
                                          parsed.get<std::string>()));
        } else if (event == Event::value && parsed.is_string()) {
            check_text(parsed.get_ref<const std::string&>());
        }
        return true;
    }

 private:
    void check_extent(int depth) {
        if (depth > kMostLevels) {
            fail_whole(name_,
                       fmt::format("more than {} levels of objects and arrays", kMostLevels));
        }
        if (++values_ > kMostValues) {
            fail_whole(name_, fmt::format("more than {} values", kMostValues));
        }
    }
    void check_text(const std::string& text) const {
        // Patterns and paths end at one: a rule would match more than it says.
        if (text.find('\0') != std::string::npos) {
            fail_whole(name_, "a text with a NUL (\\u0000) in it");
        }
        if (text.size() > kLongestText) {
            fail_whole(name_,
                       fmt::format("a text of {} bytes: {} are the most that a path can have",
                                   text.size(), kLongestText));
        }
    }

    std::string name_;
    std::vector<std::set<std::string>> keys_;
    std::size_t values_ = 0;  // and the beginnings and ends of what holds them
};

// The validator decides; its words are those of schemas, and other ones in each of its versions.
void check(const JsonFile& file, std::string_view schema) {
    const Json rules = Json::parse(embedded_file(schema));
    valijson::Schema parsed;
    valijson::SchemaParser(valijson::SchemaParser::kDraft7).populateSchema(Adapter(rules), parsed);
    if (valijson::Validator().validate(parsed, Adapter(file.document), nullptr)) {
        return;
    }
    const auto fault =
        find_fault(file.document, rules)
            .value_or(
                JsonFault{.pointer = {}, .message = "this is not as it has to be", .hint = {}});
    Problem problem = file.problem(fault.pointer, fault.message, fault.hint);
    if (fault.hint.empty()) {
        problem.advice = Advice::see_schema;
        problem.detail = schema.substr(0, schema.find('.'));
    }
    throw Error(Error::Kind::refused, std::move(problem));
}

}  // namespace

Problem JsonFile::problem(const std::string& pointer, std::string message, std::string hint) const {
    const TextPlace place = place_of_value(text, pointer);
    return {.file = name,
            .record = fmt::format("line {}, column {}, {}", place.line, place.column,
                                  pointer.empty() ? "top level" : pointer),
            .message = std::move(message),
            .hint = std::move(hint)};
}

void JsonFile::fail(const std::string& pointer, std::string message, std::string hint) const {
    throw Error(Error::Kind::refused, problem(pointer, std::move(message), std::move(hint)));
}

JsonFile parse_json(const std::string& name, std::string_view text, std::string_view schema) {
    if (text.size() > kMostJson) {
        fail_whole(name, fmt::format("{} bytes: a file of this kind has {} at most", text.size(),
                                     kMostJson));
    }
    // The parser would take it for the end.
    if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
        const TextPlace place = place_of(text, nul);
        throw Error(Error::Kind::refused,
                    {.file = name,
                     .record = fmt::format("line {}, column {}", place.line, place.column),
                     .message = "here is a NUL byte, and JSON has none",
                     .hint = {}});
    }
    JsonFile file{.name = name, .text = text, .document = {}};
    try {
        file.document = Json::parse(text, StrictCheck(name));
    } catch (const Json::out_of_range&) {
        fail_whole(name, "a number is larger than any that can be meant",
                   "floating-point numbers end at 1.8e308");
    } catch (const Json::parse_error& error) {
        const TextPlace place = place_of(text, error.byte == 0 ? 0 : error.byte - 1);
        throw Error(Error::Kind::refused,
                    {.file = name,
                     .record = fmt::format("line {}, column {}", place.line, place.column),
                     .message = "from here on this is not JSON",
                     .hint = {}});
    }
    check(file, schema);
    return file;
}

}  // namespace ckpt_lease
