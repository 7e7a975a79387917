// SPDX-License-Identifier: GPL-2.0-or-later

#include <cmath>
#include <functional>

#include "support.hpp"

namespace e2e {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kNoDeadline = UINT64_MAX;

class Policy : public Test {};

std::uint64_t remaining_of(const Json& lease) {
    return lease.at("no_deadline").get<bool>()
               ? kNoDeadline
               : static_cast<std::uint64_t>(
                     std::llround(lease.at("remaining_seconds").get<long double>() * kSecond));
}

// The bytes of an example image after every lease being broken got what `change` says.
std::string expected(const std::string& image,
                     const std::function<std::uint64_t(std::uint64_t)>& change,
                     bool renotify = false) {
    std::string bytes = image_bytes(image);
    for (const Json& lease : image_truth(image)) {
        if (lease.at("state") != "breaking") {
            continue;
        }
        const auto offset = lease.at("offset").get<std::size_t>();
        const std::uint64_t after = change(remaining_of(lease));
        const bool big = is_big_endian(image);
        put(bytes, offset + kRemLease, 4, after == kNoDeadline ? 0xffffffff : after / kSecond, big);
        put(bytes, offset + kRemLeaseNsec, 4, after == kNoDeadline ? 0 : after % kSecond, big);
        if (renotify) {
            put(bytes, offset + kNotified, 1, 0, big);
        }
    }
    return bytes;
}

struct Case {
    std::vector<std::string> options;
    std::function<std::uint64_t(std::uint64_t)> change;  // nanoseconds, or kNoDeadline
    bool idempotent = true;
    bool renotify = false;
};

std::uint64_t at_least(std::uint64_t time, std::uint64_t least) {
    return std::max(time, least);
}

// A lease without a deadline keeps none under these.
std::function<std::uint64_t(std::uint64_t)> on_deadline(
    std::function<std::uint64_t(std::uint64_t)> change) {
    return
        [change](std::uint64_t time) { return time == kNoDeadline ? kNoDeadline : change(time); };
}

std::vector<Case> cases() {
    const auto less = [](std::uint64_t time, std::uint64_t by) {
        return time > by ? time - by : 0;
    };
    return {
        {{"--favor-holder", "--lease-break-time", "45"},
         on_deadline([](auto t) { return at_least(t, 45 * kSecond); })},
        {{"--favour-holder", "--lease-break-time", "10s"},
         on_deadline([](auto t) { return at_least(t, 10 * kSecond); })},
        {{"--favor-breaker"}, [](auto) { return 0; }},
        {{"--favour-breaker"}, [](auto) { return 0; }},
        {{"--add", "10"}, on_deadline([](auto t) { return t + 10 * kSecond; }), false},
        {{"--add=-5"}, on_deadline([=](auto t) { return less(t, 5 * kSecond); }), false},
        {{"--add", "-5.25s"}, on_deadline([=](auto t) { return less(t, 5'250'000'000); }), false},
        {{"--set", "1m30s"}, [](auto) { return 90 * kSecond; }},
        {{"--set", "1ns"}, [](auto) { return 1; }},
        {{"--scale", "0.5"}, on_deadline([](auto t) { return (t + 1) / 2; }), false},
        {{"--elapsed", "--now", "@1281987803"},
         on_deadline([=](auto t) { return less(t, 3 * kSecond); }),
         false},
        {{"--elapsed", "--now", "2010-08-16T19:43:21.5Z"},
         on_deadline([=](auto t) { return less(t, 1'500'000'000); }),
         false},
        {{"--keep"}, [](auto t) { return t; }},
        {{"--keep", "--renotify"}, [](auto t) { return t; }, true, true},
        {{"--keep", "--min", "20"}, on_deadline([](auto t) { return at_least(t, 20 * kSecond); })},
        {{"--keep", "--max", "10"}, [](auto t) { return std::min(t, 10 * kSecond); }},
        {{"--add", "1h", "--max", "1m", "--renotify"},
         [](auto t) {
             return t == kNoDeadline ? 60 * kSecond : std::min(t + 3600 * kSecond, 60 * kSecond);
         },
         true,
         true},
    };
}

TEST_F(Policy, WritesJustWhatItSaysInPlaceIntoAnotherFileAndThroughAPipe) {
    for (const std::string& image : good_images()) {
        for (const Case& c : cases()) {
            SCOPED_TRACE(image + " " + c.options.front());
            const std::string wanted = expected(image, c.change, c.renotify);
            const auto with = [&](const std::vector<std::string>& more) {
                std::vector<std::string> args{"policy"};
                args.insert(args.end(), c.options.begin(), c.options.end());
                args.insert(args.end(), more.begin(), more.end());
                return args;
            };
            const std::string name = copy(image);
            EXPECT_EQ(run(with({"-o", "out.img", name})).status, 0);
            EXPECT_EQ(read_file("out.img"), wanted) << "-o";
            EXPECT_EQ(read_file(name), image_bytes(image)) << "-o leaves the image alone";

            EXPECT_EQ(run(with({"--dry-run", name})).status, 0);
            EXPECT_EQ(read_file(name), image_bytes(image)) << "--dry-run";

            const Result streamed = run(with({"-"}), image_bytes(image));
            EXPECT_EQ(streamed.status, 0);
            EXPECT_EQ(streamed.out, wanted) << "stream";

            EXPECT_EQ(run(with({"-o", "-", name})).out, wanted) << "-o -";

            EXPECT_EQ(run(with({name})).status, 0);
            EXPECT_EQ(read_file(name), wanted) << "in place";
            if (c.idempotent) {
                EXPECT_EQ(run(with({name})).status, 0);
                EXPECT_EQ(read_file(name), wanted) << "in place, again";
            }
        }
    }
}

TEST_F(Policy, ReportsEachLeaseBeforeAndAfterOnStandardError) {
    const Result result =
        run({"policy", "--favor-holder", "--lease-break-time", "45", copy("holder_breaker")});
    EXPECT_EQ(result.status, 0);
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(result.err,
              "holder_breaker.img: --favor-holder, lease-break-time 45s (as given)\n"
              "  IDX  BEFORE  AFTER  SIG  FD  PATH\n"
              "    0   5.25s    45s  yes   3  /srv/data/ledger.db\n"
              "  1 changed, 0 unchanged, 1 not being broken, 0 filtered out\n");
}

TEST_F(Policy, ReportsTheSameForADryRunAndSaysThatItIsOne) {
    const Result result = run({"policy", "--set", "7", "--renotify", "-n", "--lease-break-time",
                               "45", copy("shared_tables")});
    EXPECT_EQ(result.err,
              "shared_tables.img: --set 7 --renotify, dry run: "
              "nothing is written\n"
              "  IDX  BEFORE  AFTER  SIG      FD  PATH\n"
              "    0     30s     7s  no        7  /share/a b\\t\"x\".doc\n"
              "    1     44s     7s  yes->no   8  /share/z\n"
              "    3     44s     7s  yes->no   9  /share/z\n"
              "    4     30s     7s  no        7  /share/a b\\t\"x\".doc\n"
              "  4 changed (of 2 leases), 0 unchanged, 0 not being broken, 0 filtered out\n");
}

TEST_F(Policy, TakesTheLeaseBreakTimeOfThisSystem) {
    const Json report =
        parse_valid("policy", run({"policy", "--keep", "--json", copy("no_leases")}).out);
    std::string of_system = read_file("/proc/sys/fs/lease-break-time");
    EXPECT_EQ(report.at("lease_break_time"), std::stoi(of_system));
    EXPECT_EQ(report.at("lease_break_time_source"), "system");
}

TEST_F(Policy, ReportsInJson) {
    const Result result = run({"policy", "--add", "10", "--max", "1m", "--path", "*/z", "--json",
                               "--lease-break-time", "45", copy("shared_tables")});
    EXPECT_EQ(result.err, "");
    EXPECT_EQ(parse_valid("policy", result.out), Json::parse(R"({
        "schema": "ckpt-lease/policy/1", "policy": "add", "argument": "10", "min": null, "max": 60,
        "renotify": false, "dry_run": false,
        "lease_break_time": 45, "lease_break_time_source": "option",
        "images": [{
          "subject": "shared_tables.img", "path": "shared_tables.img", "errors": [],
          "leases": [
            {"index": 1, "offset": 959, "fd": 8, "path": "/share/z",
             "before": {"remaining_seconds": 44, "no_deadline": false, "break_notified": true,
                        "remaining_reason": null},
             "after": {"remaining_seconds": 54, "no_deadline": false, "break_notified": true,
                        "remaining_reason": null}},
            {"index": 3, "offset": 1079, "fd": 9, "path": "/share/z",
             "before": {"remaining_seconds": 44, "no_deadline": false, "break_notified": true,
                        "remaining_reason": null},
             "after": {"remaining_seconds": 54, "no_deadline": false, "break_notified": true,
                        "remaining_reason": null}}],
          "changed": 2, "changed_leases": 1, "unchanged": 0, "not_breaking": 0, "filtered_out": 2
        }],
        "errors": [], "warnings": []})"));
}

TEST_F(Policy, SendsTheReportToStandardErrorWhenTheImageGoesToStandardOutput) {
    const Result result =
        run({"policy", "--set", "1", "--json", "-"}, image_bytes("holder_breaker"));
    EXPECT_EQ(parse_valid("policy", result.err).at("images").at(0).at("changed"), 1);
    EXPECT_EQ(result.out.size(), image_bytes("holder_breaker").size());
}

TEST_F(Policy, RefusesAFilterThatSplitsALease) {
    const std::string name = copy("shared_tables");
    const Result result = run({"policy", "--set", "5", "--fd", "8", name});
    EXPECT_EQ(result.status, 2);
    EXPECT_EQ(result.err,
              "ckpt-lease: shared_tables.img: offset 1079: lock 3: locks 1 and 3 are one lease, "
              "held through two descriptors, and would not have the same values (choose filters "
              "that mean all records of a lease or none)\n");
    EXPECT_EQ(read_file(name), image_bytes("shared_tables"));
    EXPECT_EQ(files(), std::vector<std::string>{"shared_tables.img"});
}

// Records 1 and 3 are one lease, of which record 3 has another time left.
TEST_F(Policy, AnImageWhoseRecordsOfALeaseDisagreeIsDamaged) {
    std::string bytes = image_bytes("shared_tables");
    put(bytes, 1079 + kRemLease, 4, 77, false);
    write_file("torn.img", bytes);
    const Result damaged = run({"policy", "--add", "1", "torn.img"});
    EXPECT_EQ(damaged.status, 1);
    EXPECT_EQ(
        damaged.err,
        "ckpt-lease: torn.img: offset 1079: lock 3: locks 1 and 3 are one lease, held through "
        "two descriptors, and do not have the same values (ckpt-lease policy --set, or edit "
        "--whole-lease, makes them agree)\n");
    const Result filtered = run({"policy", "--add", "1", "--fd", "8", "torn.img"});
    EXPECT_EQ(filtered.status, 2) << "the filter is what splits it";
    EXPECT_NE(filtered.err.find("choose filters that mean all records"), std::string::npos);
    EXPECT_EQ(read_file("torn.img"), bytes);
    EXPECT_EQ(run({"policy", "--set", "5", "torn.img"}).status, 0) << "as the hint says";
    EXPECT_EQ(run({"verify", "torn.img"}).status, 0);
}

TEST_F(Policy, RefusesAResultThatARestartWouldRefuse) {
    const std::string name = copy("holder_breaker");
    const Result result = run({"policy", "--add", "2147483647", name});
    EXPECT_EQ(result.status, 2);
    EXPECT_EQ(result.err,
              "ckpt-lease: holder_breaker.img: offset 1157: lock 0: the time left would become "
              "more than the 2147483647 s that a restart takes (--max D bounds it)\n");
    EXPECT_EQ(read_file(name), image_bytes("holder_breaker"));
    EXPECT_EQ(run({"policy", "--set", "2147483647", name}).status, 0);
}

TEST_F(Policy, WantsJustOnePolicy) {
    const std::string name = copy("holder_breaker");
    EXPECT_EQ(run({"policy", name}).err,
              "ckpt-lease: no policy is given (give just one of --favor-holder, --favor-breaker, "
              "--add, --set, --scale, --elapsed, --keep and --rules)\n");
    const Result two = run({"policy", "--keep", "--add", "1", name});
    EXPECT_EQ(two.status, 2);
    EXPECT_EQ(two.err,
              "ckpt-lease: more than one policy is given (give just one of --favor-holder, "
              "--favor-breaker, --add, --set, --scale, --elapsed, --keep and --rules)\n");
}

TEST_F(Policy, SaysWhyAStreamCannotBeFilteredByTask) {
    for (const char* const option : {"--pid", "--comm"}) {
        const Result result =
            run({"policy", "--keep", option, "1", "-"}, image_bytes("holder_breaker"));
        EXPECT_EQ(result.status, 2);
        EXPECT_EQ(result.out, "");
        EXPECT_EQ(result.err,
                  "ckpt-lease: filters on tasks cannot be used on a stream "
                  "(in an image the tasks come after the locks, which are written on before the "
                  "tasks are known; save the image and give its name)\n");
    }
}

TEST_F(Policy, LeavesADamagedImageAlone) {
    for (const char* const image : {"bad_truncated", "bad_checkpoint_failed"}) {
        const std::string name = copy(image);
        EXPECT_EQ(run({"policy", "--favor-breaker", name}).status, 1);
        EXPECT_EQ(read_file(name), image_bytes(image));
        EXPECT_EQ(run({"policy", "--favor-breaker", "-o", "out.img", name}).status, 1);
        EXPECT_FALSE(std::filesystem::exists("out.img"));
        EXPECT_EQ(
            run({"policy", "--favor-breaker", "-o", "out.img", "-"}, image_bytes(image)).status, 1);
        EXPECT_FALSE(std::filesystem::exists("out.img"));
    }
}

TEST_F(Policy, RequireMatchWritesNothingWhereNothingMatches) {
    const std::string name = copy("holder_breaker");
    const Result result = run(
        {"policy", "--set", "1", "--path", "/nothing", "--require-match", "-o", "out.img", name});
    EXPECT_EQ(result.status, 4);
    EXPECT_EQ(result.err,
              "ckpt-lease: holder_breaker.img: no lease that is being broken matches\n");
    EXPECT_FALSE(std::filesystem::exists("out.img"));
    EXPECT_EQ(
        run({"policy", "--set", "1", "--path", "/nothing", "--require-match", "-o", "out.img", "-"},
            image_bytes("holder_breaker"))
            .status,
        4);
    EXPECT_FALSE(std::filesystem::exists("out.img"));
    EXPECT_EQ(run({"policy", "--set", "1", "--path", "/nothing", name}).status, 0);
    EXPECT_EQ(run({"policy", "--set", "1", "--path", "/srv/*", "--require-match", name}).status, 0);
}

TEST_F(Policy, FollowsTheFirstRuleThatMatches) {
    write_file("rules.json", R"({
      "rules": [
        {"match": {"path": "/share/z", "comm": "smbd-io"}, "policy": {"favor-breaker": true}},
        {"match": {"target": "F_RDLCK"}, "policy": {"add": "1m30s", "max": 100, "renotify": true}}
      ],
      "default": {"set": 1}})");
    const std::string name = copy("shared_tables");
    const Result result = run({"policy", "--rules", "rules.json", "--json", name});
    EXPECT_EQ(result.status, 0) << result.err;
    const Json report = parse_valid("policy", result.out);
    EXPECT_EQ(report.at("policy"), "rules");
    std::string wanted = image_bytes("shared_tables");
    for (const std::size_t offset : {798U, 18982U}) {
        put(wanted, offset + kRemLease, 4, 100, false);
    }
    for (const std::size_t offset : {959U, 1079U}) {
        put(wanted, offset + kRemLease, 4, 0, false);
    }
    EXPECT_EQ(read_file(name), wanted);
}

TEST_F(Policy, FiltersAndModifiersHoldForEveryRule) {
    write_file("rules.json", R"({"rules": [{"policy": {"set": 0.00001, "max": "50"}}]})");
    const std::string name = copy("shared_tables");
    EXPECT_EQ(run({"policy", "--rules", "rules.json", "--path", "*/z", "--min", "7", name}).status,
              0);
    std::string wanted = image_bytes("shared_tables");
    put(wanted, 959 + kRemLease, 4, 7, false);
    put(wanted, 1079 + kRemLease, 4, 7, false);
    EXPECT_EQ(read_file(name), wanted);
}

TEST_F(Policy, AnEmptyValueIsNoValue) {
    const std::string name = copy("holder_breaker");
    for (const char* const option :
         {"-o", "--min", "--max", "--now", "--lease-break-time", "--layout", "--path"}) {
        const Result result = run({"policy", "--set", "3", option, "", name});
        EXPECT_EQ(result.status, 2) << option;
        EXPECT_NE(result.err.find("the value is empty"), std::string::npos) << result.err;
        EXPECT_EQ(read_file(name), image_bytes("holder_breaker"));
    }
}

TEST_F(Policy, WarnsWhereTheCheckpointLiesInTheFuture) {
    const std::string name = copy("holder_breaker");
    const Result result = run({"policy", "--elapsed", "--now", "@1281987799", name});
    EXPECT_EQ(result.status, 0);
    EXPECT_TRUE(result.err.starts_with(
        "ckpt-lease: holder_breaker.img: the checkpoint was taken in the future"));
    EXPECT_EQ(read_file(name), image_bytes("holder_breaker"));
}

}  // namespace
}  // namespace e2e
