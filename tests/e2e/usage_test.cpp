// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstdlib>
#include <set>
#include <sstream>

#include "support.hpp"

namespace e2e {
namespace {

class Usage : public Test {};

TEST_F(Usage, VersionIsOneLine) {
    const Result result = run({"--version"});
    EXPECT_EQ(result.status, 0);
    EXPECT_EQ(result.out, "ckpt-lease " CKPT_LEASE_VERSION "\n");
}

TEST_F(Usage, TheLastColourCounts) {
    const std::string name = copy("holder_breaker");
    const std::string plain = run({"show", name}).out;
    EXPECT_EQ(run({"show", "--color", "always", "--color", "never", name}).out, plain);
    EXPECT_NE(run({"show", "--color", "never", "--color", "always", name}).out, plain);
    EXPECT_EQ(run({"show", "--log-level", "info", "--log-level", "warning", name}).err, "");
}

TEST_F(Usage, MistakesAreTwoAndSayWhereHelpIs) {
    struct {
        std::vector<std::string> args;
        const char* message;
    } const cases[] = {
        {{}, "ckpt-lease: no command is given (see 'ckpt-lease --help')\n"},
        {{"-q"}, "ckpt-lease: no command is given (see 'ckpt-lease --help')\n"},
        {{"--verson"},
         "ckpt-lease: there is no option --verson (did you mean '--version'? see 'ckpt-lease "
         "--help')\n"},
        {{"-q", "show", "x.img"},
         "ckpt-lease: -q stands before the command: give 'ckpt-lease show -q' (see 'ckpt-lease "
         "show --help')\n"},
        {{"--columns=PID", "show", "x.img"},
         "ckpt-lease: --columns stands before the command: give 'ckpt-lease show --columns LIST' "
         "(see 'ckpt-lease show --help')\n"},
        {{"--foo", "show", "x.img"},
         "ckpt-lease: there is no option --foo (see 'ckpt-lease --help')\n"},
        {{"--colums", "PID", "show", "x.img"},
         "ckpt-lease: there is no option --colums (did you mean '--columns'? see 'ckpt-lease "
         "--help')\n"},
        {{"edit", "--idx", "0", "x.img"},
         "ckpt-lease: there is no option --idx (did you mean '--index'? see 'ckpt-lease edit "
         "--help')\n"},
        {{"edit", "x.img"}, "ckpt-lease: --index is required (see 'ckpt-lease edit --help')\n"},
        {{"show", "--pid"}, "ckpt-lease: --pid needs a value: N (see 'ckpt-lease show --help')\n"},
        {{"frob", "x.img"}, "ckpt-lease: there is no command 'frob' (see 'ckpt-lease --help')\n"},
        {{"verify"}, "ckpt-lease: IMAGE is required (see 'ckpt-lease verify --help')\n"},
        {{"shwo", "x.img"},
         "ckpt-lease: there is no command 'shwo' (did you mean 'show'? see 'ckpt-lease --help')\n"},
        {{"help", "polcy"},
         "ckpt-lease: there is no command 'polcy' (did you mean 'policy'? see 'ckpt-lease "
         "--help')\n"},
        {{"policy", "--favor-holdr", "x.img"},
         "ckpt-lease: there is no option --favor-holdr (did you mean '--favor-holder'? see "
         "'ckpt-lease policy --help')\n"},
        {{"policy", "--keep", "--undo-fiel=u", "x.img"},
         "ckpt-lease: there is no option --undo-fiel (did you mean '--undo-file'? see 'ckpt-lease "
         "policy --help')\n"},
        {{"verify", "--zzz", "x.img"},
         "ckpt-lease: there is no option --zzz (see 'ckpt-lease verify --help')\n"},
        {{"diff", "x.img", "y.img", "z.img"},
         "ckpt-lease: 'z.img' is an argument too many (see 'ckpt-lease diff --help')\n"},
        {{"show", "--log-level", "loud", "x.img"},
         "ckpt-lease: --log-level: give warning, info, debug or trace, not loud (see 'ckpt-lease "
         "show --help')\n"},
        {{"show", "--all", "--pid", "1"},
         "ckpt-lease: --all is about images: of live processes only leases are looked at "
         "(lslocks(8) lists their other locks)\n"},
        {{"policy", "--add", "5", "--add", "6", "x.img"},
         "ckpt-lease: --add is given more than once (see 'ckpt-lease policy --help')\n"},
        {{"edit", "x.img", "--index", "1", "--index", "2"},
         "ckpt-lease: --index is given more than once (see 'ckpt-lease edit --help')\n"},
        {{"policy", "--keep", "--dry-run=false", "x.img"},
         "ckpt-lease: --dry-run takes no value (see 'ckpt-lease policy --help')\n"},
        {{"show", "--all=maybe", "x.img"},
         "ckpt-lease: --all takes no value (see 'ckpt-lease show --help')\n"},
        {{"show", "--brea", "x.img"},
         "ckpt-lease: there is no option --brea (did you mean '--breaking'? see 'ckpt-lease show "
         "--help')\n"},
        {{"diff", "--", "x.img"}, "ckpt-lease: B is required (see 'ckpt-lease diff --help')\n"},
        {{"diff", "--", "x.img", "y.img", "-z"},
         "ckpt-lease: '-z' is an argument too many (see 'ckpt-lease diff --help')\n"},
        {{"show", "--color=some", "--", "x.img"},
         "ckpt-lease: --color: give auto, always or never, not some (see 'ckpt-lease show "
         "--help')\n"},
        {{"show", "--pid", "1", "--pid", "2", "--pid"},
         "ckpt-lease: --pid needs a value: N (see 'ckpt-lease show --help')\n"},
        {{"--pid", "42", "show"},
         "ckpt-lease: --pid stands before the command: give 'ckpt-lease show --pid N' (see "
         "'ckpt-lease show --help')\n"},
        {{"show", "-n=x", "x.img"},
         "ckpt-lease: a short option takes no = (see 'ckpt-lease show --help')\n"},
        {{"undo", "-"},
         "ckpt-lease: an undo file is not read from standard input (give the name of what policy "
         "--undo-file or edit --undo-file kept)\n"},
        {{"show", "-", "-"},
         "ckpt-lease: standard input can be read only once: - is given twice\n"},
        {{"show", "--fd", "1", "--fd", "2", "x.img"},
         "ckpt-lease: two different --fd can never both match (all filters must match: leave "
         "one of them out)\n"},
        {{"show", "--breaking", "--held", "x.img"},
         "ckpt-lease: --breaking and --held can never both match (all filters must match: leave "
         "one of them out)\n"},
        {{"policy", "--keep", "--held", "--breaking", "x.img"},
         "ckpt-lease: --breaking and --held can never both match (all filters must match: leave "
         "one of them out)\n"},
        {{"show", "-q", "-v", "x.img"},
         "ckpt-lease: --verbose and --quiet cannot both be given (see 'ckpt-lease show "
         "--help')\n"},
        {{"diff", "--color", "often", "x.img", "y.img"},
         "ckpt-lease: --color: give auto, always or never, not often (see 'ckpt-lease diff "
         "--help')\n"},
        {{"show", "--target", "F_WRLCK", "x.img"},
         "ckpt-lease: --target F_WRLCK: no lease is ever broken to that (give F_UNLCK or "
         "F_RDLCK)\n"},
        {{"show", "--target", "F_UNLOCK", "x.img"},
         "ckpt-lease: --target F_UNLOCK: no such type (did you mean 'F_UNLCK'?)\n"},
        {{"show", "--target", "unlock", "x.img"},
         "ckpt-lease: --target unlock: no such type (give F_UNLCK or F_RDLCK)\n"},
        {{"edit", "--index", "0", "--type", "F_WRLOCK", "x.img"},
         "ckpt-lease: --type F_WRLOCK: no such type (did you mean 'F_WRLCK'?)\n"},
        {{"policy", "--keep", "--min", "5", "--max", "4", "x.img"},
         "ckpt-lease: the minimum of 5 s is more than the maximum of 4 s\n"},
        {{"policy", "--keep", "-o", "out", "x.img", "y.img"},
         "ckpt-lease: -o takes one image, and several are given (call ckpt-lease once for each)\n"},
        {{"policy", "--keep", "-", "x.img"},
         "ckpt-lease: standard output takes one image: - must be the only one (call ckpt-lease "
         "once "
         "for each)\n"},
        {{"policy", "--set", "123456789012345678.55", "x.img"},
         "ckpt-lease: '123456789012345678.55' is more than 4294967295 seconds\n"},
        {{"policy", "--add", "x", "x.img"},
         "ckpt-lease: 'x' is not a length of time (write it like 90, 90s, 1.5, 1m30s, 5min, 1h or "
         "250ms)\n"},
        {{"policy", "--scale=-1", "x.img"},
         "ckpt-lease: '-1' is not a factor (write a decimal number that is not negative, like 2, "
         "0.5 "
         "or 1.25)\n"},
        {{"edit", "-", "--index", "0", "--remaining", "1"},
         "ckpt-lease: edit needs an image that can be read more than once, and - cannot (save the "
         "image and give its name, or use policy)\n"},
    };
    for (const auto& c : cases) {
        const Result result = run(c.args);
        EXPECT_EQ(result.status, 2) << c.message;
        EXPECT_EQ(result.out, "");
        EXPECT_EQ(result.err, c.message);
    }
}

TEST_F(Usage, WhatIsNoImageIsNamed) {
    struct {
        std::string bytes;
        const char* message;
    } const cases[] = {
        {"", "the file is empty (an image begins with a HEADER record: its type, 1, in 4 bytes)"},
        {"\x1f\x8b\x08",
         "this is no linux-cr image but gzip-compressed data (decompress it first)"},
        {"hello, world",
         "this is no linux-cr image (an image begins with a HEADER record: its "
         "type, 1, in 4 bytes)"},
    };
    for (const auto& c : cases) {
        write_file("x", c.bytes);
        const Result result = run({"records", "x"});
        EXPECT_EQ(result.status, 1);
        EXPECT_EQ(result.err, std::string("ckpt-lease: x: offset 0: ") + c.message + "\n");
        EXPECT_EQ(run({"show", "x"}).status, 1);
        EXPECT_EQ(run({"policy", "--keep", "x"}).status, 1);
        EXPECT_EQ(read_file("x"), c.bytes);
    }
}

TEST_F(Usage, SchemasArePrinted) {
    std::istringstream names(run({"schema"}).out);
    std::set<std::string> seen;
    for (std::string name; std::getline(names, name);) {
        const Result result = run({"schema", name});
        EXPECT_EQ(result.status, 0) << name;
        EXPECT_EQ(result.out, read_file(std::string(SOURCE_ROOT) + "/schemas/" + name + ".json"));
        seen.insert(name);
    }
    EXPECT_EQ(seen, (std::set<std::string>{"apply", "criu-hook", "diff", "edit", "layout",
                                           "layouts", "policy", "records", "recover", "rules",
                                           "show", "undo", "verify", "watch"}));
    const Result result = run({"schema", "shw"});
    EXPECT_EQ(result.status, 2);
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(
        result.err,
        "ckpt-lease: there is no schema 'shw' (there are apply, criu-hook, diff, edit, layout, "
        "layouts, "
        "policy, records, recover, rules, show, undo, verify, watch)\n");
}

TEST_F(Usage, OutputThatCannotBeWrittenIsAFailure) {
    copy("holder_breaker");
    const std::vector<std::string> calls[] = {
        {"show", "holder_breaker.img"},
        {"show", "--json", "holder_breaker.img"},
        {"records", "holder_breaker.img"},
        {"verify", "holder_breaker.img"},
        {"layouts"},
        {"policy", "--keep", "-o", "-", "holder_breaker.img"}};
    for (const auto& call : calls) {
        const Result result = run_to("/dev/full", call);
        EXPECT_EQ(result.status, 3) << call.front();
        const bool has_output = call.front() == "policy";
        EXPECT_EQ(result.err,
                  std::string("ckpt-lease: standard output: cannot write: No space left on device "
                              "(free some space") +
                      (has_output ? ", or write elsewhere with -o)\n" : ")\n"));
    }
}

TEST_F(Usage, MessagesThatNobodyReadsAreNoFailure) {
    const std::string name = copy("holder_breaker");
    EXPECT_EQ(run_without_stderr({"policy", "--set", "5", name}).status, 0);
    EXPECT_NE(read_file(name), image_bytes("holder_breaker"));
}

// As a script writes it whose variable is not set: the next word is no value.
TEST_F(Usage, AnEmptyValueBehindAnEqualsSignIsRefused) {
    const std::string image = copy("holder_breaker");
    write_file("other.img", "other");
    for (const auto& [option, args] : std::vector<std::pair<std::string, std::vector<std::string>>>{
             {"--output", {"policy", "--add", "5", "--output=", "other.img", image}},
             {"--output", {"capture", "--pid", "1", "--output=", "other.img"}},
             {"--add", {"policy", "--add=", "5", image}},
             {"--columns", {"show", "--columns=", "PATH", image}}}) {
        const Result result = run(args);
        EXPECT_EQ(result.status, 2);
        EXPECT_EQ(result.out, "");
        EXPECT_EQ(result.err, "ckpt-lease: " + option +
                                  ": the value is empty (give one, or leave the option out)\n");
    }
    EXPECT_EQ(read_file("other.img"), "other");
    EXPECT_EQ(read_file(image), image_bytes("holder_breaker"));
}

TEST_F(Usage, OptionsTakeOneValueAndLeaveTheImageAlone) {
    const std::string name = copy("holder_breaker");
    EXPECT_EQ(run({"show", "--fd", "3", name, "--json"}).status, 0);
    EXPECT_EQ(run({"policy", "--add", "1", "--path", "/srv/*", name, "-n"}).status, 0);
}

TEST_F(Usage, AFolderIsNoImage) {
    const Result result = run({"show", "."});
    EXPECT_EQ(result.status, 3);
    EXPECT_EQ(
        result.err,
        "ckpt-lease: .: there is no checkpoint and no ckpt-lease.img in this folder (an image "
        "with another name must be given itself)\n");
}

TEST_F(Usage, VerboseSaysWhatIsDone) {
    const Result result = run({"policy", "-vv", "--favor-breaker", copy("holder_breaker")});
    EXPECT_NE(result.err.find("ckpt-lease: debug: offset 1181: 05000000 becomes 00000000\n"),
              std::string::npos)
        << result.err;
}

TEST_F(Usage, NoImageIsWrittenToATerminal) {
    const std::string name = copy("holder_breaker");
    for (const std::string command :
         {"policy --set 7 - <holder_breaker.img", "policy --set 7 -o - holder_breaker.img",
          "edit holder_breaker.img --index 0 --remaining 7 -o -", "capture --pid 1 -o -"}) {
        const std::string in_terminal =
            "script -qefc '" CKPT_LEASE_PROGRAM " " + command + "' /dev/null >out </dev/null";
        const int status = std::system(in_terminal.c_str());
        EXPECT_EQ(WEXITSTATUS(status), 2) << command;
        EXPECT_EQ(read_file("out"),
                  "ckpt-lease: standard output is a terminal, and an image is not written to it "
                  "(send it into a file or a pipe, or give a file with -o OUT)\r\n")
            << command;
    }
    EXPECT_EQ(std::system("script -qefc '" CKPT_LEASE_PROGRAM
                          " policy --set 7 -n - <holder_breaker.img' /dev/null >out </dev/null"),
              0)
        << read_file("out");
    EXPECT_EQ(read_file(name), image_bytes("holder_breaker"));
}

TEST_F(Usage, NothingIsColouredThatGoesIntoAFile) {
    copy("holder_breaker");
    for (const char* const command : {"show", "verify", "records"}) {
        EXPECT_EQ(run({command, "holder_breaker.img"}).out.find('\x1b'), std::string::npos);
    }
}

// The bold line of a lease that is being broken, and the dim one of one that stays as it is.
TEST_F(Usage, ColourIsPrintedWhereItIsAskedFor) {
    copy("holder_breaker");
    const std::string bold = "\x1b[1m  0  breaking";
    const auto shown = [](std::vector<std::string> args) {
        args.insert(args.begin(), "show");
        args.emplace_back("holder_breaker.img");
        return run(args).out;
    };
    EXPECT_NE(shown({"--color", "always"}).find(bold), std::string::npos);
    EXPECT_NE(shown({"--colour=always"}).find(bold), std::string::npos);
    setenv("NO_COLOR", "1", 1);
    EXPECT_NE(shown({"--color=always"}).find(bold), std::string::npos) << "it is asked for";
    unsetenv("NO_COLOR");
    EXPECT_EQ(shown({"--color=auto"}), shown({}));
    const Result report = run({"policy", "--color=always", "--keep", "holder_breaker.img"});
    EXPECT_NE(report.err.find("\x1b[2m"), std::string::npos) << report.err;
}

TEST_F(Usage, ColourOnATerminalIsForTheUserToDecide) {
    copy("holder_breaker");
    const auto is_coloured = [](const std::string& environment, const std::string& options) {
        const std::string command = "TERM=xterm " + environment +
                                    " script -qefc '" CKPT_LEASE_PROGRAM " show " + options +
                                    " holder_breaker.img' /dev/null >out </dev/null";
        EXPECT_EQ(std::system(command.c_str()), 0);
        return read_file("out").find('\x1b') != std::string::npos;
    };
    EXPECT_TRUE(is_coloured("NO_COLOR=", ""));
    EXPECT_TRUE(is_coloured("NO_COLOR=", "--color=auto"));
    EXPECT_FALSE(is_coloured("NO_COLOR=", "--color=never"));
    EXPECT_FALSE(is_coloured("NO_COLOR=1", ""));
    EXPECT_FALSE(is_coloured("NO_COLOR=1", "--color=auto"));
    EXPECT_TRUE(is_coloured("NO_COLOR=1", "--color=always"));
}

TEST_F(Usage, QuietMeansThatResultsAndErrorsAreAllThereIs) {
    copy("holder_breaker");
    const Result policy = run({"policy", "-q", "--set", "5", "holder_breaker.img"});
    EXPECT_EQ(policy.status, 0);
    EXPECT_EQ(policy.out, "");
    EXPECT_EQ(policy.err, "");
    EXPECT_NE(read_file("holder_breaker.img"), image_bytes("holder_breaker"));
    EXPECT_EQ(
        run({"edit", "--quiet", "--index", "0", "--remaining", "7", "holder_breaker.img"}).err, "");
    EXPECT_EQ(
        run({"show", "-q", "-nr", "--columns", "remaining", "--breaking", "holder_breaker.img"})
            .out,
        "7s\n");
    const Result json = run({"policy", "-q", "--json", "--keep", "-o", "-", "holder_breaker.img"});
    EXPECT_EQ(json.out, read_file("holder_breaker.img"));
    EXPECT_EQ(parse_valid("policy", json.err).at("images").size(), 1U) << "it was asked for";
}

TEST_F(Usage, QuietHidesNoError) {
    const Result missing = run({"show", "-q", "missing.img"});
    EXPECT_EQ(missing.status, 3);
    EXPECT_EQ(missing.err, "ckpt-lease: missing.img: cannot open: No such file or directory\n");
    copy("holder_breaker");
    const Result none = run({"show", "-q", "--require-match", "--fd", "9", "holder_breaker.img"});
    EXPECT_EQ(none.status, 4);
    EXPECT_EQ(none.err, "ckpt-lease: holder_breaker.img: nothing matches\n");
}

}  // namespace
}  // namespace e2e
