// SPDX-License-Identifier: GPL-2.0-or-later
// What scripts rely on: a whole document whatever fails, and errors of one form in it.
#include <csignal>
#include <cstdlib>

#include "rewrite/image_file.hpp"
#include "rewrite/undo.hpp"
#include "support.hpp"

namespace e2e {
namespace {

namespace fs = std::filesystem;

// One way to fail: what is run, what it ends with, and the error that its document has.
struct FailingCase {
    std::vector<std::string> args;
    int status;
    Json subject;
    std::string code;
};

class Documents : public Test {
 protected:
    Documents() {
        copy("holder_breaker");
        copy("bad_truncated");
        fs::copy(fs::path(SOURCE_ROOT) / "tests/images/criu-4.2", "bare");
        fs::copy("bare", "img");
        fs::copy("holder_breaker.img", "img/ckpt-lease.img");
        fs::create_directory("empty");
        write_file("text", "no image\n");
        EXPECT_EQ(std::system("tar -cf job.tar img && head -c 2000 job.tar >cut.tar"), 0);
    }

    static void expect_error(const FailingCase& one, const std::string& text) {
        const Json document = parse_valid(one.args[0], text);
        ASSERT_EQ(document["errors"].size(), 1U) << text;
        const Json& error = document["errors"][0];
        EXPECT_EQ(error["code"], one.code) << text;
        EXPECT_EQ(error["subject"], one.subject) << text;
        EXPECT_NE(error["message"], "");
        // What an object about one image says, the document says, too. That nothing is shown of
        // it is no fault of the image.
        const bool is_of_image = one.args[0] != "show" || one.code != "no_match";
        if (is_of_image && document.contains("images") && !document["images"].empty()) {
            EXPECT_EQ(document["images"][0]["errors"], document["errors"]) << text;
            EXPECT_TRUE(document["images"][0].contains("error")) << text;
        }
    }
};

TEST_F(Documents, AreWholeWhateverFails) {
    std::vector<FailingCase> cases;
    for (const char* const command : {"show", "records", "verify"}) {
        cases.push_back({{command, "missing"}, 3, "missing", "not_found"});
        cases.push_back(
            {{command, "holder_breaker.img/x"}, 3, "holder_breaker.img/x", "not_found"});
        cases.push_back({{command, "empty"}, 3, "empty", "not_a_checkpoint"});
        cases.push_back({{command, "cut.tar"}, 1, "cut.tar", "damaged"});
    }
    for (const char* const command : {"show", "records"}) {
        cases.push_back({{command, "bad_truncated.img"}, 1, "bad_truncated.img", "truncated"});
        cases.push_back({{command, "text"}, 1, "text", "not_a_checkpoint"});
    }
    const std::vector<FailingCase> others{
        {{"records", "bare"}, 2, "bare", "not_captured"},
        {{"show"}, 2, nullptr, "refused"},
        {{"show", "--layout", "none", "img"}, 2, nullptr, "refused"},
        {{"show", "--index", "9", "--require-match", "img"}, 4, "img", "no_match"},
        {{"show", "--pid", "99999999"}, 3, "process 99999999", "not_found"},
        {{"policy", "img"}, 2, nullptr, "refused"},
        {{"policy", "--rules", "none", "img"}, 3, nullptr, "not_found"},
        {{"policy", "--set", "5", "missing"}, 3, "missing", "not_found"},
        {{"policy", "--set", "5", "empty"}, 3, "empty", "not_a_checkpoint"},
        {{"policy", "--set", "5", "bad_truncated.img"}, 1, "bad_truncated.img", "truncated"},
        {{"policy", "--set", "5", "bare"}, 2, "bare", "not_captured"},
        {{"policy", "--set", "5", "-o", "out", "img"}, 2, "img", "refused"},
        {{"policy", "--set", "5", "-o", "none/out", "job.tar"}, 3, "job.tar", "not_found"},
        {{"policy", "--set", "5", "--fd", "9", "--require-match", "img"}, 4, "img", "no_match"},
        {{"edit", "--index", "0", "img"}, 2, nullptr, "refused"},
        {{"edit", "--index", "9", "--remaining", "5", "img"}, 2, "img", "no_such_lock"},
        {{"edit", "--index", "0", "--remaining", "5", "missing"}, 3, "missing", "not_found"},
        {{"edit", "--index", "0", "--remaining", "5", "bare"}, 2, "bare", "not_captured"},
        {{"diff", "holder_breaker.img", "missing"}, 2, "missing", "not_found"},
        {{"diff", "bad_truncated.img", "img"}, 2, "bad_truncated.img", "truncated"},
        {{"apply", "missing"}, 3, "missing", "not_found"},
        {{"apply", "--dry-run", "bad_truncated.img"}, 1, "bad_truncated.img", "truncated"},
        {{"apply", "bare"}, 2, "bare", "not_captured"},
        {{"recover", "missing"}, 3, "missing", "not_found"},
        {{"recover", "-"}, 2, "-", "refused"},
        {{"undo", "missing"}, 3, "missing", "not_found"},
        {{"undo", "text"}, 1, "text", "damaged"},
        {{"layouts", "none"}, 2, nullptr, "refused"},
        {{"layouts", "./text"}, 2, nullptr, "invalid_file"},
        {{"show", "--layout", "./text", "img"}, 2, nullptr, "invalid_file"},
        {{"policy", "--rules", "text", "img"}, 2, nullptr, "invalid_file"},
        // What the command line itself cannot be.
        {{"show", "--colums", "PID", "img"}, 2, nullptr, "refused"},
        {{"show", ""}, 2, nullptr, "refused"},
        {{"show", "img", "--index"}, 2, nullptr, "refused"},
        {{"show", "-q", "-v", "img"}, 2, nullptr, "refused"},
        {{"edit", "--idx", "0", "img"}, 2, nullptr, "refused"},
        {{"policy", "--set", "5"}, 2, nullptr, "refused"},
        {{"diff", "img"}, 2, nullptr, "refused"},
        {{"diff", "img", "img", "img"}, 2, nullptr, "refused"},
        // No image would have gone to standard output.
        {{"policy", "--sett", "5", "-n", "-"}, 2, nullptr, "refused"},
        {{"policy", "--sett", "5", "-o", "out", "-"}, 2, nullptr, "refused"},
        {{"policy", "--sett", "5", "-qn", "-"}, 2, nullptr, "refused"},
        {{"policy", "--sett", "5", "-qo", "out", "-"}, 2, nullptr, "refused"},
        {{"policy", "--sett", "5", "-oout", "-"}, 2, nullptr, "refused"},
        {{"policy", "--rules", "-", "--sett", "5", "img"}, 2, nullptr, "refused"},
    };
    cases.insert(cases.end(), others.begin(), others.end());
    for (const FailingCase& one : cases) {
        std::vector<std::string> args = one.args;
        args.insert(args.begin() + 1, "--json");
        const Result result = run(args);
        SCOPED_TRACE(one.args[0] + " " + one.args.back());
        EXPECT_EQ(result.status, one.status);
        expect_error(one, result.out);
        // Messages are what they are without --json.
        EXPECT_EQ(result.err, run(one.args).err);
        EXPECT_TRUE(result.err.starts_with("ckpt-lease: ")) << result.err;
    }
}

TEST_F(Documents, EndWithAllErrorsInTheirOrder) {
    const Result result = run({"show", "--json", "empty", "holder_breaker.img", "text", "missing"});
    const Json document = parse_valid("show", result.out);
    ASSERT_EQ(document["images"].size(), 4U);
    EXPECT_EQ(document["images"][1]["errors"], Json::array());
    EXPECT_EQ(document["errors"],
              Json::array({document["images"][0]["errors"][0], document["images"][2]["errors"][0],
                           document["images"][3]["errors"][0]}));
    EXPECT_EQ(document["errors"][1], Json::parse(R"({
        "subject": "text", "code": "not_a_checkpoint", "message": "this is no linux-cr image",
        "file": "text", "offset": 0, "record": null,
        "hint": "an image begins with a HEADER record: its type, 1, in 4 bytes"})"));
}

// Where the image goes to standard output, messages would stand in the middle of the document.
TEST_F(Documents, OnStandardErrorHaveTheMessagesInThem) {
    const std::string cut = image_bytes("bad_truncated");
    const std::vector<FailingCase> cases{
        {{"policy", "--set", "5", "-"}, 1, "-", "truncated"},
        {{"policy", "--set", "5", "-o", "-", "bad_truncated.img"},
         1,
         "bad_truncated.img",
         "truncated"},
        {{"policy", "--set", "5", "-o", "-", "img"}, 2, "img", "refused"},
        {{"policy", "--set", "5", "-o", "-", "missing"}, 3, "missing", "not_found"},
        {{"policy", "--set", "x", "-"}, 2, nullptr, "refused"},
        {{"edit", "--index", "9", "--remaining", "5", "-o", "-", "holder_breaker.img"},
         2,
         "holder_breaker.img",
         "no_such_lock"},
        {{"edit", "--index", "0", "--remaining", "5", "-"}, 2, nullptr, "refused"},
        {{"policy", "--sett", "5", "-"}, 2, nullptr, "refused"},
        {{"policy", "--sett", "5", "-o-", "img"}, 2, nullptr, "refused"},
        {{"policy", "--sett", "5", "-qo-", "img"}, 2, nullptr, "refused"},
        {{"policy", "--watch", "-"}, 2, nullptr, "refused"},
        {{"policy", "--sett", "5", "--output=-", "img"}, 2, nullptr, "refused"},
    };
    for (const FailingCase& one : cases) {
        std::vector<std::string> args = one.args;
        args.insert(args.begin() + 1, {"--json", "-vvv"});
        SCOPED_TRACE(one.args[0] + " " + one.args.back());
        const Result result = run(args, cut);
        EXPECT_EQ(result.status, one.status);
        expect_error(one, result.err);
    }
    const Result unmatched =
        run({"policy", "--json", "--set", "5", "--fd", "9", "--require-match", "-"},
            image_bytes("holder_breaker"));
    EXPECT_EQ(unmatched.status, 4);
    const Json document = parse_valid("policy", unmatched.err);
    EXPECT_EQ(document["errors"][0]["code"], "no_match");
    EXPECT_EQ(document["images"][0]["changed"], 0);
}

TEST_F(Documents, TellWhyNothingCanBeWritten) {
    const Result result =
        run_to("/dev/full", {"policy", "--json", "--set", "5", "-"}, image_bytes("holder_breaker"));
    EXPECT_EQ(result.status, 3);
    const Json error = parse_valid("policy", result.err)["errors"][0];
    EXPECT_EQ(error["code"], "no_space");
    EXPECT_EQ(error["file"], "standard output");
}

TEST_F(Documents, AreEndedWhereASignalStopsTheWork) {
    const Result result = run_and_signal({"policy", "--json", "--set", "1", "-o", "out.img", "-"},
                                         image_bytes("holder_breaker").substr(0, 5000), SIGTERM);
    EXPECT_EQ(result.status, 128 + SIGTERM);
    const Json document = parse_valid("policy", result.out);
    ASSERT_EQ(document["errors"].size(), 1U);
    EXPECT_EQ(document["errors"][0]["code"], "stopped");
    EXPECT_EQ(document["errors"][0]["subject"], "-");
    EXPECT_EQ(document["images"][0]["errors"], document["errors"]);
}

TEST_F(Documents, TellWhoHasAnImageLocked) {
    const ckpt_lease::ImageFile other(ckpt_lease::io::posix_system(), "holder_breaker.img",
                                      {.access = ckpt_lease::ImageFile::Access::write});
    const std::vector<std::vector<std::string>> commands{
        {"show"}, {"verify"}, {"records"}, {"recover"}, {"policy", "--set", "5"}, {"apply"}};
    for (std::vector<std::string> args : commands) {
        args.insert(args.begin() + 1, "--json");
        args.emplace_back("holder_breaker.img");
        const Result result = run(args);
        EXPECT_EQ(result.status, 3) << args[0];
        const Json errors = parse_valid(args[0], result.out)["errors"];
        ASSERT_EQ(errors.size(), 1U) << args[0];
        EXPECT_EQ(errors[0]["code"], "locked") << args[0];
        EXPECT_EQ(errors[0]["subject"], "holder_breaker.img") << args[0];
    }
}

TEST_F(Documents, SayWhatIsOddAmongTheirWarnings) {
    const Result result = run({"policy", "--json", "--favor-holder", "-n", "bare"});
    const Json document = parse_valid("policy", result.out);
    EXPECT_EQ(document["errors"], Json::array());
    ASSERT_EQ(document["warnings"].size(), 1U);
    EXPECT_EQ(document["warnings"][0]["subject"], "bare");
    EXPECT_EQ(document["warnings"][0]["message"],
              "CRIU gives these holders the whole lease-break-time");
    EXPECT_EQ(result.err,
              "ckpt-lease: bare: CRIU gives these holders the whole lease-break-time\n");
}

TEST_F(Documents, FindingsAreNoErrors) {
    const Json differ =
        parse_valid("diff", run({"diff", "--json", "holder_breaker.img", "bare"}).out);
    EXPECT_EQ(differ["same"], false);
    EXPECT_EQ(differ["errors"], Json::array());
    EXPECT_EQ(differ["subjects"], Json({{"a", "holder_breaker.img"}, {"b", "bare"}}));
    const Json verified = parse_valid("verify", run({"verify", "--json", "text"}).out);
    EXPECT_EQ(verified["errors"], Json::array());
    EXPECT_EQ(verified["images"][0]["problems"][0]["code"], "not_a_checkpoint");
}

// What is watched is told of in lines.
TEST_F(Documents, AreNeverBegunWhereLinesAreWanted) {
    for (const char* const watch : {"--watch", "--watch=0.5"}) {
        const Result result = run({"show", watch, "--json", "--bogus", "--pid", "1"});
        EXPECT_EQ(result.status, 2);
        const Json line = parse_valid("watch", result.out);
        EXPECT_EQ(line["event"], "error");
        EXPECT_EQ(line["error"]["message"], "there is no option --bogus");
    }
}

TEST_F(Documents, HaveWhatDoesNotMatchInItsImageToo) {
    for (const std::vector<std::string>& args : std::vector<std::vector<std::string>>{
             {"show", "--json", "--fd", "9", "--require-match", "img", "holder_breaker.img"},
             {"show", "--json", "--fd", "9", "--require-match", "--all", "img"}}) {
        const Json document = parse_valid("show", run(args).out);
        for (const Json& image : document["images"]) {
            const bool is_last_of_its_name =
                image["format"] == "criu" || args.back() == "holder_breaker.img";
            EXPECT_EQ(image["errors"].size(), is_last_of_its_name ? 1U : 0U) << image;
        }
        EXPECT_EQ(document["errors"].back()["code"], "no_match");
        EXPECT_EQ(document["errors"].back(), document["images"].back()["errors"].back());
    }
}

TEST_F(Documents, ACommandWithoutJsonGivesNone) {
    for (const std::vector<std::string>& args : std::vector<std::vector<std::string>>{
             {"schema", "--json"}, {"--json", "show", "img"}, {"shwo", "--json", "img"}}) {
        const Result result = run(args);
        EXPECT_EQ(result.status, 2);
        EXPECT_EQ(result.out, "");
        EXPECT_TRUE(result.err.starts_with("ckpt-lease: ")) << result.err;
    }
}

TEST_F(Documents, SayWhyThereIsNoTime) {
    copy("no_deadline");
    const auto reasons_of = [](const std::string& image) {
        std::vector<Json> reasons;
        const Json document = parse_valid("show", run({"show", "--json", image}).out);
        for (const Json& lease : document["images"][0]["leases"]) {
            reasons.push_back(lease["remaining_reason"]);
            EXPECT_EQ(lease["remaining_seconds"].is_null(), !lease["remaining_reason"].is_null());
        }
        return reasons;
    };
    EXPECT_EQ(reasons_of("holder_breaker.img"), (std::vector<Json>{nullptr, "held"}));
    EXPECT_EQ(reasons_of("no_deadline.img"),
              (std::vector<Json>{"no_deadline", nullptr, nullptr, nullptr}));
    EXPECT_EQ(reasons_of("bare"), (std::vector<Json>{"not_known", "not_known", "held"}));
    const Json policy =
        parse_valid("policy", run({"policy", "--json", "--set", "3", "-n", "no_deadline.img"})
                                  .out)["images"][0]["leases"][0];
    EXPECT_EQ(policy["before"]["remaining_reason"], "no_deadline");
    EXPECT_EQ(policy["after"]["remaining_reason"], nullptr);
}

TEST_F(Documents, HaveNumbersBeyond2To53AsStrings) {
    std::string bytes = image_bytes("holder_breaker");
    constexpr std::size_t kTime = 56;  // of the checkpoint, in HEADER
    put(bytes, kTime, 8, (std::uint64_t{1} << 60) + 1, false);
    write_file("late.img", bytes);
    const Json shown = parse_valid("show", run({"show", "--json", "late.img"}).out);
    EXPECT_EQ(shown["images"][0]["checkpoint_time"], "1152921504606846977");
    const Json listed = parse_valid("records", run({"records", "--json", "late.img"}).out);
    EXPECT_EQ(listed["records"][0]["fields"]["magic"], "71755283111793152");
    EXPECT_EQ(listed["records"][0]["fields"]["rev"], 6);
}

TEST_F(Documents, CallASubjectAsTheCommandLineDoes) {
    for (const std::string name : {"img", "job.tar", "holder_breaker.img", "bare"}) {
        const std::vector<std::vector<std::string>> commands{
            {"show"}, {"verify"}, {"records"}, {"recover"}, {"policy", "--favor-holder", "-n"}};
        for (std::vector<std::string> args : commands) {
            args.insert(args.begin() + 1, "--json");
            args.push_back(name);
            const Json document = parse_valid(args[0], run(args).out);
            const Json& object = args[0] == "records" ? document : document["images"][0];
            EXPECT_EQ(object["subject"], name) << args[0];
        }
    }
    const Json shown = parse_valid("show", run({"show", "--json", "img"}).out);
    EXPECT_EQ(shown["images"][0]["path"], "img/ckpt-lease.img");
}

TEST_F(Documents, ACheckpointIsCalledSoInText) {
    EXPECT_EQ(run({"show", "img"}).out.substr(0, 47),
              "img: CRIU checkpoint, leases captured with it, ");
    EXPECT_TRUE(run({"show", "job.tar"}).out.starts_with("job.tar: CRIU checkpoint, leases "));
    EXPECT_TRUE(run({"policy", "--set", "5", "--lease-break-time", "45", "-n", "img"})
                    .err.starts_with("img: CRIU checkpoint, --set 5, dry run: "));
    EXPECT_EQ(run({"verify", "bare"}).out, "bare: CRIU checkpoint, sound, 4 records\n");
    EXPECT_TRUE(run({"show", "holder_breaker.img"})
                    .out.starts_with("holder_breaker.img: linux-cr revision 6, "));
}

}  // namespace
}  // namespace e2e
