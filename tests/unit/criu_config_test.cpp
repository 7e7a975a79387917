// SPDX-License-Identifier: GPL-2.0-or-later
// The lines of ckpt-lease in CRIU's configuration files.
#include "hook/criu_config.hpp"

#include <gtest/gtest.h>

#include "ckpt-lease/base/problem.hpp"

namespace ckpt_lease::hook {
namespace {

constexpr const char* kPath = "/usr/bin/ckpt-lease-criu-hook";
constexpr const char* kOurs =
    "# begin ckpt-lease: keeps the time that file leases have left\n"
    "action-script /usr/bin/ckpt-lease-criu-hook\n"
    "file-validation filesize\n"
    "# end ckpt-lease\n";

std::string error_of(const std::function<void()>& call) {
    try {
        call();
    } catch (const Error& error) {
        return to_string(error.problem());
    }
    return "no error";
}

TEST(CriuConfig, TheCommentSaysWhoMadeTheFile) {
    const std::string made = add_hook("", {.script = "", .is_new = true}).text;
    EXPECT_EQ(
        made,
        "# begin ckpt-lease, which made this file: keeps the time that file leases have left\n"
        "file-validation filesize\n"
        "# end ckpt-lease\n");
    EXPECT_EQ(add_hook(made, {.script = ""}).text, made) << "the second time, too";
    EXPECT_TRUE(remove_hook(made).made_file);
    EXPECT_FALSE(remove_hook(add_hook("", {.script = ""}).text).made_file);
}

TEST(CriuConfig, ALineHasAnOptionAndAValue) {
    const auto lines = parse_config(
        "# a comment\n"
        "\n"
        "tcp-established\n"
        "  ghost-limit  5M # as much\n"
        "action-script \"/a b\"\n"
        "log-file 'x'\n"
        "file-validation=buildid");
    ASSERT_EQ(lines.size(), 5U);
    EXPECT_EQ(lines[0].number, 3U);
    EXPECT_EQ(lines[0].option, "tcp-established");
    EXPECT_EQ(lines[0].value, "");
    EXPECT_EQ(lines[1].option, "ghost-limit");
    EXPECT_EQ(lines[1].value, "5M");
    EXPECT_EQ(lines[2].value, "/a b");
    EXPECT_EQ(lines[3].number, 6U);
    EXPECT_EQ(lines[3].value, "'x'") << "criu does not take these off";
    EXPECT_EQ(lines[4].option, "file-validation");
    EXPECT_EQ(lines[4].value, "buildid");
}

TEST(CriuConfig, ACommentBehindAnOptionIsNoValue) {
    const auto lines = parse_config("file-locks # always\n");
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_EQ(lines[0].value, "");
}

TEST(CriuConfig, BeginningsOfOptionsAreKnown) {
    EXPECT_EQ(parse_config("action-scr=/x\n")[0].option, "action-script");
    EXPECT_EQ(parse_config("file-l\n")[0].option, "file-locks");
    EXPECT_EQ(parse_config("file-v filesize\n")[0].option, "file-validation");
    EXPECT_EQ(parse_config("file-\n")[0].option, "file-") << "which of the two?";
}

TEST(CriuConfig, WhatCriuRefusesIsAFault) {
    const auto fault = [](const std::string& text) { return parse_config(text).at(0).fault; };
    EXPECT_EQ(fault("file-validation filesize # so\n"), "");
    EXPECT_EQ(fault("file-validation \"filesize\"\n"), "");
    EXPECT_EQ(fault("file-locks\r\n"), "it ends in a carriage return");
    EXPECT_EQ(fault("file-validation \"filesize\n"), "the quote is not closed");
    EXPECT_EQ(fault("action-script /x extra\n"), "there is more than one value");
    EXPECT_EQ(fault("file-validation 'filesize'\n"), "criu knows filesize and buildid");
    EXPECT_EQ(fault(std::string("file-locks \0\n", 13)), "there is a NUL byte in it");
}

TEST(CriuConfig, TheHookIsPutIntoAnEmptyFile) {
    const ConfigChange change = add_hook("", {kPath, true, false});
    EXPECT_EQ(change.text, kOurs);
    ASSERT_EQ(change.added.size(), 2U);
    EXPECT_EQ(change.added[0].number, 2U);
    EXPECT_EQ(change.added[1].option, "file-validation");
    EXPECT_TRUE(change.removed.empty());
}

TEST(CriuConfig, WhatIsThereStays) {
    const std::string before = "# ours\ntcp-established\nmanage-cgroups ignore";
    const ConfigChange change = add_hook(before, {kPath, true, false});
    EXPECT_EQ(change.text, before + "\n" + kOurs);
    EXPECT_EQ(change.added[0].number, 5U);
}

TEST(CriuConfig, ToPutItThereTwiceChangesNothing) {
    const std::string once = add_hook("tcp-established\n", {kPath, true, true}).text;
    EXPECT_EQ(add_hook(once, {kPath, true, true}).text, once);
}

TEST(CriuConfig, FileLocksAreALineOnlyIfAsked) {
    EXPECT_EQ(add_hook("", {kPath, true, true}).added.back().option, "file-locks");
    const ConfigChange change = add_hook("file-locks\n", {kPath, true, true});
    EXPECT_EQ(change.text, std::string("file-locks\n") + kOurs);
}

TEST(CriuConfig, FileLocksStayWhereTheyWereAskedForBefore) {
    const std::string once = add_hook("", {kPath, true, true}).text;
    EXPECT_EQ(add_hook(once, {kPath, true, false}).text, once);
}

TEST(CriuConfig, AFileCanHaveTheLocksAlone) {
    const ConfigChange change = add_hook("tcp-established\n", {"", false, true});
    EXPECT_EQ(change.text,
              "tcp-established\n"
              "# begin ckpt-lease: keeps the time that file leases have left\n"
              "file-locks\n"
              "# end ckpt-lease\n");
    EXPECT_TRUE(add_hook("file-validation buildid\n", {"", false, true}).kept.empty());
}

// Where CRIU has a plugin that starts the hook.
TEST(CriuConfig, AFileCanHaveTheValidationAlone) {
    EXPECT_EQ(add_hook("", {"", true, false}).text,
              "# begin ckpt-lease: keeps the time that file leases have left\n"
              "file-validation filesize\n"
              "# end ckpt-lease\n");
}

TEST(CriuConfig, WithNothingToWriteOnlyTheHookIsTakenOut) {
    EXPECT_EQ(add_hook(std::string("tcp-established\n") + kOurs, {"", false, false}).text,
              "tcp-established\n");
    EXPECT_EQ(add_hook("", {"", false, false}).text, "");
}

TEST(CriuConfig, AnotherFileValidationIsKeptAndTold) {
    const ConfigChange change = add_hook("file-validation buildid\n", {kPath, true, false});
    EXPECT_EQ(change.added.size(), 1U);
    ASSERT_EQ(change.kept.size(), 1U);
    EXPECT_EQ(change.kept[0].number, 1U);
    EXPECT_EQ(change.kept[0].value, "buildid");
    EXPECT_TRUE(add_hook("file-validation filesize\n", {kPath, true, false}).kept.empty());
}

TEST(CriuConfig, ALineOfTheAdministratorsThatStartsTheHookIsReplaced) {
    const ConfigChange change =
        add_hook("action-script /opt/bin/ckpt-lease-criu-hook\naction-script /opt/mine\n",
                 {kPath, true, false});
    EXPECT_EQ(change.text, std::string("action-script /opt/mine\n") + kOurs);
    ASSERT_EQ(change.removed.size(), 1U);
    EXPECT_EQ(change.removed[0].number, 1U);
    EXPECT_FALSE(change.removed[0].is_ours);
}

TEST(CriuConfig, ItIsTakenOutAgain) {
    const std::string before = "# ours\n\ntcp-established\n";
    EXPECT_EQ(remove_hook(add_hook(before, {kPath, true, true}).text).text, before);
    EXPECT_EQ(remove_hook(add_hook("", {kPath, true, false}).text).text, "");
}

TEST(CriuConfig, WhatCameBehindItStays) {
    const std::string text = std::string(kOurs) + "tcp-established\n";
    const ConfigChange change = remove_hook(text);
    EXPECT_EQ(change.text, "tcp-established\n");
    ASSERT_EQ(change.removed.size(), 2U);
    EXPECT_TRUE(change.removed[0].is_ours);
}

TEST(CriuConfig, LinesOfOthersBetweenTheCommentsStay) {
    const std::string text =
        "# begin ckpt-lease\n"
        "# mine\n"
        "action-script /usr/bin/ckpt-lease-criu-hook\n"
        "tcp-established\n"
        "file-validation buildid\n"
        "# end ckpt-lease\n";
    EXPECT_EQ(remove_hook(text).text, "# mine\ntcp-established\nfile-validation buildid\n");
    EXPECT_EQ(add_hook(text, {kPath, true, false}).kept.size(), 1U);
}

TEST(CriuConfig, AValueBehindAnEqualsSignIsKnown) {
    EXPECT_EQ(remove_hook("action-script=/usr/bin/ckpt-lease-criu-hook\n").text, "");
    EXPECT_EQ(add_hook("file-validation=buildid\n", {kPath, true, false}).kept.size(), 1U);
}

TEST(CriuConfig, ABlockWithoutAnEndIsLeftAlone) {
    const std::string text = "tcp-established\n# begin ckpt-lease\nfile-locks\nghost-limit 5M\n";
    EXPECT_EQ(error_of([&] { static_cast<void>(remove_hook(text)); }),
              "line 2: ckpt-lease's lines begin here, and end nowhere (mend it by hand)");
    EXPECT_EQ(error_of([&] {
                  static_cast<void>(add_hook(text, {kPath, true, false}));
              }),
              "line 2: ckpt-lease's lines begin here, and end nowhere (mend it by hand)");
}

TEST(CriuConfig, ABlockThatBeginsTwiceOrOnlyEndsIsLeftAlone) {
    EXPECT_EQ(error_of([] { static_cast<void>(remove_hook("# end ckpt-lease\n")); }),
              "line 1: ckpt-lease's lines end here, and begin nowhere (mend it by hand)");
    EXPECT_EQ(error_of([] {
                  static_cast<void>(remove_hook("# begin ckpt-lease\n# begin ckpt-lease\n"));
              }),
              "line 2: ckpt-lease's lines begin a second time before they end (mend it by hand)");
}

TEST(CriuConfig, APathThatCriuMightReadOtherwiseIsRefused) {
    EXPECT_EQ(error_of([] {
                  static_cast<void>(add_hook("", {"/a b/hook", true, false}));
              }),
              "/a b/hook: a path with blanks, quotes, backslashes or # cannot be written into a "
              "configuration file of criu (install ckpt-lease in another folder)");
}

TEST(CriuConfig, TheHookIsKnownByItsName) {
    EXPECT_TRUE(
        starts_hook({1, "action-script", "/usr/local/bin/ckpt-lease-criu-hook", "", false}));
    EXPECT_TRUE(starts_hook({1, "action-script", "ckpt-lease-criu-hook", "", false}));
    EXPECT_FALSE(starts_hook({1, "action-script", "/opt/my-ckpt-lease-criu-hook", "", false}));
    EXPECT_FALSE(starts_hook({1, "log-file", "/usr/bin/ckpt-lease-criu-hook", "", false}));
}

}  // namespace
}  // namespace ckpt_lease::hook
