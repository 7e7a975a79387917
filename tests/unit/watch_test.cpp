// SPDX-License-Identifier: GPL-2.0-or-later
// What 'show --watch --json' prints of what has become of a lease.
#include "render/watch.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

#include "show_support.hpp"

namespace ckpt_lease::render {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

std::string line_of(EventKind kind, const LeaseState& state, std::optional<Nanoseconds> remaining) {
    Snapshot snapshot = of_live();
    LeaseEvent event{.kind = kind, .task = {7, "holder"}, .remaining = remaining};
    if (kind != EventKind::process_gone) {
        event.lock = snapshot.locks.at(0);
        event.lock->lease = state;
    }
    return printed(
        [&](Out& out) { WatchReport(out, true).event(event, snapshot, Moment(1285123224s)); });
}

json reason_of(EventKind kind, const LeaseState& state,
               std::optional<Nanoseconds> remaining = std::nullopt) {
    return json::parse(line_of(kind, state, remaining)).at("remaining_reason");
}

TEST(WatchReport, SaysWhyThereIsNoTime) {
    EXPECT_EQ(reason_of(EventKind::break_begins, breaking(45s), 45s), nullptr);
    EXPECT_EQ(reason_of(EventKind::new_lease, held(LockType::wrlck)), "held");
    EXPECT_EQ(reason_of(EventKind::given_up, held(LockType::wrlck)), "held");
    EXPECT_EQ(reason_of(EventKind::break_begins, breaking(Remaining::no_deadline())),
              "no_deadline");
    EXPECT_EQ(reason_of(EventKind::ended, breaking(Remaining::not_known())), "not_known");
    EXPECT_EQ(reason_of(EventKind::process_gone, {}), nullptr) << "it is about no lease";
}

TEST(WatchReport, TellsAnArmedLeaseFromOneThatIsBeingBroken) {
    LeaseState armed = breaking(5s);
    armed.armed = true;
    const auto text_of = [](const LeaseState& state) {
        Snapshot snapshot = of_live();
        LeaseEvent event{.kind = EventKind::new_lease, .task = {7, "holder"}, .remaining = 5s};
        event.lock = snapshot.locks.at(0);
        event.lock->lease = state;
        return printed(
            [&](Out& out) { WatchReport(out, false).event(event, snapshot, Moment(0s)); });
    };
    EXPECT_EQ(text_of(armed),
              "1970-01-01 00:00:00 UTC: 7 holder: fd 3: new lease, F_WRLCK armed to become "
              "F_UNLCK, 5s left: /srv/0\n");
    EXPECT_EQ(text_of(breaking(5s)),
              "1970-01-01 00:00:00 UTC: 7 holder: fd 3: new lease, F_WRLCK being broken, 5s left: "
              "/srv/0\n");
    EXPECT_EQ(json::parse(line_of(EventKind::new_lease, armed, 5s)).at("armed"), true);
    EXPECT_EQ(json::parse(line_of(EventKind::break_begins, breaking(5s), 5s)).at("armed"), false);
    EXPECT_EQ(json::parse(line_of(EventKind::process_gone, {}, std::nullopt)).at("armed"), nullptr);
}

// What an event has by itself counts: a look told that the time is over, though not what was left.
TEST(WatchReport, ATimeThatIsOverIsKnown) {
    EXPECT_EQ(reason_of(EventKind::time_over, breaking(Remaining::not_known()), 0s), nullptr);
}

TEST(WatchReport, AnErrorIsALine) {
    const Failure failure{"process 7",
                          {.file = "process 7",
                           .message = "there is no such process",
                           .hint = "take another",
                           .code = Problem::Code::not_found}};
    const std::string error =
        R"("error":{"subject":"process 7","code":"not_found",)"
        R"("message":"there is no such process","file":"process 7","offset":null,)"
        R"("record":null,"hint":"take another"}})"
        "\n";
    const std::string begin = R"({"schema":"ckpt-lease/watch/1","time":1285123224,"event":)";
    const auto time = Moment(1285123224s);
    EXPECT_EQ(printed([&](Out& out) { WatchReport(out, true).error(failure, time); }),
              begin + "\"error\"," + error);
    EXPECT_EQ(printed([&](Out& out) { WatchReport(out, true).warning(failure, time); }),
              begin + "\"warning\"," + error);
}

}  // namespace
}  // namespace ckpt_lease::render
