// SPDX-License-Identifier: GPL-2.0-or-later
// The document that --json prints is whole, wherever a command stops.
#include "render/document.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "render/apply.hpp"
#include "render_support.hpp"

namespace ckpt_lease::render {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

const Problem kProblem{.file = "a.img", .offset = 8, .record = "CPU", .message = "it is odd"};

json document_of(const std::function<void(Document&)>& write) {
    return json::parse(printed([&](Out& out) {
        Document document(out);
        write(document);
        document.end("show");
    }));
}

TEST(Document, ThatWasNotBegunSaysWhatWentWrong) {
    EXPECT_EQ(document_of([](Document& d) { d.add_error("a", kProblem); }), json::parse(R"({
        "schema": "ckpt-lease/show/1",
        "errors": [{"subject": "a", "code": "damaged", "message": "it is odd", "file": "a.img",
                    "offset": 8, "record": "CPU", "hint": null}],
        "warnings": []})"));
}

TEST(Document, IsEndedWhereverItStands) {
    const auto begun = [](Document& d) -> JsonWriter& {
        d.add_warning("", kProblem);
        return d.begin("show").key("images").begin_array();
    };
    EXPECT_EQ(document_of([&](Document& d) { begun(d); })["images"], json::array());
    EXPECT_EQ(document_of([&](Document& d) { begun(d).begin_object().key("path"); })["images"],
              json::parse(R"([{"path": null}])"));
    const json deep = document_of([&](Document& d) {
        begun(d).begin_object().key("leases").begin_array().value(1).begin_object().member("x", 2);
    });
    EXPECT_EQ(deep["images"], json::parse(R"([{"leases": [1, {"x": 2}]}])"));
    EXPECT_EQ(deep["errors"], json::array());
    EXPECT_EQ(deep["warnings"].size(), 1U);
}

TEST(Document, IsEndedOnce) {
    EXPECT_EQ(document_of([](Document& d) {
                  d.begin("diff");
                  d.end();
                  d.add_error("a", kProblem);
              })["errors"],
              json::array());
}

TEST(Document, SpeaksTheWordsOfTheCommandLine) {
    const json told = document_of([](Document& d) {
        d.set_words([](Problem problem) {
            problem.hint = "do something";
            return problem;
        });
        d.set_subject("b");
        d.add_error("", kProblem);
        d.add_error("a", kProblem);
    })["errors"];
    EXPECT_EQ(told[0]["hint"], "do something");
    EXPECT_EQ(told[0]["subject"], "b");
    EXPECT_EQ(told[1]["subject"], "a");
}

TEST(Document, HasBytesThatAreNotUtf8) {
    const json error = document_of([](Document& d) {
        d.add_error("a\xff", {.file = "\xfe", .message = "b\xff"});
    })["errors"][0];
    EXPECT_EQ(error["subject_bytes"], "61ff");
    EXPECT_EQ(error["file_bytes"], "fe");
    EXPECT_EQ(error["message"], "b\xef\xbf\xbd");
}

// One lease with a process, and one without.
Applied applied(bool dry_run) {
    Applied applied;
    applied.image = "j.img";
    applied.dry_run = dry_run;
    LeaseState state;
    state.breaking = true;
    state.type = LockType::unlck;
    state.previous_type = LockType::wrlck;
    state.remaining = Remaining(5250ms);
    applied.targets.wanted.push_back({.pid = 7, .fd = 3, .path = "/srv/a", .state = state});
    applied.targets.places = {
        {.index = 0},
        {.index = 1, .missing = "there is no such process", .lost = {.fd = 4, .path = "/srv/b"}}};
    applied.results = {{live::AppliedLease::Outcome::set, ""}};
    return applied;
}

json leases_of(const Applied& applied) {
    return json::parse(printed([&](Out& out) {
        Document document(out);
        print_applied(out, {.json = true, .document = &document}, applied);
    }))["leases"];
}

TEST(Applied, ADryRunSaysWhatWouldBeSetAndToWhichTime) {
    const json leases = leases_of(applied(true));
    EXPECT_EQ(leases[0], json::parse(R"({
        "index": 0, "pid": 7, "fd": 3, "path": "/srv/a", "result": "set", "outcome": "would be set",
        "wanted": {"state": "breaking", "type": "F_UNLCK", "previous_type": "F_WRLCK",
                   "break_notified": false, "remaining_seconds": 5.25, "no_deadline": false,
                   "remaining_reason": null}})"));
    EXPECT_EQ(leases[1], json::parse(R"({
        "index": 1, "pid": null, "fd": 4, "path": "/srv/b", "result": "skipped",
        "outcome": "skipped", "reason": "there is no such process",
        "wanted": {"state": "held", "type": "F_RDLCK", "previous_type": null,
                   "break_notified": false, "remaining_seconds": null, "no_deadline": false,
                   "remaining_reason": "held"}})"));
    EXPECT_EQ(leases_of(applied(false))[0]["outcome"], "set");
}

TEST(Applied, OfALeaseWithoutAProcessItSaysWhichFileItIs) {
    EXPECT_EQ(
        printed([](Out& out) { print_applied(out, {.page = {.width = 100}}, applied(true)); }),
        "IDX  PID  FD  RESULT        LEASE                                                   PATH\n"
        "  0    7   3  would be set  breaking, F_WRLCK to F_UNLCK, 5.25s left, not notified  "
        "/srv/a\n"
        "  1    -   4  skipped       there is no such process                                "
        "/srv/b\n");
}

}  // namespace
}  // namespace ckpt_lease::render
