// SPDX-License-Identifier: GPL-2.0-or-later
#include "ckpt-lease/lease/rules.hpp"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "base/json_file.hpp"
#include "ckpt-lease/base/problem.hpp"

namespace ckpt_lease {
namespace {

using Json = nlohmann::json;

// Durations and factors may be written as numbers or as texts; the command line knows texts.
std::string to_argument(const Json& value) {
    if (value.is_boolean()) {
        return {};
    }
    if (value.is_string()) {
        return value.get<std::string>();
    }
    std::string text = value.dump();            // it is in range: see check_range()
    if (text.find('e') != std::string::npos) {  // 1e-05: the command line knows no exponents
        text = fmt::format("{:.20f}", value.get<double>());
        text.erase(text.find_last_not_of('0') + 1);
        text.erase(text.find_last_not_of('.') + 1);
    }
    return text;
}

// What parse_duration() and Factor::parse() take.
constexpr double kMostSeconds = 4294967295;
constexpr double kFirstTooLargeFactor = 1e9;
constexpr double kFinest = 1e-9;

class RulesReader {
 public:
    explicit RulesReader(const JsonFile& file) : file_(file) {}

    RuleSet read() {
        const Json& document = file_.document;
        RuleSet set;
        std::size_t number = 0;
        for (const Json& rule : document.at("rules")) {
            const std::string place = fmt::format("/rules/{}", number++);
            set.rules.push_back({read_filter(rule.value("match", Json::object())),
                                 read_treatment(rule.at("policy"), place + "/policy")});
        }
        if (const auto found = document.find("default"); found != document.end()) {
            set.otherwise = read_treatment(*found, "/default");
        }
        return set;
    }

 private:
    static Filter read_filter(const Json& match) {
        Filter filter;
        append(filter.paths, match, "path");
        append(filter.comms, match, "comm");
        append(filter.pids, match, "pid");
        append(filter.fds, match, "fd");
        append(filter.indexes, match, "index");
        if (const auto found = match.find("target"); found != match.end()) {
            filter.targets.push_back(parse_lock_type(found->get<std::string>()).value());
        }
        if (const auto found = match.find("state"); found != match.end()) {
            filter.phases.push_back(parse_phase(found->get<std::string>()).value());
        }
        return filter;
    }

    template <typename Value>
    static void append(std::vector<Value>& to, const Json& match, const char* key) {
        if (const auto found = match.find(key); found != match.end()) {
            to.push_back(found->get<Value>());
        }
    }

    Treatment read_treatment(const Json& json, const std::string& place) {
        Treatment treatment;
        for (const auto& [key, value] : json.items()) {
            check_range(value, key, fmt::format("{}/{}", place, key));
            const std::string argument = to_argument(value);
            try {
                if (key == "min") {
                    treatment.min = parse_duration(argument);
                } else if (key == "max") {
                    treatment.max = parse_duration(argument);
                } else if (key == "renotify") {
                    treatment.renotify = value.get<bool>();
                } else if (const PolicyKind* const kind = find_policy(key)) {
                    Treatment made = Treatment::of(*kind, argument);
                    made.bound_by(treatment);
                    treatment = std::move(made);
                }
            } catch (const Error& error) {
                file_.fail(fmt::format("{}/{}", place, key), error.problem().message,
                           error.problem().hint);
            }
        }
        try {
            treatment.check();
        } catch (const Error& error) {
            file_.fail(place, error.problem().message, error.problem().hint);
        }
        return treatment;
    }

    // Of numbers as JSON has them, which may have exponents.
    void check_range(const Json& value, const std::string& key, const std::string& place) const {
        if (!value.is_number()) {
            return;
        }
        const auto number = value.get<double>();
        if (key == "scale") {
            if (number >= kFirstTooLargeFactor) {
                file_.fail(place, fmt::format("{} is too large for a factor", value.dump()),
                           "give a number from 0 to 999999999");
            }
        } else if (std::abs(number) > kMostSeconds) {
            file_.fail(place,
                       fmt::format("{} is {} than a length of time can be", value.dump(),
                                   number > 0 ? "more" : "less"),
                       fmt::format("give a number of seconds from {} to 4294967295",
                                   key == "add" ? "-4294967295" : "0"));
        }
        if (number != 0 && std::abs(number) < kFinest) {
            file_.fail(place,
                       fmt::format("{} is finer than {}", value.dump(),
                                   key == "scale" ? "a factor can be" : "a nanosecond"),
                       "nine digits behind the point are the most");
        }
    }

    const JsonFile& file_;
};

}  // namespace

RuleSet parse_rules(const std::string& name, std::string_view json) {
    return RulesReader(parse_json(name, json, "rules.json")).read();
}

}  // namespace ckpt_lease
