// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/json_fault.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <regex>
#include <string_view>
#include <utility>
#include <vector>

#include "base/joined.hpp"
#include "base/json_place.hpp"
#include "base/nearest.hpp"
#include "ckpt-lease/base/text.hpp"

namespace ckpt_lease {
namespace {

using Json = nlohmann::json;
using Fault = std::optional<JsonFault>;

std::string kind_of(const Json& value) {
    switch (value.type()) {
        case Json::value_t::object:
            return "an object";
        case Json::value_t::array:
            return "an array";
        case Json::value_t::string:
            return "a text";
        case Json::value_t::boolean:
            return value.get<bool>() ? "true" : "false";
        case Json::value_t::null:
            return "null";
        default:
            return value.dump();
    }
}

std::string said(const Json& value) {
    return value.is_string() ? fmt::format("'{}'", excerpt(value.get<std::string>()))
                             : kind_of(value);
}

struct Type {
    std::string_view name;
    std::string_view words;
    bool (*fits)(const Json&);
};
constexpr Type kTypes[] = {
    {"object", "an object", [](const Json& v) { return v.is_object(); }},
    {"array", "an array", [](const Json& v) { return v.is_array(); }},
    {"string", "a text", [](const Json& v) { return v.is_string(); }},
    {"boolean", "true or false", [](const Json& v) { return v.is_boolean(); }},
    {"null", "null", [](const Json& v) { return v.is_null(); }},
    {"number", "a number", [](const Json& v) { return v.is_number(); }},
    {"integer", "a whole number", [](const Json& v) { return v.is_number_integer(); }},
};

// A larger one need not be the number that was written.
constexpr double kMostExact = 9007199254740991;  // 2^53 - 1

class Finder {
 public:
    explicit Finder(const Json& schema) : root_(schema) {}

    // NOLINTNEXTLINE(misc-no-recursion): as deep as the schema, which is ours
    Fault find(const Json& value, const Json& schema, const std::string& pointer) const {
        Fault fault;
        const auto reference = schema.find("$ref");
        if (reference != schema.end()) {
            const auto path = reference->get<std::string>().substr(1);  // behind '#'
            return find(value, root_.at(Json::json_pointer(path)), pointer);
        }
        const bool found = (fault = wrong_type(value, schema)) ||
                           (fault = no_value(value, schema)) ||
                           (fault = out_of_bounds(value, schema));
        if (found) {
            fault->pointer = pointer;
            return fault;
        }
        if (value.is_object()) {
            return in_object(value, schema, pointer);
        }
        if (value.is_array() && schema.contains("items")) {
            for (std::size_t i = 0; i < value.size(); ++i) {
                if ((fault = find(value[i], schema["items"], fmt::format("{}/{}", pointer, i)))) {
                    return fault;
                }
            }
        }
        return {};
    }

 private:
    static Fault wrong_type(const Json& value, const Json& schema) {
        const auto wanted = schema.find("type");
        if (wanted == schema.end()) {
            return {};
        }
        std::vector<std::string> words;
        for (const Json& name : wanted->is_array() ? *wanted : Json::array({*wanted})) {
            const auto* const type = std::find_if(
                std::begin(kTypes), std::end(kTypes),
                [&](const Type& known) { return known.name == name.get<std::string>(); });
            if (type == std::end(kTypes) || type->fits(value)) {
                return {};
            }
            words.emplace_back(type->words);
        }
        if (words.front() == "a whole number" && value.is_number_float()) {
            if (Fault fault = no_integer(value.get<double>(), schema)) {
                return fault;
            }
        }
        return JsonFault{
            {},
            fmt::format("this is {}, and it has to be {}", kind_of(value), joined(words, " or ")),
            other_spelling(value, schema)};
    }

    // Beyond what the schema allows, or an integer holds: 1e30.
    static Fault no_integer(double value, const Json& schema) {
        const Json least = schema.value("minimum", Json(INT64_MIN));
        const Json most = schema.value("maximum", Json(UINT64_MAX));
        if (value < least.get<double>()) {
            return JsonFault{{}, fmt::format("{} is less than {}", value, least.dump()), {}};
        }
        // 2^64 - 1 is 2^64 as a double.
        if (value > most.get<double>() || (most == UINT64_MAX && value >= most.get<double>())) {
            return JsonFault{{}, fmt::format("{} is more than {}", value, most.dump()), {}};
        }
        return {};
    }

    // The same value as the schema wants it: 5 where "5" or 5.0 stands.
    static std::string other_spelling(const Json& value, const Json& schema) {
        const Json& wanted = schema.at("type");
        Json meant(Json::value_t::discarded);
        if (value.is_string()) {
            meant = Json::parse(value.get<std::string>(), nullptr, false);
        } else if (value.is_number_float()) {
            const auto number = value.get<double>();
            if (std::abs(number) <= kMostExact && std::trunc(number) == number) {
                meant = static_cast<std::int64_t>(number);
            }
        }
        const bool fits = std::any_of(std::begin(kTypes), std::end(kTypes), [&](const Type& type) {
            return wanted == Json(type.name) && type.fits(meant);
        });
        const bool is_allowed = !meant.is_number() || !no_integer(meant.get<double>(), schema);
        return fits && is_allowed && !meant.is_structured() ? fmt::format("write {}", meant.dump())
                                                            : "";
    }

    static Fault no_value(const Json& value, const Json& schema) {
        if (const auto only = schema.find("const"); only != schema.end() && value != *only) {
            return JsonFault{
                {},
                fmt::format("this is {}, and it has to be {}", kind_of(value), only->dump()),
                value == Json(only->dump()) ? "write it without quotes" : ""};
        }
        const auto allowed = schema.find("enum");
        if (allowed == schema.end() ||
            std::find(allowed->begin(), allowed->end(), value) != allowed->end()) {
            return {};
        }
        std::vector<std::string> names;
        for (const Json& name : *allowed) {
            names.push_back(name.get<std::string>());
        }
        return JsonFault{
            {},
            fmt::format("{} is none of {}", said(value), joined(names, ", ")),
            value.is_string() ? did_you_mean(value.get<std::string>(), names) : std::string()};
    }

    static Fault out_of_bounds(const Json& value, const Json& schema) {
        std::string message;
        const auto least = schema.find("minimum");
        const auto most = schema.find("maximum");
        if (value.is_number() && least != schema.end() && value < *least) {
            message = fmt::format("{} is less than {}", value.dump(), least->dump());
        } else if (value.is_number() && most != schema.end() && value > *most) {
            message = fmt::format("{} is more than {}", value.dump(), most->dump());
        } else if (value.is_array() && value.size() > schema.value("maxItems", SIZE_MAX)) {
            message = fmt::format("there are {} of them, and {} is the most", value.size(),
                                  schema["maxItems"].dump());
        } else if (value.is_object() && value.size() < schema.value("minProperties", size_t{0})) {
            message = "there is nothing in it";
        } else if (value.is_string() && schema.contains("pattern") &&
                   !std::regex_search(value.get<std::string>(),
                                      std::regex(schema["pattern"].get<std::string>()))) {
            message = fmt::format("{} does not fit the pattern {}", said(value),
                                  schema["pattern"].get<std::string>());
        }
        return message.empty() ? Fault() : JsonFault{{}, message, {}};
    }

    // NOLINTNEXTLINE(misc-no-recursion)
    Fault in_object(const Json& value, const Json& schema, const std::string& pointer) const {
        Fault fault;
        const Json members = schema.value("properties", Json::object());
        const Json others = schema.value("additionalProperties", Json(true));
        for (const auto& [name, member] : value.items()) {
            const auto known = members.find(name);
            const std::string place = fmt::format("{}/{}", pointer, pointer_step(name));
            if (known == members.end() && others == Json(false)) {
                return unknown_member(name, members, place);
            }
            const Json& rules = known == members.end() ? others : *known;
            if (rules.is_object() && (fault = find(member, rules, place))) {
                return fault;
            }
        }
        for (const Json& name : schema.value("required", Json::array())) {
            if (!value.contains(name.get<std::string>())) {
                return JsonFault{pointer,
                                 fmt::format("the member '{}' is missing", name.get<std::string>()),
                                 {}};
            }
        }
        return schema.contains("oneOf") ? not_just_one(value, schema["oneOf"], pointer) : Fault();
    }

    static Fault unknown_member(const std::string& name, const Json& members,
                                const std::string& place) {
        std::vector<std::string> all;
        std::vector<std::string> names;  // without those for people and editors
        for (const auto& [known, rules] : members.items()) {
            all.push_back(known);
            if (!known.starts_with('$')) {
                names.push_back(known);
            }
        }
        std::string hint = did_you_mean(name, all);
        return JsonFault{place, "there is no such member",
                         hint.empty() ? fmt::format("there are {}", joined(names, ", ")) : hint};
    }

    static Fault not_just_one(const Json& value, const Json& alternatives,
                              const std::string& pointer) {
        std::vector<std::string> all;
        std::vector<std::string> given;
        for (const Json& alternative : alternatives) {
            all.push_back(alternative.at("required").at(0).get<std::string>());
            if (value.contains(all.back())) {
                given.push_back(fmt::format("'{}'", all.back()));
            }
        }
        if (given.size() == 1) {
            return {};
        }
        return JsonFault{pointer,
                         given.empty()
                             ? fmt::format("one of these is missing: {}", joined(all, ", "))
                             : fmt::format("only one of {} can be given", joined(given, " and ")),
                         {}};
    }

    const Json& root_;
};

}  // namespace

std::optional<JsonFault> find_fault(const Json& document, const Json& schema) {
    return Finder(schema).find(document, schema, "");
}

}  // namespace ckpt_lease
