// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstdlib>

#include "support.hpp"

namespace e2e {
namespace {

class Show : public Test {};

// The truth as 'show --json' should put it: pids and comms are tasks there.
Json expected_leases(const std::string& image) {
    Json leases = image_truth(image);
    for (Json& lease : leases) {
        Json tasks = Json::array();
        for (std::size_t i = 0; i < lease.at("pids").size(); ++i) {
            tasks.push_back({{"pid", lease.at("pids").at(i)}, {"comm", lease.at("comms").at(i)}});
        }
        lease["tasks"] = tasks;
        lease["remaining_reason"] = nullptr;
        if (lease.at("remaining_seconds").is_null()) {
            lease["remaining_reason"] = lease.at("state") == "held" ? "held" : "no_deadline";
        }
        lease.erase("pids");
        lease.erase("comms");
    }
    return leases;
}

TEST_F(Show, TellsTheTruthAboutEveryExampleImage) {
    for (const std::string& name : good_images()) {
        SCOPED_TRACE(name);
        const Result result = run({"show", "--json", copy(name)});
        EXPECT_EQ(result.status, 0);
        EXPECT_EQ(result.err, "");
        const Json shown = parse_valid("show", result.out);
        EXPECT_EQ(shown.at("images").at(0).at("leases"), expected_leases(name));
        EXPECT_EQ(shown.at("images").at(0).at("complete"), true);
    }
}

TEST_F(Show, ReadsAPipeAsItReadsAFile) {
    for (const std::string& name : good_images()) {
        SCOPED_TRACE(name);
        const Json of_file = parse_valid("show", run({"show", "--json", "--all", copy(name)}).out);
        const Json of_pipe =
            parse_valid("show", run({"show", "--json", "--all", "-"}, image_bytes(name)).out);
        EXPECT_EQ(of_pipe.at("images").at(0).at("leases"), of_file.at("images").at(0).at("leases"));
        EXPECT_EQ(of_pipe.at("images").at(0).at("locks"), of_file.at("images").at(0).at("locks"));
        EXPECT_EQ(of_pipe.at("images").at(0).at("path"), "-");
    }
}

TEST_F(Show, SaysWhatTheImageIs) {
    const Json image =
        parse_valid("show", run({"show", "--json", copy("holder_breaker_s390x")}).out)
            .at("images")
            .at(0);
    EXPECT_EQ(image.at("path"), "holder_breaker_s390x.img");
    EXPECT_EQ(image.at("format"), "linux-cr");
    EXPECT_EQ(image.at("byte_order"), "big");
    EXPECT_EQ(image.at("arch"), "s390x");
    EXPECT_EQ(image.at("revision"), 6);
    EXPECT_EQ(image.at("kernel").at("version"), "2.6.35");
    EXPECT_EQ(image.at("kernel").at("release"), "2.6.35-ckpt");
    EXPECT_EQ(image.at("checkpoint_time"), 1281987800);
    EXPECT_EQ(image.at("layout"), "lease-1");
}

// Who looks for a path with grep(1), or for a field with awk(1), finds it whole.
TEST_F(Show, WhatGoesIntoAFileIsNotWrapped) {
    const Result result = run({"show", copy("holder_breaker")});
    EXPECT_EQ(result.status, 0);
    EXPECT_EQ(result.err, "");
    EXPECT_EQ(result.out,
              "holder_breaker.img: linux-cr revision 6, x86_64, little endian, Linux 2.6.35-ckpt, "
              "taken 2010-08-16 19:43:20 UTC, complete\n"
              "IDX  STATE     REMAINING  TYPE     BECOMES  SIG  FD  HOLDER    PATH\n"
              "  0  breaking      5.25s  F_WRLCK  F_UNLCK  yes   3  1 holder  /srv/data/ledger.db\n"
              "  1  held              -  F_RDLCK  -        -     5  1 holder  /srv/data/config\n");
    setenv("COLUMNS", "40", 1);
    EXPECT_EQ(run({"show", "holder_breaker.img"}).out, result.out);
    unsetenv("COLUMNS");
}

TEST_F(Show, PrintsATableThatFitsTheTerminal) {
    copy("holder_breaker");
    const auto shown = [](const char* columns) {
        const std::string command = std::string("COLUMNS=") + columns +
                                    " NO_COLOR=1 script -qefc '" CKPT_LEASE_PROGRAM
                                    " show holder_breaker.img' /dev/null >out </dev/null";
        EXPECT_EQ(std::system(command.c_str()), 0);
        std::string text = read_file("out");
        std::erase(text, '\r');
        return text;
    };
    EXPECT_EQ(shown("80"),
              "holder_breaker.img: linux-cr revision 6, x86_64, little endian,\n"
              "  Linux 2.6.35-ckpt, taken 2010-08-16 19:43:20 UTC, complete\n"
              "IDX STATE    REMAINING TYPE    BECOMES SIG FD HOLDER   PATH\n"
              "  0 breaking     5.25s F_WRLCK F_UNLCK yes  3 1 holder /srv/data/ledger.db\n"
              "  1 held             - F_RDLCK -       -    5 1 holder /srv/data/config\n");
    EXPECT_EQ(shown("40"),
              "holder_breaker.img: linux-cr revision 6,\n"
              "  x86_64, little endian,\n"
              "  Linux 2.6.35-ckpt,\n"
              "  taken 2010-08-16 19:43:20 UTC,\n"
              "  complete\n"
              "IDX        0\n"
              "STATE      breaking\n"
              "REMAINING  5.25s\n"
              "TYPE       F_WRLCK\n"
              "BECOMES    F_UNLCK\n"
              "SIG        yes\n"
              "FD         3\n"
              "HOLDER     1 holder\n"
              "PATH       /srv/data/ledger.db\n"
              "\n"
              "IDX        1\n"
              "STATE      held\n"
              "REMAINING  -\n"
              "TYPE       F_RDLCK\n"
              "BECOMES    -\n"
              "SIG        -\n"
              "FD         5\n"
              "HOLDER     1 holder\n"
              "PATH       /srv/data/config\n");
}

TEST_F(Show, PutsTheRecordsOfOneLeaseIntoOneLineAndEscapesNames) {
    const Result result = run({"show", copy("shared_tables")});
    EXPECT_EQ(result.out,
              "shared_tables.img: linux-cr revision 6, x86_64, little endian, Linux 2.6.35-ckpt, "
              "taken 2010-08-16 19:43:20 UTC, complete\n"
              "IDX  STATE     REMAINING  TYPE     BECOMES  SIG   FD  HOLDER                        "
              "PATH\n"
              "0,4  breaking        30s  F_WRLCK  F_RDLCK  no   7,7  10 smbd, 11 smbd-io, 12 smbd  "
              "/share/a b\\t\"x\".doc\n"
              "1,3  breaking        44s  F_RDLCK  F_UNLCK  yes  8,9  10 smbd, 11 smbd-io           "
              "/share/z\n");
}

TEST_F(Show, ListsOtherLocksWithAll) {
    const Result result = run({"show", "--all", copy("holder_breaker")});
    EXPECT_NE(
        result.out.find("  2  posix             -  F_WRLCK  -        -     4  0-99   2 breaker  "
                        "/var/log/b\n"),
        std::string::npos)
        << result.out;
    const Json image =
        parse_valid("show", run({"show", "--json", "--all", "holder_breaker.img"}).out)
            .at("images")
            .at(0);
    EXPECT_EQ(image.at("locks"),
              Json::parse(R"([{"index":2,"offset":16821,"fd":4,"path":"/var/log/b",
                               "tasks":[{"pid":2,"comm":"breaker"}],
                               "kind":"posix","type":"F_WRLCK","start":0,"end":99}])"));
}

TEST_F(Show, SaysThatThereAreNoLeases) {
    EXPECT_NE(run({"show", copy("no_leases")}).out.find("\nno leases\n"), std::string::npos);
    EXPECT_NE(
        run({"show", "--fd", "99", copy("holder_breaker")}).out.find("\nno leases that match\n"),
        std::string::npos);
}

TEST_F(Show, ShowsWhatStandsBeforeTheDamageAndSaysWhereItIs) {
    const Result result = run({"show", copy("bad_truncated")});
    EXPECT_EQ(result.status, 1);
    EXPECT_NE(result.out.find("/srv/data/ledger.db"), std::string::npos);
    EXPECT_NE(result.out.find("not complete"), std::string::npos);
    EXPECT_EQ(result.err,
              "ckpt-lease: bad_truncated.img: offset 23514: CPU: the record is 192 bytes long, and "
              "the image ends after 177 of them (copy the image again, or take the checkpoint "
              "again; nothing can be restarted from this one)\n");
    const Json image =
        parse_valid("show", run({"show", "--json", "bad_truncated.img"}).out).at("images").at(0);
    EXPECT_EQ(image.at("complete"), false);
    EXPECT_EQ(image.at("error"),
              "the record is 192 bytes long, and the image ends after 177 of them");
}

TEST_F(Show, SaysWhyTheCheckpointFailed) {
    const Result result = run({"show", copy("bad_checkpoint_failed")});
    EXPECT_EQ(result.status, 1);
    EXPECT_EQ(result.err,
              "ckpt-lease: bad_checkpoint_failed.img: offset 355: STRING: the checkpoint failed: "
              "[err -16][pos 700][E @ checkpoint_file:1] file busy (the image ends here and cannot "
              "be restarted; take the checkpoint again)\n");
}

TEST_F(Show, ShowsSeveralImagesAndReturnsTheHighestStatus) {
    const Result result =
        run({"show", "--json", copy("holder_breaker"), "missing.img", copy("bad_truncated")});
    EXPECT_EQ(result.status, 3);
    const Json images = parse_valid("show", result.out).at("images");
    ASSERT_EQ(images.size(), 3U);
    EXPECT_EQ(images.at(0).at("leases").size(), 2U);
    EXPECT_EQ(images.at(1).at("byte_order"), nullptr);
    EXPECT_EQ(images.at(1).at("error"), "cannot open: No such file or directory");
    EXPECT_NE(result.err.find("missing.img: cannot open: No such file or directory"),
              std::string::npos);
}

TEST_F(Show, FiltersByEachCondition) {
    copy("shared_tables");
    struct Filtered {
        std::vector<std::string> filter;
        Json indexes;
    };
    const Filtered cases[] = {
        {{"--path", "/share/*.doc"}, {0, 4}},
        {{"--path", "/share/z", "--fd", "9"}, {3}},
        {{"--pid", "12"}, {4}},
        {{"--pid", "10", "--pid", "11"}, {0, 1, 3}},
        {{"--comm", "smbd-*"}, {0, 1, 3}},
        {{"--fd", "7"}, {0, 4}},
        {{"--index", "1"}, {1}},
        {{"--target", "F_RDLCK"}, {0, 4}},
        {{"--breaking", "--fd", "9"}, {3}},
        {{"--target", "F_UNLCK"}, {1, 3}},
        {{"--pid", "13"}, Json::array()},
    };
    for (const Filtered& c : cases) {
        std::vector<std::string> args{"show", "--json", "shared_tables.img"};
        args.insert(args.end(), c.filter.begin(), c.filter.end());
        SCOPED_TRACE(c.filter.at(0) + " " + c.filter.at(1));
        const Json shown = parse_valid("show", run(args).out);
        Json indexes = Json::array();
        for (const Json& lease : shown.at("images").at(0).at("leases")) {
            indexes.push_back(lease.at("index"));
        }
        EXPECT_EQ(indexes, c.indexes);
    }
}

TEST_F(Show, LeasesThatAreBeingBrokenOrHeld) {
    copy("holder_breaker");
    const auto indexes = [](const char* filter) {
        return run({"show", "-nr", "--columns", "idx", filter, "holder_breaker.img"}).out;
    };
    EXPECT_EQ(indexes("--breaking"), "0\n");
    EXPECT_EQ(indexes("--held"), "1\n");
    const Result all =
        run({"show", "--all", "-nr", "--columns", "idx", "--held", "holder_breaker.img"});
    EXPECT_EQ(all.out, "1\n") << "a POSIX lock is no lease that is held";
    EXPECT_EQ(run({"show", "--breaking", "--held", "holder_breaker.img"}).status, 2);
}

TEST_F(Show, KeepsBytesThatAreNotUtf8) {
    std::string bytes = image_bytes("holder_breaker");
    const std::size_t at = bytes.find("/srv/data/ledger.db");
    bytes.at(at + 1) = '\xff';
    write_file("odd.img", bytes);
    const Json lease = parse_valid("show", run({"show", "--json", "odd.img"}).out)
                           .at("images")
                           .at(0)
                           .at("leases")
                           .at(0);
    EXPECT_EQ(lease.at("path"), "/\xef\xbf\xbdrv/data/ledger.db");
    EXPECT_EQ(lease.at("path_bytes"), "2fff72762f646174612f6c65646765722e6462");
    EXPECT_NE(run({"show", "odd.img"}).out.find("/\\xffrv/data/ledger.db"), std::string::npos);
}

TEST_F(Show, LetsNoEscapeSequenceThrough) {
    std::string bytes = image_bytes("holder_breaker");
    bytes.replace(bytes.find("/srv/data/ledger.db"), 8, "/\x1b[2J\x9b\n/");
    write_file("evil.img", bytes);
    const Result result = run({"show", "evil.img"});
    EXPECT_EQ(result.out.find('\x1b'), std::string::npos);
    EXPECT_NE(result.out.find("/\\x1b[2J\\x9b\\n/a/"), std::string::npos) << result.out;
}

TEST_F(Show, RequireMatchMakesItAFailureThatNothingMatches) {
    const Result result = run({"show", "--require-match", "--fd", "99", copy("holder_breaker")});
    EXPECT_EQ(result.status, 4);
    EXPECT_EQ(result.err, "ckpt-lease: holder_breaker.img: nothing matches\n");
    EXPECT_EQ(run({"show", "--require-match", "--fd", "3", "holder_breaker.img"}).status, 0);
}

TEST_F(Show, TablesForScripts) {
    copy("holder_breaker");
    EXPECT_EQ(
        run({"show", "-r", "--columns", "remaining,path", "--sort", "path", "holder_breaker.img"})
            .out,
        "REMAINING PATH\n- /srv/data/config\n5.25s /srv/data/ledger.db\n");
    EXPECT_EQ(
        run({"show", "-nP", "--columns", "idx,fd", "--target", "F_UNLCK", "holder_breaker.img"})
            .out,
        "IDX=\"0\" FD=\"3\"\n");
    const Result unknown = run({"show", "--sort", "size", "holder_breaker.img"});
    EXPECT_EQ(unknown.status, 2);
    EXPECT_EQ(unknown.out, "");
    EXPECT_EQ(unknown.err.find("ckpt-lease: there is no column 'size' (there are IDX, STATE, "),
              0U);
    for (const char* const option :
         {"--raw", "--pairs", "--noheadings", "--sort=idx", "--columns=idx"}) {
        const Result result = run({"show", "--json", option, "holder_breaker.img"});
        EXPECT_EQ(result.status, 2) << option;
        EXPECT_NE(result.err.find("--json and --"), std::string::npos) << result.err;
    }
    EXPECT_EQ(run({"show", "-r", "-P", "holder_breaker.img"}).status, 2);
}

}  // namespace
}  // namespace e2e
