// SPDX-License-Identifier: GPL-2.0-or-later
// Rules files: what they mean, and what is said about those that are wrong.
#include "ckpt-lease/lease/rules.hpp"

#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "base/json_file.hpp"
#include "lease_support.hpp"
#include "support.hpp"

namespace ckpt_lease {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

RuleSet rules(const std::string& json) {
    return parse_rules("r.json", json);
}

// What `treatment` makes of a lease that has 5.25 s left.
Remaining result(const Treatment& treatment) {
    PolicyContext context;
    context.elapsed = 1s;
    return treatment.apply(breaking(5250ms), context).remaining;
}

Remaining result_of_policy(const std::string& policy) {
    return result(rules(R"({"rules": [{"policy": )" + policy + "}]}").rules.at(0).treatment);
}

TEST(Rules, MayBeNone) {
    const RuleSet set = rules(R"({"rules": []})");
    EXPECT_TRUE(set.rules.empty());
    EXPECT_FALSE(set.otherwise.has_value());
    EXPECT_FALSE(set.needs_tasks());
    EXPECT_FALSE(set.uses_elapsed());
}

TEST(Rules, AMatchBecomesAFilter) {
    const RuleSet set = rules(R"({"$schema": "x", "$comment": "y", "rules": [
        {"comment": "all conditions", "policy": {"keep": true},
         "match": {"path": "/srv/*", "comm": "db-*", "pid": 7, "fd": 2147483647, "index": 3,
                   "target": "F_RDLCK"}},
        {"policy": {"keep": true}, "match": {"target": "F_UNLCK"}},
        {"policy": {"keep": true}, "match": {}},
        {"policy": {"keep": true}}]})");
    Filter all;
    all.paths = {"/srv/*"};
    all.comms = {"db-*"};
    all.pids = {7};
    all.fds = {2147483647};
    all.indexes = {3};
    all.targets = {LockType::rdlck};
    Filter unlck;
    unlck.targets = {LockType::unlck};
    ASSERT_EQ(set.rules.size(), 4U);
    EXPECT_EQ(set.rules[0].match, all);
    EXPECT_EQ(set.rules[1].match, unlck);
    EXPECT_EQ(set.rules[2].match, Filter{});
    EXPECT_EQ(set.rules[3].match, Filter{});
}

TEST(Rules, StatesAreFilters) {
    const RuleSet set = rules(
        R"({"rules": [{"policy": {"keep": true}, "match": {"state": "breaking"}},
                      {"policy": {"keep": true}, "match": {"state": "held"}}]})");
    EXPECT_EQ(set.rules[0].match, Filter{.phases = {Phase::breaking}});
    EXPECT_EQ(set.rules[1].match, Filter{.phases = {Phase::held}});
}

TEST(Rules, EveryPolicyCanBeGiven) {
    EXPECT_EQ(result_of_policy(R"({"favor-holder": true})"), Remaining(45s));
    EXPECT_EQ(result_of_policy(R"({"favour-holder": true})"), Remaining(45s));
    EXPECT_EQ(result_of_policy(R"({"favor-breaker": true})"), Remaining(0s));
    EXPECT_EQ(result_of_policy(R"({"favour-breaker": true})"), Remaining(0s));
    EXPECT_EQ(result_of_policy(R"({"add": "-250ms"})"), Remaining(5s));
    EXPECT_EQ(result_of_policy(R"({"set": "1m30s"})"), Remaining(90s));
    EXPECT_EQ(result_of_policy(R"({"scale": "0.5"})"), Remaining(2625ms));
    EXPECT_EQ(result_of_policy(R"({"elapsed": true})"), Remaining(4250ms));
    EXPECT_EQ(result_of_policy(R"({"keep": true})"), Remaining(5250ms));
}

TEST(Rules, TimesAndFactorsMayBeNumbers) {
    EXPECT_EQ(result_of_policy(R"({"set": 90})"), Remaining(90s));
    EXPECT_EQ(result_of_policy(R"({"set": 1.5})"), Remaining(1500ms));
    EXPECT_EQ(result_of_policy(R"({"add": -0.25})"), Remaining(5s));
    EXPECT_EQ(result_of_policy(R"({"scale": 2})"), Remaining(10500ms));
    EXPECT_EQ(result_of_policy(R"({"scale": 0.1})"), Remaining(525ms));
    EXPECT_EQ(result_of_policy(R"({"keep": true, "min": 6.5})"), Remaining(6500ms));
    EXPECT_EQ(result_of_policy(R"({"keep": true, "max": 1})"), Remaining(1s));
}

TEST(Rules, SmallNumbersAreReadAsExactlyAsTexts) {
    EXPECT_EQ(result_of_policy(R"({"set": 0.001})"), Remaining(1ms));
    EXPECT_EQ(result_of_policy(R"({"set": 0.00001})"), Remaining(10us));
    EXPECT_EQ(result_of_policy(R"({"set": 0.000000001})"), Remaining(1ns));
    EXPECT_EQ(result_of_policy(R"({"set": 1e2})"), Remaining(100s));
    EXPECT_EQ(result_of_policy(R"({"scale": 0.00002})"), Remaining(105us));
}

TEST(Rules, ModifiersGoWithThePolicy) {
    const RuleSet set = rules(
        R"({"rules": [{"policy": {"keep": true, "min": "10s", "max": "1m", "renotify": true}}],
            "default": {"elapsed": true, "renotify": false}})");
    const Treatment& treatment = set.rules.at(0).treatment;
    EXPECT_EQ(treatment.min, 10s);
    EXPECT_EQ(treatment.max, 60s);
    EXPECT_TRUE(treatment.renotify);
    EXPECT_FALSE(treatment.uses_elapsed);
    ASSERT_TRUE(set.otherwise.has_value());
    EXPECT_EQ(set.otherwise->min, std::nullopt);
    EXPECT_EQ(set.otherwise->max, std::nullopt);
    EXPECT_FALSE(set.otherwise->renotify);
    EXPECT_TRUE(set.otherwise->uses_elapsed);
}

TEST(Rules, TheFirstThatMatchesDecides) {
    const RuleSet set = rules(R"({"rules": [
        {"match": {"path": "/a*"}, "policy": {"set": 1}},
        {"match": {"path": "/ab*"}, "policy": {"set": 2}},
        {"match": {"fd": 4}, "policy": {"set": 3}}]})");
    ListBuilder builder;
    const Lock first = builder.lease("/abc", 1, 4, breaking(5s));
    const Lock third = builder.lease("/b", 1, 4, breaking(5s));
    const Lock none = builder.lease("/b", 1, 5, breaking(5s));
    EXPECT_EQ(set.find(first, builder.ownership()), &set.rules[0].treatment);
    EXPECT_EQ(set.find(third, builder.ownership()), &set.rules[2].treatment);
    EXPECT_EQ(set.find(none, builder.ownership()), nullptr) << "left alone";
}

TEST(Rules, TheDefaultIsForWhatNoRuleMatches) {
    const RuleSet set = rules(R"({"rules": [{"match": {"fd": 4}, "policy": {"set": 1}}],
                                  "default": {"set": 9}})");
    ListBuilder builder;
    const Lock other = builder.lease("/b", 1, 5, breaking(5s));
    ASSERT_NE(set.find(other, builder.ownership()), nullptr);
    EXPECT_EQ(result(*set.find(other, builder.ownership())), Remaining(9s));
}

TEST(Rules, NeedTasksIfOneOfThemDoes) {
    EXPECT_FALSE(
        rules(R"({"rules": [{"match": {"path": "*"}, "policy": {"keep": true}}]})").needs_tasks());
    EXPECT_TRUE(rules(R"({"rules": [{"policy": {"keep": true}},
                                    {"match": {"comm": "x"}, "policy": {"keep": true}}]})")
                    .needs_tasks());
    EXPECT_TRUE(
        rules(R"({"rules": [{"match": {"pid": 1}, "policy": {"keep": true}}]})").needs_tasks());
}

TEST(Rules, UseTheElapsedTimeIfOneOfThemDoes) {
    EXPECT_FALSE(rules(R"({"rules": [{"policy": {"keep": true}}]})").uses_elapsed());
    EXPECT_TRUE(rules(R"({"rules": [{"policy": {"keep": true}}, {"policy": {"elapsed": true}}]})")
                    .uses_elapsed());
    EXPECT_TRUE(rules(R"({"rules": [], "default": {"elapsed": true}})").uses_elapsed());
}

TEST(Rules, UseTheLeaseBreakTimeIfOneOfThemDoes) {
    EXPECT_FALSE(rules(R"({"rules": [{"policy": {"elapsed": true}}]})").uses_break_time());
    EXPECT_TRUE(
        rules(R"({"rules": [{"policy": {"keep": true}}, {"policy": {"favour-holder": true}}]})")
            .uses_break_time());
    EXPECT_TRUE(rules(R"({"rules": [], "default": {"favor-holder": true}})").uses_break_time());
}

std::string fault(const std::string& json) {
    return refusal([&] { static_cast<void>(rules(json)); });
}

// The same without line and column, where these are not what is tested.
std::string fault_without_place(const std::string& json) {
    return std::regex_replace(fault(json), std::regex("line [0-9]+, column [0-9]+, "), "");
}

TEST(RulesErrors, WhatADocumentMayCostEndsSomewhere) {
    EXPECT_EQ(fault(std::string(1'000'000, '[')),
              "r.json: line 1, column 17: more than 16 levels of objects and arrays [see_schema: "
              "rules]");
    const std::string long_path(4096, 'a');
    EXPECT_EQ(
        rules(R"({"rules": [{"policy": {"keep": true}, "match": {"path": ")" + long_path + "\"}}]}")
            .rules.size(),
        1U);
    std::string rule = R"({"policy":{"keep":true}})";
    for (int i = 0; i < 10'000; ++i) {
        rule += R"(,{"policy":{"keep":true}})";
    }
    EXPECT_EQ(fault("{\"rules\":[" + rule + "]}"),
              "r.json: line 1, column 2, /rules: there are 10001 of them, and 10000 is the most "
              "[see_schema: rules]");
}

TEST(RulesErrors, MembersOfOneNameMayStandInTwoObjects) {
    EXPECT_NO_THROW(static_cast<void>(
        rules(R"({"rules": [{"policy": {"keep": true}}, {"policy": {"keep": true}}]})")));
}

TEST(RulesErrors, ThePlaceIsThatOfTheMember) {
    EXPECT_EQ(
        fault("{\n  \"rules\": [\n    {\"policy\": {\"keep\": true},\n"
              "     \"match\": {\"pth\": \"/srv/[a], {b}\"}}]\n}"),
        "r.json: line 4, column 16, /rules/0/match/pth: there is no such member (did you mean "
        "'path'?)");
    EXPECT_EQ(fault("{\"rules\": [{\"policy\": {\"keep\": true}, \"comment\": \"\\\"}]\"}, 7]}"),
              "r.json: line 1, column 59, /rules/1: this is 7, and it has to be an object "
              "[see_schema: rules]");
    EXPECT_EQ(fault("{\"rules\": [],\n \"default\": {\"keep\": true,\n  \"set\": 1}}"),
              "r.json: line 2, column 2, /default: only one of 'set' and 'keep' can be given "
              "[see_schema: rules]");
}

TEST(RulesErrors, WhatTheSchemaRefusesIsSaidInASentence) {
    const std::string see = " [see_schema: rules]";
    const std::vector<std::pair<std::string, std::string>> cases{
        {R"([])", "top level: this is an array, and it has to be an object" + see},
        {R"({})", "top level: the member 'rules' is missing" + see},
        {R"({"rules": [], "extra": 1})",
         "/extra: there is no such member (there are default, rules)"},
        {R"({"rules": [], "a/b~c": 1})",
         "/a~1b~0c: there is no such member (there are default, rules)"},
        {R"({"rules": [], "comment": 1})",
         "/comment: there is no such member (did you mean '$comment'?)"},
        {R"({"rules": {}})", "/rules: this is an object, and it has to be an array" + see},
        {R"({"rules": [{"match": {}}]})", "/rules/0: the member 'policy' is missing" + see},
        {R"({"rules": [{"policy": {"keep": true}, "mtach": {}}]})",
         "/rules/0/mtach: there is no such member (did you mean 'match'?)"},
        {R"({"rules": [{"policy": {"keep": true}}, {"policy": {"keep": false}}]})",
         "/rules/1/policy/keep: this is false, and it has to be true" + see},
        {R"({"rules": [{"policy": {"set": true}}]})",
         "/rules/0/policy/set: this is true, and it has to be a number or a text" + see},
        {R"({"rules": [{"policy": {"keep": true, "renotify": 1}}]})",
         "/rules/0/policy/renotify: this is 1, and it has to be true or false" + see},
        {R"({"rules": [{"policy": {"favor_holder": true}}]})",
         "/rules/0/policy/favor_holder: there is no such member (did you mean 'favor-holder'?)"},
        {R"({"rules": [{"policy": {"keep": true}, "match": {"pid": -1}}]})",
         "/rules/0/match/pid: -1 is less than 0" + see},
        {R"({"rules": [{"policy": {"keep": true}, "match": {"pid": 2147483648}}]})",
         "/rules/0/match/pid: 2147483648 is more than 2147483647" + see},
        {R"({"rules": [{"policy": {"keep": true}, "match": {"fd": "5"}}]})",
         "/rules/0/match/fd: this is a text, and it has to be a whole number (write 5)"},
        {R"({"rules": [{"policy": {"keep": true}, "match": {"fd": "x"}}]})",
         "/rules/0/match/fd: this is a text, and it has to be a whole number" + see},
        {R"({"rules": [{"policy": {"keep": true}, "match": {"fd": 5.0}}]})",
         "/rules/0/match/fd: this is 5.0, and it has to be a whole number (write 5)"},
        {R"({"rules": [{"policy": {"keep": true}, "match": {"fd": 1e30}}]})",
         "/rules/0/match/fd: 1e+30 is more than 2147483647" + see},
        {R"({"rules": [{"policy": {"keep": true}, "match": {"fd": 1e10}}]})",
         "/rules/0/match/fd: 10000000000 is more than 2147483647" + see},
        {R"({"rules": [{"policy": {"keep": true}, "match": {"index": 18446744073709551616}}]})",
         "/rules/0/match/index: 1.8446744073709552e+19 is more than 18446744073709551615" + see},
        {R"({"rules": [{"policy": {"keep": true}, "match": {"index": -1e30}}]})",
         "/rules/0/match/index: -1e+30 is less than 0" + see},
        {R"({"rules": [{"policy": {"keep": "true"}}]})",
         "/rules/0/policy/keep: this is a text, and it has to be true (write it without quotes)"},
        {R"({"rules": [{"policy": {"keep": true, "renotify": "false"}}]})",
         "/rules/0/policy/renotify: this is a text, and it has to be true or false (write false)"},
        {R"({"rules": [{"policy": {"keep": true}, "match": {"state": ["held"]}}]})",
         "/rules/0/match/state: an array is none of breaking, held" + see},
        {R"({"rules": [{"policy": {"keep": true}, "match": {"index": 1.5}}]})",
         "/rules/0/match/index: this is 1.5, and it has to be a whole number" + see},
        {R"({"rules": [{"policy": {"keep": true}, "match": {"state": "broken"}}]})",
         "/rules/0/match/state: 'broken' is none of breaking, held" + see},
        {R"({"rules": [{"policy": {"keep": true}, "match": {"target": "F_WRLCK"}}]})",
         "/rules/0/match/target: 'F_WRLCK' is none of F_UNLCK, F_RDLCK" + see},
        {R"({"rules": [{"policy": {"keep": true}, "match": {"path": ["/a"]}}]})",
         "/rules/0/match/path: this is an array, and it has to be a text" + see},
    };
    for (const auto& [json, expected] : cases) {
        EXPECT_EQ(fault_without_place(json), "r.json: " + expected) << json;
    }
}

TEST(RulesErrors, ARuleHasJustOnePolicy) {
    const auto only_one = [](const std::string& given) {
        return "r.json: /rules/0/policy: only one of " + given +
               " can be given [see_schema: rules]";
    };
    EXPECT_EQ(fault_without_place(R"({"rules": [{"policy": {"keep": true, "set": 5}}]})"),
              only_one("'set' and 'keep'"));
    EXPECT_EQ(fault_without_place(
                  R"({"rules": [{"policy": {"favor-holder": true, "favour-holder": true}}]})"),
              only_one("'favor-holder' and 'favour-holder'"));
    const std::string missing =
        "r.json: /rules/0/policy: one of these is missing: favor-holder, favour-holder, "
        "favor-breaker, favour-breaker, add, set, scale, elapsed, keep [see_schema: rules]";
    EXPECT_EQ(fault_without_place(R"({"rules": [{"policy": {}}]})"), missing);
    EXPECT_EQ(fault_without_place(R"({"rules": [{"policy": {"min": 1, "renotify": true}}]})"),
              missing);
}

TEST(RulesErrors, ArgumentsThatMakeNoSenseAreToldByTheirPointer) {
    EXPECT_EQ(fault_without_place(R"({"rules": [{"policy": {"set": "soon"}}]})"),
              "r.json: /rules/0/policy/set: 'soon' is not a length of time (write it like 90, "
              "90s, 1.5, 1m30s, 5min, 1h or 250ms)");
    EXPECT_EQ(
        fault_without_place(R"({"rules": [{"policy": {"keep": true}}, {"policy": {"set": -1}}]})"),
        "r.json: /rules/1/policy/set: a lease cannot have '-1' left (0 is the least)");
    EXPECT_EQ(fault_without_place(R"({"rules": [], "default": {"scale": "x"}})"),
              "r.json: /default/scale: 'x' is not a factor (write a decimal number that is not "
              "negative, like 2, 0.5 or 1.25)");
    EXPECT_EQ(fault_without_place(R"({"rules": [{"policy": {"keep": true, "max": "1x"}}]})"),
              "r.json: /rules/0/policy/max: '1x' is not a length of time (write it like 90, 90s, "
              "1.5, 1m30s, 5min, 1h or 250ms)");
}

// Such numbers are written with exponents, in JSON: the command line has none.
TEST(RulesErrors, ANumberThatIsTooLargeOrTooFineIsToldWithTheRange) {
    const auto with = [](const std::string& policy) {
        return fault_without_place(R"({"rules": [], "default": {)" + policy + "}}");
    };
    const std::string up_to = "to 4294967295)";
    EXPECT_EQ(with(R"("add": 1e30)"),
              "r.json: /default/add: 1e+30 is more than a length of time can be (give a number of "
              "seconds from -4294967295 " +
                  up_to);
    EXPECT_EQ(with(R"("add": -5000000000)"),
              "r.json: /default/add: -5000000000 is less than a length of time can be (give a "
              "number of seconds from -4294967295 " +
                  up_to);
    for (const std::string key : {"set", "max", "min"}) {
        EXPECT_EQ(with(key == "set" ? R"("set": 1e30)" : R"("keep": true, ")" + key + "\": 1e30"),
                  "r.json: /default/" + key +
                      ": 1e+30 is more than a length of time can be (give a number of seconds "
                      "from 0 " +
                      up_to);
    }
    EXPECT_EQ(
        with(R"("set": 1e-25)"),
        "r.json: /default/set: 1e-25 is finer than a nanosecond (nine digits behind the point "
        "are the most)");
    EXPECT_EQ(with(R"("scale": 1e30)"),
              "r.json: /default/scale: 1e+30 is too large for a factor (give a number from 0 to "
              "999999999)");
    EXPECT_EQ(with(R"("scale": 1e-10)"),
              "r.json: /default/scale: 1e-10 is finer than a factor can be (nine digits behind the "
              "point are the most)");
    EXPECT_EQ(with(R"("set": "99999999999999999999")"),
              "r.json: /default/set: '99999999999999999999' is more than 4294967295 seconds");
    EXPECT_EQ(result_of_policy(R"({"set": 2e9})"), Remaining(2000000000s));
}

TEST(RulesErrors, BoundsThatMakeNoSenseAreToldByThePolicy) {
    EXPECT_EQ(fault_without_place(R"({"rules": [{"policy": {"keep": true, "min": 5, "max": 1}}]})"),
              "r.json: /rules/0/policy: the minimum of 5 s is more than the maximum of 1 s");
    EXPECT_EQ(fault_without_place(R"({"rules": [], "default": {"keep": true, "min": -1}})"),
              "r.json: /default: a bound of -1 s is below 0 (0 is the least)");
}

TEST(RulesSchema, KnowsAllPoliciesAndNoOther) {
    const auto schema = nlohmann::json::parse(embedded_file("rules.json"));
    const auto& policy = schema.at("definitions").at("policy");
    std::set<std::string> names;
    for (const PolicyKind& kind : policy_kinds()) {
        names.emplace(kind.name);
        if (!kind.alias.empty()) {
            names.emplace(kind.alias);
        }
    }
    std::set<std::string> one_of;
    for (const auto& alternative : policy.at("oneOf")) {
        one_of.insert(alternative.at("required").at(0).get<std::string>());
    }
    EXPECT_EQ(one_of, names);
    std::set<std::string> properties;
    for (const auto& [name, schema_of_it] : policy.at("properties").items()) {
        properties.insert(name);
    }
    names.insert({"min", "max", "renotify"});
    EXPECT_EQ(properties, names);
}

}  // namespace
}  // namespace ckpt_lease
