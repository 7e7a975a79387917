// SPDX-License-Identifier: GPL-2.0-or-later
// What users are told of a problem: the library's hint, and the command line's words for its
// advice.
#include "cli/advice.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "cli/app.hpp"
#include "support.hpp"

namespace ckpt_lease::cli {
namespace {

class AdviceTest : public testing::Test {
 protected:
    [[nodiscard]] const CLI::App* command(const std::string& name) {
        return program_.app().get_subcommand(name);
    }
    // What a user of the command is told.
    std::string told(const Problem& problem, const std::string& name = "policy") {
        return text_of(problem, command(name));
    }
    std::string words(Advice advice, const std::string& detail = {},
                      const std::string& name = "policy") {
        return in_words({.message = "m", .advice = advice, .detail = detail}, command(name)).hint;
    }
    static std::vector<Advice> all() {
        std::vector<Advice> all;
        for (auto advice = static_cast<int>(Advice::wait);
             advice <= static_cast<int>(Advice::capture_times); ++advice) {
            all.push_back(static_cast<Advice>(advice));
        }
        return all;
    }
    // Options in `text` that neither the command before them in it has nor, where there is none
    // before, `name`.
    std::vector<std::string> strange_options(const std::string& text, const CLI::App* used) {
        std::vector<std::string> strange;
        std::string plain = text;
        std::replace_if(
            plain.begin(), plain.end(), [](char c) { return c == '\'' || c == ',' || c == ';'; },
            ' ');
        std::istringstream stream(plain);
        bool is_of_others = false;  // criu's
        for (std::string word; stream >> word;) {
            const CLI::App* const named =
                program_.has_command(word) ? program_.app().get_subcommand(word) : nullptr;
            used = named != nullptr ? named : used;
            is_of_others = named == nullptr && (is_of_others || word == "dump");
            if (word.front() == '-' && !is_of_others &&
                used->get_option_no_throw(word) == nullptr) {
                strange.push_back(word);
            }
        }
        return strange;
    }

    Program program_;
};

TEST_F(AdviceTest, WhatIsWrittenElsewhereHasNoUndoFile) {
    Program program;
    const std::vector<const char*> args{"ckpt-lease", "policy", "--keep", "--undo-file", "u", "i"};
    program.app().parse(static_cast<int>(args.size()), args.data());
    const CLI::App* const policy = program.app().get_subcommand("policy");
    EXPECT_EQ(in_words({.message = "m", .advice = Advice::write_elsewhere}, policy).hint,
              "leave --undo-file out and write elsewhere with -o OUT");
    EXPECT_EQ(
        in_words({.message = "m", .hint = "make room", .advice = Advice::write_elsewhere}, policy)
            .hint,
        "make room, or leave --undo-file out and write elsewhere with -o");
    EXPECT_EQ(in_words({.message = "m", .advice = Advice::write_and_copy}, policy).hint,
              "leave --undo-file out and write a file with -o OUT, and copy it back");
}

TEST_F(AdviceTest, HasWordsForAllThatHelps) {
    EXPECT_EQ(words(Advice::none), "");
    for (const Advice advice : all()) {
        const bool has_words = !words(advice, "x").empty() || !words(advice, "x", "edit").empty() ||
                               !words(advice, "x", "undo").empty();
        EXPECT_TRUE(has_words) << test_support::name_of(advice);
    }
}

TEST_F(AdviceTest, NamesNoOptionThatTheCommandDoesNotHave) {
    const auto commands = program_.app().get_subcommands([](const CLI::App*) { return true; });
    ASSERT_EQ(commands.size(), 13U);
    for (const CLI::App* const used : commands) {
        for (const Advice advice : all()) {
            for (const char* const hint : {"", "free some space"}) {
                const Problem problem = in_words({.hint = hint, .advice = advice}, used);
                EXPECT_EQ(strange_options(problem.hint, used), std::vector<std::string>())
                    << used->get_name() << ": " << problem.hint;
            }
        }
    }
}

TEST_F(AdviceTest, OfACommandWithoutTheOptionIsWhatElseHelps) {
    EXPECT_EQ(words(Advice::write_elsewhere, "set fs.protected_hardlinks to 1", "undo"),
              "set fs.protected_hardlinks to 1");
    EXPECT_EQ(
        told({.message = "m", .hint = "h", .advice = Advice::wait, .outcome = "o"}, "criu-hook"),
        "m (h; o)");
    EXPECT_EQ(text_of({.message = "m", .advice = Advice::wait}, nullptr), "m");
}

TEST_F(AdviceTest, NamesWhatItIsAbout) {
    EXPECT_EQ(words(Advice::use_layout, "lease-1"),
              "the layout lease-1 would fit: --layout lease-1");
    EXPECT_EQ(words(Advice::describe_layout),
              "no built-in layout fits; describe this kernel's in a file for --layout, starting "
              "from what 'ckpt-lease layouts lease-1' prints");
    EXPECT_EQ(words(Advice::take_again_for, "padding"),
              "no command changes padding; take the checkpoint again");
}

TEST_F(AdviceTest, StandsBehindTheHint) {
    EXPECT_EQ(told({.file = "j",
                    .message = "it does not fit",
                    .hint = "nothing was changed",
                    .advice = Advice::undo_another},
                   "undo"),
              "j: it does not fit (nothing was changed; --image IMAGE names a copy that it may be "
              "used on)");
}

TEST_F(AdviceTest, ToWriteElsewhereIsTheOtherWay) {
    EXPECT_EQ(words(Advice::write_elsewhere), "write elsewhere with -o OUT");
    EXPECT_EQ(words(Advice::write_elsewhere, "set fs.protected_hardlinks to 1"),
              "write elsewhere with -o OUT, or set fs.protected_hardlinks to 1");
    EXPECT_EQ(told({.message = "the disk is full",
                    .hint = "free some space",
                    .advice = Advice::write_elsewhere,
                    .outcome = "the image is as it was"}),
              "the disk is full (free some space, or write elsewhere with -o; the image is as it "
              "was)");
}

TEST_F(AdviceTest, ThatIsAboutTheOutcomeStandsBehindIt) {
    EXPECT_EQ(text_of(with_outcome(Error(Error::Kind::io, {.message = "m", .hint = "h"}),
                                   "it could not be taken back", Advice::recover_first),
                      command("policy")),
              "m (h; it could not be taken back; do so with 'ckpt-lease recover' before the image "
              "is used)");
}

TEST_F(AdviceTest, OtherExceptionsHaveTheirOwnWords) {
    EXPECT_EQ(text_of(std::runtime_error("x"), nullptr), "x");
}

TEST_F(AdviceTest, NamesTheOptionThatContradictsItself) {
    EXPECT_EQ(refusal([] {
                  check(Filter{.fds = {3, 4}});
              }),
              "two different --fd can never both match (all filters must match: leave "
              "one of them out)");
    EXPECT_EQ(refusal([] {
                  check(Filter{.indexes = {3, 4}});
              }).substr(0, 21),
              "two different --index");
    EXPECT_EQ(refusal([] {
                  check(Filter{.targets = {LockType::unlck, LockType::rdlck}});
              }).substr(0, 22),
              "two different --target");
    EXPECT_EQ(refusal([] {
                  check(Filter{.phases = {Phase::breaking, Phase::held}});
              }),
              "--breaking and --held can never both match (all filters must match: leave "
              "one of them out)");
    EXPECT_NO_THROW(check(Filter{}));
}

TEST_F(AdviceTest, SaysHowATimeThatIsNotKnownIsSet) {
    EXPECT_EQ(reason_of({.reason = std::string(live::kTimeNotKnown)}),
              "the remaining lease is not known: ckpt-lease policy --set says what it is to be");
    EXPECT_EQ(reason_of({.reason = "it is gone"}), "it is gone");
}

}  // namespace
}  // namespace ckpt_lease::cli
