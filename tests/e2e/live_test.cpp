// SPDX-License-Identifier: GPL-2.0-or-later
// Live processes, from the command line.
#include "live_support.hpp"

namespace e2e {
namespace {

namespace fs = std::filesystem;

TEST_F(Live, ShowTellsOfALiveProcess) {
    const LeaseHolder holder("held");
    const Result table = run({"show", "--pid", holder.pid()});
    EXPECT_EQ(table.status, 0);
    EXPECT_EQ(table.err, "");
    EXPECT_EQ(table.out.find("process " + holder.pid() + ": live, "), 0U);
    EXPECT_NE(table.out.find("BREAKER"), std::string::npos);
    const Json json = parse_valid("show", run({"show", "--json", "--pid", holder.pid()}).out);
    const Json& image = json["images"][0];
    EXPECT_EQ(image["format"], "live");
    EXPECT_EQ(image["complete"], nullptr);
    ASSERT_EQ(image["leases"].size(), 1U);
    const Json& lease = image["leases"][0];
    EXPECT_EQ(lease["fd"], 7);
    EXPECT_EQ(lease["path"], (fs::current_path() / "held").string());
    EXPECT_EQ(lease["state"], "held");
    EXPECT_EQ(lease["type"], "F_WRLCK");
    EXPECT_EQ(lease["owner"]["id"], std::stoi(holder.pid()));
    EXPECT_EQ(lease["breakers"], Json::array());
}

TEST_F(Live, ShowNeedsAnImageOrAProcess) {
    const Result result = run({"show"});
    EXPECT_EQ(result.status, 2);
    EXPECT_EQ(result.err,
              "ckpt-lease: neither an image nor a process is given (give IMAGE, or --pid N for a "
              "live process)\n");
}

TEST_F(Live, WhatIsCapturedIsAnImage) {
    const LeaseHolder holder("held");
    EXPECT_EQ(run({"capture", "--pid", holder.pid(), "-o", "leases.img"}).status, 0);
    EXPECT_EQ(fs::status("leases.img").permissions(),
              fs::perms::owner_read | fs::perms::owner_write);
    EXPECT_EQ(run({"verify", "leases.img"}).status, 0);
    const Json json = parse_valid("show", run({"show", "--json", "leases.img"}).out);
    EXPECT_EQ(json["images"][0]["leases"][0]["tasks"][0]["pid"], std::stoi(holder.pid()));
    const Result piped = run({"capture", "--pid", holder.pid(), "-o", "-"});
    EXPECT_EQ(run({"show", "-"}, piped.out).status, 0);
}

TEST_F(Live, AProcessThatIsNotThere) {
    const Result result = run({"capture", "--pid", "99999999", "-o", "leases.img"});
    EXPECT_EQ(result.status, 3);
    EXPECT_EQ(files(), std::vector<std::string>());
    EXPECT_EQ(result.err, "ckpt-lease: process 99999999: there is no such process\n");
    const Result shown = run({"show", "--pid", "99999999", "--json"});
    EXPECT_EQ(shown.status, 3);
    EXPECT_EQ(parse_valid("show", shown.out)["images"][0]["error"], "there is no such process");
}

TEST_F(Live, ALeaseOfAnotherFileIsLeftAlone) {
    const LeaseHolder holder("held");
    const LeaseHolder stranger("other");
    EXPECT_EQ(run({"capture", "--pid", holder.pid(), "-o", "leases.img"}).status, 0);
    const Result result = run({"apply", "--json", "--pid", stranger.pid(), "leases.img"});
    EXPECT_EQ(result.status, 5);
    const Json json = parse_valid("apply", result.out);
    EXPECT_EQ(json["leases"][0]["result"], "skipped");
    EXPECT_EQ(run({"apply", "--any-path", "--pid", stranger.pid(), "leases.img"}).status, 0);
}

TEST_F(Live, ApplySetsWhatWasCaptured) {
    const LeaseHolder holder("held");
    EXPECT_EQ(run({"capture", "--pid", holder.pid(), "-o", "leases.img"}).status, 0);
    const Result dry = run({"apply", "--dry-run", "leases.img"});
    EXPECT_EQ(dry.status, 0);
    EXPECT_NE(dry.out.find("would be set"), std::string::npos) << dry.out;
    const Result done = run({"apply", "--json", "--pid", holder.pid(), "leases.img"});
    EXPECT_EQ(done.status, 0) << done.err;
    const Json json = parse_valid("apply", done.out);
    EXPECT_EQ(json["leases"][0]["result"], "set");
    EXPECT_EQ(json["leases"][0]["pid"], std::stoi(holder.pid()));
}

TEST_F(Live, ALeaseWithoutItsProcessIsSkipped) {
    {
        const LeaseHolder holder("held");
        EXPECT_EQ(run({"capture", "--pid", holder.pid(), "-o", "leases.img"}).status, 0);
    }
    const Result result = run({"apply", "--json", "leases.img"});
    EXPECT_EQ(result.status, 5);
    const Json json = parse_valid("apply", result.out);
    EXPECT_EQ(json["leases"][0]["result"], "skipped");
    EXPECT_EQ(json["leases"][0]["pid"], nullptr);
}

// Of no_deadline.img, as `capture` would leave it where it may not look into a lease.
class NotKnown : public Test {
 protected:
    NotKnown() {
        const Json truth = image_truth("no_deadline");
        std::string bytes = image_bytes("no_deadline");
        for (const Json& lease : truth) {
            if (lease["no_deadline"] == true) {
                put(bytes, lease["offset"].get<std::size_t>() + kRemLease, 4, 0xfffffffe, false);
            }
        }
        write_file("a.img", bytes);
    }
};

TEST_F(NotKnown, IsShown) {
    EXPECT_NE(run({"show", "a.img"}).out.find("not known"), std::string::npos);
    const Json json = parse_valid("show", run({"show", "--json", "a.img"}).out);
    EXPECT_EQ(json["images"][0]["leases"][0]["not_known"], true);
    EXPECT_EQ(run({"verify", "a.img"}).status, 1);
}

TEST_F(NotKnown, HasToBeSet) {
    const std::string before = read_file("a.img");
    const Result add = run({"policy", "--add", "5", "a.img"});
    EXPECT_EQ(add.status, 2);
    EXPECT_NE(add.err.find("the remaining lease is not known"), std::string::npos) << add.err;
    EXPECT_EQ(read_file("a.img"), before);
    EXPECT_EQ(run({"policy", "--set", "5", "a.img"}).status, 0);
    EXPECT_EQ(run({"verify", "a.img"}).status, 0);
}

}  // namespace
}  // namespace e2e
