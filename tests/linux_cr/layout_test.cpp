// SPDX-License-Identifier: GPL-2.0-or-later
// Layouts as JSON: what is accepted, and what is said about what is not.
#include "ckpt-lease/linux_cr/layout.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <regex>

#include "base/json_file.hpp"
#include "linux_cr/support.hpp"

namespace ckpt_lease::linux_cr {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

Json lease_1() {
    return Json::parse(find_layout("lease-1")->json);
}

Layout parse_changed(const std::function<void(Json&)>& change) {
    Json json = lease_1();
    change(json);
    return parse_layout("my.json", json.dump());
}

TEST(Layout, TheBuiltInOneSaysWhatTheFormatSays) {
    const Layout& layout = default_layout();
    EXPECT_EQ(layout.name, "lease-1");
    EXPECT_EQ(layout.type, 310U);
    EXPECT_EQ(layout.length, 40U);
    std::string fields;
    for (const Field& field : layout.fields()) {
        fields += std::string(field.name) + "@" + std::to_string(field.offset) +
                  (field.is_signed ? "s" : "u") + std::to_string(field.width * 8) + " ";
    }
    EXPECT_EQ(
        fields,
        "fl_start@8s64 fl_end@16s64 fl_rem_lease@24u32 fl_rem_lease_nsec@28u32 fl_flags@32u32 "
        "fl_type@36u8 fl_type_prev@37u8 fl_break_notified@38u8 ");
    ASSERT_EQ(layout.padding.size(), 1U);
    EXPECT_EQ(layout.padding[0].offset, 39);
    EXPECT_EQ(layout.no_deadline, 0xffffffffU);
    const auto& counted = std::get<CountedList>(layout.list_end);
    EXPECT_EQ(counted.type, 309U);
    EXPECT_EQ(counted.length, 16U);
    EXPECT_EQ(counted.nr_locks.offset, 8);
    EXPECT_EQ(counted.nr_locks.width, 4);
}

TEST(Layout, AllBuiltInOnesAreValid) {
    ASSERT_FALSE(built_in_layouts().empty());
    for (const BuiltInLayout& built_in : built_in_layouts()) {
        const Layout parsed = parse_layout(built_in.layout.name, built_in.json);
        EXPECT_EQ(parsed.name, built_in.layout.name);
        EXPECT_EQ(parsed.length, built_in.layout.length);
        EXPECT_EQ(find_layout(parsed.name), &built_in);
        EXPECT_FALSE(parsed.description.empty());
    }
    EXPECT_EQ(built_in_layouts().size(), embedded_files("layouts/").size());
    EXPECT_EQ(find_layout("nosuch"), nullptr);
    EXPECT_EQ(find_layout(""), nullptr);
}

TEST(Layout, WhatIsNotRequiredMayBeLeftOut) {
    const Layout layout = parse_changed([](Json& json) {
        json.erase("description");
        json.at("file_lock").erase("padding");
        json.at("file_lock").erase("no_deadline");
        json.at("file_lock").at("fields").erase("fl_rem_lease_nsec");
    });
    EXPECT_EQ(layout.description, "");
    EXPECT_TRUE(layout.padding.empty());
    EXPECT_FALSE(layout.no_deadline.has_value());
    EXPECT_FALSE(layout.fl_rem_lease_nsec.has_value());
    EXPECT_EQ(layout.fields().size(), 7U);
    EXPECT_FALSE(parse_changed([](Json& json) {
                     json["file_lock"]["no_deadline"] = nullptr;
                 }).no_deadline.has_value());
}

TEST(Layout, TypesAreWidthsAndSigns) {
    const std::vector<std::tuple<const char*, int, bool>> types{
        {"u8", 1, false}, {"u16", 2, false}, {"u32", 4, false}, {"u64", 8, false},
        {"s8", 1, true},  {"s16", 2, true},  {"s32", 4, true},  {"s64", 8, true}};
    for (const auto& [type, width, is_signed] : types) {
        const Layout layout = parse_changed([&, t = type](Json& json) {
            json["file_lock"]["length"] = 64;
            json["file_lock"]["fields"]["fl_flags"] = {{"offset", 48}, {"type", t}};
        });
        EXPECT_EQ(layout.fl_flags.width, width) << type;
        EXPECT_EQ(layout.fl_flags.is_signed, is_signed) << type;
        EXPECT_EQ(layout.fl_flags.offset, 48);
    }
}

TEST(Layout, AMarkerNamesFieldsAndValues) {
    const Layout layout = parse_changed([](Json& json) {
        json["list_end"] = {{"marker", {{"fl_start", -1}, {"fl_type", 255}}}};
    });
    const auto& marked = std::get<MarkedList>(layout.list_end);
    ASSERT_EQ(marked.values.size(), 2U);
    EXPECT_EQ(marked.values[0].first.name, "fl_start");
    EXPECT_EQ(marked.values[0].second, -1);
    EXPECT_EQ(marked.values[1].first.offset, 36);
    EXPECT_EQ(marked.values[1].second, 255);
}

TEST(Layout, NoDeadlineMayBeTheLargestValueOfAnyWidth) {
    const Layout layout = parse_changed([](Json& json) {
        json["file_lock"]["length"] = 48;
        json["file_lock"]["fields"]["fl_rem_lease"] = {{"offset", 40}, {"type", "u64"}};
        json["file_lock"]["no_deadline"] = UINT64_MAX;
    });
    EXPECT_EQ(layout.no_deadline, UINT64_MAX);
}

struct BadLayout {
    const char* name;
    std::function<void(Json&)> make;
    const char* expected;  // behind "my.json: "
};

void PrintTo(const BadLayout& bad, std::ostream* out) {
    *out << bad.name;
}

// Where the schema refuses something, and there is no other hint.
#define SEE " [see_schema: layout]"

const BadLayout kBadLayouts[] = {
    {"FieldsOverlap", [](Json& j) { j["file_lock"]["fields"]["fl_end"]["offset"] = 15; },
     "/file_lock/fields/fl_end: fl_start and fl_end overlap at offset 15"},
    {"FieldsInOnePlace", [](Json& j) { j["file_lock"]["fields"]["fl_type_prev"]["offset"] = 36; },
     "/file_lock/fields/fl_type_prev: fl_type and fl_type_prev overlap at offset 36"},
    {"PaddingOverlaps", [](Json& j) { j["file_lock"]["padding"][0]["offset"] = 38; },
     "/file_lock/padding/0: fl_break_notified and padding overlap at offset 38"},
    {"FieldPastTheEnd", [](Json& j) { j["file_lock"]["fields"]["fl_type"]["offset"] = 40; },
     "/file_lock/fields/fl_type: the field ends at 41, and the record is 40 bytes long"},
    {"NanosecondsPastTheEnd",
     [](Json& j) { j["file_lock"]["fields"]["fl_rem_lease_nsec"]["offset"] = 38; },
     "/file_lock/fields/fl_rem_lease_nsec: the field ends at 42, and the record is 40 bytes long"},
    {"PaddingPastTheEnd", [](Json& j) { j["file_lock"]["padding"][0]["type"] = "u16"; },
     "/file_lock/padding/0: the field ends at 41, and the record is 40 bytes long"},
    {"NrLocksPastTheEnd", [](Json& j) { j["list_end"]["file_locks"]["length"] = 11; },
     "/list_end/file_locks/nr_locks: the field ends at 12, and the record is 11 bytes long"},
    {"TypeOfAnotherRecord", [](Json& j) { j["file_lock"]["type"] = 304; },
     "/file_lock/type: 304 is the type of FILE (records of one type are of one kind)"},
    {"CountTypeOfAnotherRecord", [](Json& j) { j["list_end"]["file_locks"]["type"] = 9001; },
     "/list_end/file_locks/type: 9001 is the type of TAIL (records of one type are of one kind)"},
    {"BothTypesTheSame", [](Json& j) { j["list_end"]["file_locks"]["type"] = 310; },
     "/list_end/file_locks/type: 310 is the type of FILE_LOCK already"},
    {"NoDeadlineTooLarge", [](Json& j) { j["file_lock"]["no_deadline"] = 4294967296; },
     "/file_lock/no_deadline: 4294967296 does not fit into fl_rem_lease, which holds at most "
     "4294967295"},
    {"NoDeadlineTooLargeForASign",
     [](Json& j) { j["file_lock"]["fields"]["fl_rem_lease"]["type"] = "s32"; },
     "/file_lock/no_deadline: 4294967295 does not fit into fl_rem_lease, which holds at most "
     "2147483647"},
    {"NotKnownIsATime", [](Json& j) { j["file_lock"]["not_known"] = 45; },
     "/file_lock/not_known: 45 s are a time that a lease can have left; give the largest number "
     "that "
     "the field holds, or one above 2147483647"},
    {"NotKnownIsNoDeadline", [](Json& j) { j["file_lock"]["not_known"] = 4294967295; },
     "/file_lock/not_known: no_deadline has this value already"},
    {"MarkerOfNoField",
     [](Json& j) {
         j["list_end"] = {{"marker", {{"pid", 0}}}};
     },
     "/list_end/marker/pid: FILE_LOCK has no field of this name (there are fl_start, fl_end, "
     "fl_rem_lease, fl_rem_lease_nsec, fl_flags, fl_type, fl_type_prev, fl_break_notified)"},
    {"MarkerOfAMisspeltField",
     [](Json& j) {
         j["list_end"] = {{"marker", {{"fl_flag", 0}}}};
     },
     "/list_end/marker/fl_flag: FILE_LOCK has no field of this name (did you mean 'fl_flags'?)"},
    {"MissingField", [](Json& j) { j["file_lock"]["fields"].erase("fl_type_prev"); },
     "/file_lock/fields: the member 'fl_type_prev' is missing" SEE},
    {"MissingName", [](Json& j) { j.erase("name"); },
     "top level: the member 'name' is missing" SEE},
    {"UnknownKey", [](Json& j) { j["endian"] = "little"; },
     "/endian: there is no such member (there are description, file_lock, list_end, name)"},
    {"UnknownField",
     [](Json& j) {
         j["file_lock"]["fields"]["fl_owner"] = {{"offset", 40}, {"type", "u8"}};
     },
     "/file_lock/fields/fl_owner: there is no such member (there are fl_break_notified, fl_end, "
     "fl_flags, fl_rem_lease, fl_rem_lease_nsec, fl_start, fl_type, fl_type_prev)"},
    {"OffsetInTheHeader", [](Json& j) { j["file_lock"]["fields"]["fl_start"]["offset"] = 4; },
     "/file_lock/fields/fl_start/offset: 4 is less than 8" SEE},
    {"NoDeadlineNegative", [](Json& j) { j["file_lock"]["no_deadline"] = -1; },
     "/file_lock/no_deadline: give a whole number above 0, of seconds that no lease ever has left"},
    {"NoDeadlineZero", [](Json& j) { j["file_lock"]["no_deadline"] = 0; },
     "/file_lock/no_deadline: give a whole number above 0, of seconds that no lease ever has left"},
    {"MarkerThatDoesNotFit",
     [](Json& j) {
         j["list_end"] = {{"marker", {{"fl_type", 256}}}};
     },
     "/list_end/marker/fl_type: 256 does not fit into the field, which is 8 bits wide"},
    {"MarkerThatNoIntegerHolds",
     [](Json& j) {
         j["list_end"] = {{"marker", {{"fl_type", UINT64_MAX}}}};
     },
     "/list_end/marker/fl_type: 18446744073709551615 does not fit into the field, which is 8 bits "
     "wide"},
    {"BothListEnds",
     [](Json& j) {
         j["list_end"]["marker"] = {{"fl_type", 255}};
     },
     "/list_end: only one of 'file_locks' and 'marker' can be given" SEE},
    {"NoListEnd", [](Json& j) { j["list_end"] = Json::object(); },
     "/list_end: one of these is missing: file_locks, marker" SEE},
    {"EmptyMarker",
     [](Json& j) {
         j["list_end"] = {{"marker", Json::object()}};
     },
     "/list_end/marker: there is nothing in it" SEE},
    {"UnknownFieldType", [](Json& j) { j["file_lock"]["fields"]["fl_type"]["type"] = "u24"; },
     "/file_lock/fields/fl_type/type: 'u24' is none of u8, u16, u32, u64, s8, s16, s32, s64 (did "
     "you "
     "mean 'u64'?)"},
    {"TypeZero", [](Json& j) { j["file_lock"]["type"] = 0; },
     "/file_lock/type: 0 is less than 1" SEE},
    {"TypeTooLarge", [](Json& j) { j["file_lock"]["type"] = 4294967296; },
     "/file_lock/type: 4294967296 is more than 4294967295" SEE},
    {"LengthTooLarge", [](Json& j) { j["file_lock"]["length"] = 4097; },
     "/file_lock/length: 4097 is more than 4096" SEE},
    {"LengthIsText", [](Json& j) { j["file_lock"]["length"] = "40"; },
     "/file_lock/length: this is a text, and it has to be a whole number (write 40)"},
    {"NoObject", [](Json& j) { j = Json::array(); },
     "top level: this is an array, and it has to be an object" SEE},
    {"BadName", [](Json& j) { j["name"] = "../x"; },
     "/name: '../x' does not fit the pattern ^[A-Za-z0-9][A-Za-z0-9._-]*$" SEE},
};

class RefusedLayout : public ::testing::TestWithParam<BadLayout> {};

TEST_P(RefusedLayout, IsToldWhereAndWhy) {
    const std::string error = error_of([] { static_cast<void>(parse_changed(GetParam().make)); });
    EXPECT_EQ(std::regex_replace(error, std::regex("line [0-9]+, column [0-9]+, "), ""),
              std::string("my.json: ") + GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(Layouts, RefusedLayout, ::testing::ValuesIn(kBadLayouts),
                         [](const auto& param_info) { return std::string(param_info.param.name); });

TEST(Layout, BadJsonIsToldByItsPlace) {
    const auto refusal = [](std::string_view text) {
        return error_of([&] { static_cast<void>(parse_layout("my.json", text)); });
    };
    EXPECT_EQ(refusal("{\n  \"name\": \"x\",\n  oops\n}"),
              "my.json: line 3, column 3: the name of a member has to stand in double quotes "
              "(write \"oops\")");
    EXPECT_EQ(refusal(""), "my.json: line 1, column 1: the file is empty [see_schema: layout]");
    EXPECT_EQ(refusal("{}\n\n}"),
              "my.json: line 3, column 1: the document has ended before this (one pair of brackets "
              "has to hold everything)");
    EXPECT_EQ(refusal(R"({"name": "x", "list_end": {"marker": {"a/b": "x"}}})"),
              "my.json: line 1, column 39, /list_end/marker/a~1b: this is a text, and it has to be "
              "a whole number [see_schema: layout]");
}

TEST(Layout, ErrorsAreOfTheKindThatWrongUsageIs) {
    try {
        static_cast<void>(parse_layout("my.json", "{}"));
        FAIL() << "nothing was thrown";
    } catch (const Error& error) {
        EXPECT_EQ(error.kind(), Error::Kind::refused);
        EXPECT_EQ(error.problem().file, "my.json");
        EXPECT_EQ(error.problem().code, Problem::Code::invalid_file);
    }
}

// Names are matched against a pattern, which used to take a stack that grows with them.
TEST(Layout, AnEndlessNameIsRefused) {
    const auto named = [](std::size_t length) {
        return parse_changed([&](Json& json) { json["name"] = std::string(length, 'a'); });
    };
    EXPECT_EQ(
        error_of([] {
            static_cast<void>(
                parse_layout("my.json", "{\"name\":\n \"" + std::string(300'000, 'a') + "\"}"));
        }),
        "my.json: line 2, column 2: a text of 300000 bytes: 4096 are the most that a path can "
        "have [see_schema: layout]");
    EXPECT_EQ(named(4096).name.size(), 4096U);
}

TEST(Layout, NanosecondsNeedRoomForABillion) {
    // A written time would lose its upper bits without a word.
    for (const char* const type : {"u8", "u16", "s16"}) {
        EXPECT_THROW(static_cast<void>(parse_changed([&](Json& json) {
                         json["file_lock"]["fields"]["fl_rem_lease_nsec"]["type"] = type;
                     })),
                     Error)
            << type;
    }
}

RecordLimits limits_of(const char* type, const Json& no_deadline, bool nanoseconds = false) {
    return parse_changed([&](Json& json) {
               json["file_lock"]["length"] = 48;
               json["file_lock"]["fields"]["fl_rem_lease"] = {{"offset", 40}, {"type", type}};
               json["file_lock"]["no_deadline"] = no_deadline;
               json["file_lock"]["not_known"] = nullptr;
               if (!nanoseconds) {
                   json["file_lock"]["fields"].erase("fl_rem_lease_nsec");
               }
           })
        .limits();
}

TEST(Layout, LimitsOfLease1) {
    const RecordLimits limits = default_layout().limits();
    EXPECT_EQ(limits.resolution, 1ns);
    EXPECT_EQ(limits.most, 4294967293s)
        << "the two values above say that there is no deadline, and that nobody knows";
    EXPECT_TRUE(limits.no_deadline);
}

TEST(Layout, LimitsFollowFromTheFields) {
    EXPECT_EQ(limits_of("u8", nullptr).most, 255s);
    EXPECT_EQ(limits_of("s8", nullptr).most, 127s);
    EXPECT_EQ(limits_of("u16", nullptr).most, 65535s);
    EXPECT_EQ(limits_of("s32", nullptr).most, 2147483647s);
    EXPECT_EQ(limits_of("u64", nullptr).most, 4294967295s);
    EXPECT_EQ(limits_of("u32", nullptr).resolution, 1s);
    EXPECT_EQ(limits_of("u32", nullptr, true).resolution, 1ns);
    EXPECT_FALSE(limits_of("u32", nullptr).no_deadline);
    EXPECT_TRUE(limits_of("u32", 0xffffffff).no_deadline);
}

TEST(Layout, TheValueForNoDeadlineIsNoTime) {
    // The longest time must not be written as the value that says that there is no deadline.
    EXPECT_EQ(limits_of("u8", 255).most, 254s);
    EXPECT_EQ(limits_of("u16", 65535).most, 65534s);
    EXPECT_EQ(limits_of("s32", 2147483647).most, 2147483646s);
}

TEST(Layout, IsFoundByTheRecordsThatItFits) {
    EXPECT_EQ(find_layout(310, 40)->layout.name, "lease-1");
    EXPECT_EQ(find_layout(310, 32), nullptr);
    EXPECT_EQ(find_layout(311, 40), nullptr);
}

}  // namespace
}  // namespace ckpt_lease::linux_cr
