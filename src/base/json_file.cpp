// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/json_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>
#include <vector>

#include "base/json_fault.hpp"
#include "base/json_place.hpp"
#include "base/json_syntax.hpp"
#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/base/text.hpp"

namespace ckpt_lease {
namespace {

using namespace std::string_view_literals;

using Json = nlohmann::json;
using Adapter = valijson::adapters::NlohmannJsonAdapter;

// The longest path has 4096 bytes. The schemas' patterns are matched by a recursion of the standard
// library, once a byte: there is no stack for texts of any length.
constexpr std::size_t kLongestText = 4096;

// Ours need 5 levels, and a rule has some 10 values; what a document may cost has to end somewhere.
constexpr int kMostLevels = 16;
constexpr std::size_t kMostValues = 200'000;

// Where no hint is known, the schema says what is allowed.
[[noreturn]] void refuse_file(Problem problem, std::string_view schema) {
    if (problem.hint.empty()) {
        problem.advice = Advice::see_schema;
        problem.detail = std::string(schema.substr(0, schema.find('.')));
    }
    throw Error(Error::Kind::refused, std::move(problem));
}

// What is said of a text before it has become a document.
struct Text {
    const std::string& name;
    std::string_view text;
    std::string_view schema;

    [[noreturn]] void fail(std::size_t offset, std::string message, std::string hint = {}) const {
        fail_at(to_string(place_of(text, offset)), std::move(message), std::move(hint));
    }
    [[noreturn]] void fail_at(std::string place, std::string message, std::string hint = {}) const {
        refuse_file({.file = name,
                     .record = std::move(place),
                     .message = std::move(message),
                     .hint = std::move(hint),
                     .code = Problem::Code::invalid_file},
                    schema);
    }
};

// The parser does not say how far it has read when it has found a value: this counts.
class CountingIterator {
 public:
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = const char&;

    CountingIterator(const char* at, std::size_t* count) : at_(at), count_(count) {}
    reference operator*() const { return *at_; }
    CountingIterator& operator++() {
        ++at_;
        ++*count_;
        return *this;
    }
    bool operator==(const CountingIterator& other) const { return at_ == other.at_; }

 private:
    const char* at_;
    std::size_t* count_;
};

// What JSON allows, and we do not: two members of one name, as nobody can tell which was meant,
// texts, levels and numbers of values without end.
class StrictCheck {
 public:
    StrictCheck(const Text& text, const std::size_t& read) : text_(text), read_(read) {}

    bool operator()(int depth, Json::parse_event_t event, const Json& parsed) {
        using Event = Json::parse_event_t;
        // Behind a number the parser has to read one character more to know that it has ended.
        const std::size_t last = read_ - (event == Event::value && parsed.is_number() ? 2 : 1);
        const bool is_start = event == Event::object_start || event == Event::array_start;
        check_extent(depth + (is_start ? 1 : 0), last);
        if (event == Event::object_start) {
            keys_.emplace_back();
        } else if (event == Event::object_end) {
            keys_.pop_back();
        } else if (event == Event::key) {
            check_key(parsed.get_ref<const std::string&>(), last);
        } else if (event == Event::value && parsed.is_string()) {
            check_text(parsed.get_ref<const std::string&>(), last);
        }
        return true;
    }

 private:
    // `last` is the offset of the last byte of what has been found.
    [[noreturn]] void fail(std::size_t last, std::string message, std::string hint = {}) const {
        text_.fail(token_begin(text_.text, last), std::move(message), std::move(hint));
    }
    void check_extent(int levels, std::size_t last) {
        if (levels > kMostLevels) {
            fail(last, fmt::format("more than {} levels of objects and arrays", kMostLevels));
        }
        if (++values_ > kMostValues) {
            fail(last, fmt::format("more than {} values", kMostValues));
        }
    }
    void check_key(const std::string& key, std::size_t last) {
        const auto [first, is_new] = keys_.back().emplace(key, last);
        if (!is_new) {
            const TextPlace place = place_of(text_.text, token_begin(text_.text, first->second));
            fail(last, fmt::format("the member '{}' stands twice in one object", excerpt(key)),
                 fmt::format("the first one is in {}", to_string(place)));
        }
    }
    void check_text(const std::string& text, std::size_t last) const {
        // Patterns and paths end at one: a rule would match more than it says.
        if (text.find('\0') != std::string::npos) {
            fail(last, "a text with a NUL (\\u0000) in it", "no path and no command has one");
        }
        if (text.size() > kLongestText) {
            fail(last, fmt::format("a text of {} bytes: {} are the most that a path can have",
                                   text.size(), kLongestText));
        }
    }

    const Text& text_;
    const std::size_t& read_;                               // bytes
    std::vector<std::map<std::string, std::size_t>> keys_;  // with the offset of the last byte
    std::size_t values_ = 0;  // and the beginnings and ends of what holds them
};

// JSON is UTF-8 without NULs. The parser would take a NUL for the end.
void check_encoding(const Text& file) {
    const std::string_view text = file.text;
    // Byte order marks, and a document without one.
    if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff") || text.starts_with("{\0"sv) ||
        text.starts_with("\0{"sv)) {
        file.fail(0, "this is UTF-16 or UTF-32, and JSON is UTF-8", "iconv(1) converts it");
    }
    if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
        file.fail(nul, "here is a NUL byte, and JSON has none", "is this the right file?");
    }
    if (is_utf8(text)) {
        return;
    }
    std::size_t valid = 0;  // bytes
    for (std::size_t length = 1; length <= 4 && valid + length <= text.size(); ++length) {
        if (is_utf8(text.substr(valid, length))) {
            valid += length;
            length = 0;
        }
    }
    file.fail(valid,
              fmt::format("the byte {:#04x} is not UTF-8, and JSON is",
                          static_cast<unsigned char>(text[valid])),
              "iconv(1) converts it, from ISO-8859-1 for instance");
}

Json parse(const Text& file) {
    std::size_t read = 0;
    const char* const begin = file.text.data();
    try {
        return Json::parse(CountingIterator(begin, &read),
                           CountingIterator(begin + file.text.size(), &read),
                           StrictCheck(file, read));
    } catch (const Json::out_of_range&) {
        // It is a number, behind which a character has been read, if there is one.
        file.fail(token_begin(file.text, read - 2), "the number is too large",
                  "floating-point numbers end at 1.8e308");
    } catch (const Json::parse_error& error) {
        SyntaxFault fault = explain_syntax(file.text, error.byte == 0 ? 0 : error.byte - 1);
        file.fail(fault.offset, std::move(fault.message), std::move(fault.hint));
    }
}

// A JSON pointer in a message: names can have any length.
std::string shown_pointer(std::string_view pointer) {
    std::string shown;
    while (!pointer.empty()) {  // it begins with a slash
        const std::size_t end = std::min(pointer.find('/', 1), pointer.size());
        shown += '/' + excerpt(pointer.substr(1, end - 1));
        pointer.remove_prefix(end);
    }
    return shown.empty() ? "top level" : shown;
}

// The validator decides; its words are those of schemas, and other ones in each of its versions.
void check(const JsonFile& file, std::string_view schema) {
    const Json rules = Json::parse(embedded_file(schema));
    valijson::Schema parsed;
    valijson::SchemaParser(valijson::SchemaParser::kDraft7).populateSchema(Adapter(rules), parsed);
    if (valijson::Validator().validate(parsed, Adapter(file.document), nullptr)) {
        return;
    }
    const JsonFault fault =
        find_fault(file.document, rules)
            .value_or(
                JsonFault{.pointer = {}, .message = "this is not as it has to be", .hint = {}});
    refuse_file(file.problem(fault.pointer, fault.message, fault.hint), schema);
}

}  // namespace

Problem JsonFile::problem(const std::string& pointer, std::string message, std::string hint) const {
    return {.file = name,
            .record = fmt::format("{}, {}", to_string(place_of_value(text, pointer)),
                                  shown_pointer(pointer)),
            .message = std::move(message),
            .hint = std::move(hint),
            .code = Problem::Code::invalid_file};
}

void JsonFile::fail(const std::string& pointer, std::string message, std::string hint) const {
    throw Error(Error::Kind::refused, problem(pointer, std::move(message), std::move(hint)));
}

JsonFile parse_json(const std::string& name, std::string_view text, std::string_view schema) {
    const Text whole{.name = name, .text = text, .schema = schema};
    if (text.size() > kMostJson) {
        whole.fail_at({}, fmt::format("the file has {} bytes, and {} are the most for its kind",
                                      text.size(), kMostJson));
    }
    check_encoding(whole);
    JsonFile file{.name = name, .text = text, .document = parse(whole)};
    check(file, schema);
    return file;
}

}  // namespace ckpt_lease
