// SPDX-License-Identifier: GPL-2.0-or-later
// The rules of policy --rules: where they come from, and what is said of those that are wrong.
#include "support.hpp"

namespace e2e {
namespace {

class RulesFile : public Test {};

TEST_F(RulesFile, ComesFromStandardInputToo) {
    const std::string name = copy("holder_breaker");
    const std::string rules = R"({"rules": [{"policy": {"set": 7}}]})";
    const Result result = run({"policy", "--rules", "-", "-n", name}, rules);
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_NE(result.err.find("  1 changed"), std::string::npos) << result.err;
    EXPECT_EQ(
        run({"policy", "--rules", "-", name}, "{").err,
        "ckpt-lease: standard input: line 1, column 2: the file ends here, before all brackets "
        "are closed (is the end of the file missing?)\n");
    const Result twice = run({"policy", "--rules", "-", "-"}, rules);
    EXPECT_EQ(twice.status, 2);
    EXPECT_EQ(
        twice.err,
        "ckpt-lease: standard input can be read only once: it cannot be rules and image (give "
        "the name of a file for one of them)\n");
    EXPECT_EQ(read_file(name), image_bytes("holder_breaker"));
}

TEST_F(RulesFile, IsToldOfWithThePlaceOfItsMistake) {
    struct {
        const char* text;
        const char* message;
    } const cases[] = {
        {R"({"rules": [{"policy": {"add": "soon"}}]})",
         "ckpt-lease: rules.json: line 1, column 24, /rules/0/policy/add: 'soon' is not a length "
         "of time (write it like 90, 90s, 1.5, 1m30s, 5min, 1h or 250ms)\n"},
        {R"({"rules": [{"policy": {"add": 1, "add": 2}}]})",
         "ckpt-lease: rules.json: line 1, column 34: the member 'add' stands twice in one object "
         "(the "
         "first one is in line 1, column 24)\n"},
        {R"({"rules": [{"policy": {"ad": 1}}]})",
         "ckpt-lease: rules.json: line 1, column 24, /rules/0/policy/ad: there is no such member "
         "(did you mean 'add'?)\n"},
        {R"({"rules": [{"policy": {"add": 1, "set": 2}}]})",
         "ckpt-lease: rules.json: line 1, column 13, /rules/0/policy: only one of 'add' and 'set' "
         "can be given ('ckpt-lease schema rules' prints what is allowed)\n"},
        {R"({"rules": [{"match": {"pid": "x"}, "policy": {"keep": true}}]})",
         "ckpt-lease: rules.json: line 1, column 23, /rules/0/match/pid: this is a text, and it "
         "has to be a whole number ('ckpt-lease schema rules' prints what is allowed)\n"},
        {"{\n\"rules\": [\n}",
         "ckpt-lease: rules.json: line 3, column 1: from here on this is not JSON ('jq . FILE' "
         "says "
         "more)\n"},
        {"",
         "ckpt-lease: rules.json: line 1, column 1: the file is empty ('ckpt-lease schema rules' "
         "prints what is allowed)\n"},
        {R"({"rules": [], "é\": 1})",
         "ckpt-lease: rules.json: line 1, column 15: the text that begins here has no closing "
         "quote "
         "on its line (close it with \"; a line break in a text is written \\n)\n"},
    };
    for (const auto& c : cases) {
        write_file("rules.json", c.text);
        const std::string name = copy("holder_breaker");
        const Result result = run({"policy", "--rules", "rules.json", name});
        EXPECT_EQ(result.status, 2);
        EXPECT_EQ(result.err, c.message);
        EXPECT_EQ(read_file(name), image_bytes("holder_breaker"));
    }
}

}  // namespace
}  // namespace e2e
