// SPDX-License-Identifier: GPL-2.0-or-later
// The schemas say all that there is to know, and do not forbid what later versions add.
#include <algorithm>
#include <regex>
#include <set>

#include "ckpt-lease/base/problem.hpp"
#include "support.hpp"

namespace e2e {
namespace {

namespace fs = std::filesystem;
using ckpt_lease::Problem;

// Of all files, or of the documents that commands print: what `show --watch` prints are lines.
std::vector<std::string> schema_names(bool of_documents) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(fs::path(SOURCE_ROOT) / "schemas")) {
        const std::string name = entry.path().stem().string();
        const bool is_document = name != "rules" && name != "layout" && name != "watch";
        if (entry.path().extension() == ".json" && (is_document || !of_documents)) {
            names.push_back(name);
        }
    }
    return names;
}

Json schema(const std::string& name) {
    return Json::parse(read_file(fs::path(SOURCE_ROOT) / "schemas" / (name + ".json")));
}

// Calls `visit` with each member that a schema describes, and its place.
template <typename Visit>
void for_each_member(const Json& node, const std::string& place, const Visit& visit) {
    if (node.is_array()) {
        for (const Json& each : node) {
            for_each_member(each, place, visit);
        }
    }
    if (!node.is_object()) {
        return;
    }
    for (const auto& [name, value] : node.items()) {
        if (name == "examples" || name == "if") {
            continue;
        }
        if (name != "properties") {
            for_each_member(value, place + "/" + name, visit);
            continue;
        }
        for (const auto& [member, described] : value.items()) {
            visit(place + "/" + member, described);
            for_each_member(described, place + "/" + member, visit);
        }
    }
}

TEST(Schemas, DescribeEveryMember) {
    const std::vector<std::string> names = schema_names(false);
    EXPECT_EQ(names.size(), 14U);
    for (const std::string& name : names) {
        int members = 0;
        for_each_member(schema(name), name, [&](const std::string& place, const Json& member) {
            ++members;
            EXPECT_FALSE(member.value("description", "").empty()) << place;
        });
        EXPECT_GT(members, 5) << name;
    }
}

TEST(Schemas, HaveExamplesThatAreValid) {
    for (const std::string& name : schema_names(false)) {
        const Json examples = schema(name).value("examples", Json::array());
        EXPECT_FALSE(examples.empty()) << name;
        for (const Json& example : examples) {
            parse_valid(name, example.dump());
        }
    }
}

// The way it is when nothing goes wrong, and the way it is when something does.
TEST(Schemas, HaveAnExampleOfSuccessAndOneOfFailure) {
    for (const std::string& name : schema_names(true)) {
        bool succeeds = false;
        bool fails = false;
        const Json examples = schema(name).value("examples", Json::array());
        for (const Json& example : examples) {
            succeeds |= example["errors"].empty();
            fails |= !example["errors"].empty();
        }
        EXPECT_TRUE(succeeds && fails) << name;
    }
}

bool forbids_more(const Json& node) {
    if (node.is_object() && node.value("additionalProperties", Json()) == Json(false)) {
        return true;
    }
    return node.is_structured() && std::any_of(node.begin(), node.end(), forbids_more);
}

TEST(Schemas, LetLaterVersionsAddMembers) {
    for (const std::string& name : schema_names(false)) {
        EXPECT_EQ(forbids_more(schema(name)), name == "rules" || name == "layout") << name;
    }
}

std::set<std::string> codes_of_library() {
    std::set<std::string> codes;
    for (int i = 1; i <= static_cast<int>(Problem::Code::stopped); ++i) {
        codes.emplace(to_string(static_cast<Problem::Code>(i)));
    }
    EXPECT_EQ(codes.size(), static_cast<std::size_t>(Problem::Code::stopped));
    return codes;
}

TEST(Schemas, HaveTheCodesOfTheLibraryAndOfTheManual) {
    const std::set<std::string> codes = codes_of_library();
    std::vector<std::string> names = schema_names(true);
    names.emplace_back("watch");
    for (const std::string& name : names) {
        EXPECT_EQ(schema(name)["definitions"]["code"]["enum"].get<std::set<std::string>>(), codes)
            << name;
    }
    const std::string page = read_file(fs::path(SOURCE_ROOT) / "man/ckpt-lease.1.scd");
    const std::regex row(R"(\n\|  ([a-z_]+)\n:  )");
    std::set<std::string> described;
    for (std::sregex_iterator at(page.begin(), page.end(), row); at != std::sregex_iterator();
         ++at) {
        const std::string name = (*at)[1];
        if (name != "policy" && name != "edit" && name != "recover") {  // the table of commands
            described.insert(name);
        }
    }
    EXPECT_EQ(described, codes);
}

}  // namespace
}  // namespace e2e
