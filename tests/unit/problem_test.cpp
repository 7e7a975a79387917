// SPDX-License-Identifier: GPL-2.0-or-later
// How problems are told.
#include "ckpt-lease/base/problem.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "support.hpp"

namespace ckpt_lease {
namespace {

Problem whole() {
    Problem problem;
    problem.file = "job.img";
    problem.offset = 4096;
    problem.record = "FILE_LOCK";
    problem.message = "the length is 4";
    problem.hint = "8 is the least";
    return problem;
}

TEST(Problem, HasAllItsParts) {
    EXPECT_EQ(to_string(whole()),
              "job.img: offset 4096: FILE_LOCK: the length is 4 (8 is the least)");
}

TEST(Problem, EachPartMayBeMissing) {
    Problem problem = whole();
    problem.file.clear();
    EXPECT_EQ(to_string(problem), "offset 4096: FILE_LOCK: the length is 4 (8 is the least)");
    problem = whole();
    problem.offset.reset();
    EXPECT_EQ(to_string(problem), "job.img: FILE_LOCK: the length is 4 (8 is the least)");
    problem = whole();
    problem.record.clear();
    EXPECT_EQ(to_string(problem), "job.img: offset 4096: the length is 4 (8 is the least)");
    problem = whole();
    problem.hint.clear();
    EXPECT_EQ(to_string(problem), "job.img: offset 4096: FILE_LOCK: the length is 4");
}

TEST(Problem, MayBeAMessageAlone) {
    Problem problem;
    problem.message = "nothing to do";
    EXPECT_EQ(to_string(problem), "nothing to do");
}

TEST(Problem, OffsetZeroIsAPlace) {
    Problem problem;
    problem.offset = 0;
    problem.message = "no image";
    EXPECT_EQ(to_string(problem), "offset 0: no image");
}

TEST(Problem, ADashIsStandardInput) {
    Problem problem = whole();
    problem.file = "-";
    EXPECT_EQ(to_string(problem),
              "standard input: offset 4096: FILE_LOCK: the length is 4 (8 is the least)");
    problem.file = "./-";
    EXPECT_EQ(to_string(problem).substr(0, 5), "./-: ");
}

TEST(Problem, FileNamesAreEscaped) {
    Problem problem;
    problem.file = "a\nb\x1b[0m\xff";
    problem.message = "odd";
    EXPECT_EQ(to_string(problem), R"(a\nb\x1b[0m\xff: odd)");
}

TEST(ErrorTest, SaysWhatItsProblemSays) {
    const Error error(Error::Kind::io, whole());
    EXPECT_EQ(error.kind(), Error::Kind::io);
    EXPECT_EQ(error.problem().record, "FILE_LOCK");
    EXPECT_STREQ(error.what(), "job.img: offset 4096: FILE_LOCK: the length is 4 (8 is the least)");
}

TEST(ProblemCode, IsOfItsSeverityWhereNothingMoreIsKnown) {
    Problem problem;
    EXPECT_EQ(to_string(code_of(problem)), "damaged");
    problem.severity = Problem::Severity::meaning;
    EXPECT_EQ(to_string(code_of(problem)), "bad_value");
    problem.severity = Problem::Severity::warning;
    EXPECT_EQ(to_string(code_of(problem)), "warning");
    problem.code = Problem::Code::locked;
    EXPECT_EQ(to_string(code_of(problem)), "locked");
}

TEST(ProblemCode, OfAnErrorIsOfItsKindWhereNothingMoreIsKnown) {
    const auto code_of_error = [](Error::Kind kind, Problem::Code code) {
        return to_string(Error(kind, {.message = "odd", .code = code}).problem().code);
    };
    constexpr auto kNone = Problem::Code::by_severity;
    EXPECT_EQ(code_of_error(Error::Kind::damaged, kNone), "damaged");
    EXPECT_EQ(code_of_error(Error::Kind::refused, kNone), "refused");
    EXPECT_EQ(code_of_error(Error::Kind::io, kNone), "io_error");
    EXPECT_EQ(code_of_error(Error::Kind::interrupted, kNone), "stopped");
    EXPECT_EQ(code_of_error(Error::Kind::io, Problem::Code::no_space), "no_space");
    EXPECT_EQ(
        with_outcome(Error(Error::Kind::io, {.code = Problem::Code::no_space}), "x").problem().code,
        Problem::Code::no_space);
}

TEST(ErrorTest, ARefusalIsAboutNoFile) {
    EXPECT_EQ(refusal([] { refuse("no", "try yes"); }), "no (try yes)");
    EXPECT_EQ(refusal([] { refuse("no"); }), "no");
}

}  // namespace
}  // namespace ckpt_lease
