// SPDX-License-Identifier: GPL-2.0-or-later
// What programs of others may ask of a subject, and the command line does not.

#include <cstdlib>

#include "ckpt-lease/ckpt-lease.hpp"
#include "support.hpp"
#include "support/fed_pipe.hpp"

namespace e2e {
namespace {

namespace fs = std::filesystem;
using namespace ckpt_lease;

class Library : public Test {
 protected:
    Library() {
        copy("holder_breaker");
        fs::copy(fs::path(SOURCE_ROOT) / "tests/images/criu-4.2", "bare");
    }

    static PolicyRequest request(std::string_view policy, std::string_view argument = {}) {
        PolicyRequest request;
        request.rules.otherwise = Treatment::of(*find_policy(policy), argument);
        request.layout = linux_cr::default_layout();
        return request;
    }
    template <typename Call>
    static std::string fault(Error::Kind kind, Call call) {
        try {
            call();
        } catch (const Error& error) {
            EXPECT_EQ(error.kind(), kind) << error.what();
            return to_string(error.problem());
        }
        return "(nothing was thrown)";
    }
};

TEST_F(Library, WhatOthersWroteSinceAPlanWasMadeIsNotLost) {
    Subject subject("bare", {.target = Target()});
    const Plan plan = make_plan(subject, request("favor-breaker"));
    const std::string others = read_file("bare/filelocks.img").substr(0, 8);
    write_file("bare/filelocks.img", others);
    EXPECT_EQ(fault(Error::Kind::damaged, [&] { carry_out(subject, plan); }),
              "bare/filelocks.img: it has changed since it was read (somebody else writes to this "
              "file; try again)");
    EXPECT_EQ(read_file("bare/filelocks.img"), others);
}

class Nothing final : public StreamListener {
 public:
    void lease(const Lock& /*before*/, const LeaseState& /*after*/,
               const Ownership& /*ownership*/) override {}
    void warning(const Problem& /*problem*/) override {}
    bool end(const Counts& /*counts*/) override { return true; }
};

TEST_F(Library, OnlyStreamsAreRewrittenAsStreams) {
    Nothing listener;
    for (const char* const name : {"holder_breaker.img", "bare"}) {
        Subject subject(name, {.target = Target()});
        EXPECT_EQ(fault(Error::Kind::refused,
                        [&] { rewrite_stream(subject, request("set", "7"), listener); }),
                  std::string(name) + ": this is no stream, which is rewritten on its way");
    }
    EXPECT_EQ(read_file("holder_breaker.img"), image_bytes("holder_breaker"));
}

TEST_F(Library, StreamsAreNotReadForAPlan) {
    const test_support::FedPipe pipe("pipe", image_bytes("holder_breaker"));
    Subject subject("pipe");
    const std::string message =
        "pipe: what comes through a pipe is read only once, and this needs to be read again (save "
        "the image and give its name)";
    EXPECT_EQ(fault(Error::Kind::refused,
                    [&] { static_cast<void>(make_plan(subject, request("set", "7"))); }),
              message);
    EditRequest edit;
    edit.notified = true;
    edit.layout = linux_cr::default_layout();
    EXPECT_EQ(fault(Error::Kind::refused, [&] { static_cast<void>(plan_edit(subject, edit)); }),
              message);
    EXPECT_EQ(subject.read_sound(linux_cr::default_layout()).locks.size(),
              Subject("holder_breaker.img").read_sound(edit.layout).locks.size());
}

TEST_F(Library, UndoFilesAreOfWhatIsRewrittenInPlace) {
    for (const Target& target :
         {Target{.out = "out", .undo_file = "u"}, Target{.out = "-", .undo_file = "u"},
          Target{.dry_run = true, .undo_file = "u"}}) {
        EXPECT_EQ(fault(Error::Kind::refused,
                        [&] { const Subject subject("holder_breaker.img", {.target = target}); }),
                  "holder_breaker.img: an undo file is for an image that is rewritten in place");
    }
    Subject subject("holder_breaker.img",
                    {.target = Target{.out = "holder_breaker.img", .undo_file = "u"}});
    carry_out(subject, make_plan(subject, request("set", "7")));
    EXPECT_TRUE(fs::exists("u"));
}

TEST_F(Library, AnEditThatMeansTheSameIsAChange) {
    std::string bytes = image_bytes("holder_breaker");
    put(bytes, 1157 + kNotified, 1, 2, false);
    write_file("odd.img", bytes);
    Subject subject("odd.img", {.target = Target()});
    EditRequest request;
    request.notified = true;
    request.layout = linux_cr::default_layout();
    const Plan plan = plan_edit(subject, request);
    EXPECT_EQ(plan.counts.changed, 1U);
    EXPECT_EQ(plan.counts.unchanged, 0U);
    EXPECT_EQ(plan.counts.changed_leases, 1U);
}

}  // namespace
}  // namespace e2e
