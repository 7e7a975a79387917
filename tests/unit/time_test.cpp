// SPDX-License-Identifier: GPL-2.0-or-later
// Spans, factors and moments as users write them.
#include "ckpt-lease/base/time.hpp"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "support.hpp"

namespace ckpt_lease {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

TEST(ParseDuration, ReadsNumbersAndUnits) {
    const std::vector<std::pair<std::string, Nanoseconds>> cases{
        {"0", 0ns},
        {"90", 90s},
        {"90s", 90s},
        {"1.5", 1500ms},
        {".5", 500ms},
        {"1m30s", 90s},
        {"1h", 3600s},
        {"1.5h", 5400s},
        {"2d", 172800s},
        {"1d2h3m4s5ms6us7ns", 93784s + 5ms + 6us + 7ns},
        {"250ms", 250ms},
        {"10us", 10us},
        {"1ns", 1ns},
        {"0.000000001", 1ns},
        {"1.000000001s", 1s + 1ns},
        {"0.5us", 500ns},
        {"1.5000000000", 1500ms},
        {"007", 7s},
        {"00000000000000000000007", 7s},
        {"1.00000000000000000000s", 1s},
        {"0", 0s},
        {".0", 0s},
        {"+5", 5s},
        {"5 s", 5s},
        {"5min", 300s},
        {"1 min 30 sec", 90s},
        {"+1h 1m", 3660s},
        {"-5", -5s},
        {"-1m30s", -90s},
        {"-0.25", -250ms},
        {"4294967295", 4294967295s},
        {"-4294967295", -4294967295s},
    };
    for (const auto& [text, span] : cases) {
        EXPECT_EQ(parse_duration(text), span) << text;
    }
}

TEST(ParseDuration, RefusesWhatIsNoLengthOfTime) {
    for (const auto* const text :
         {"",    "-",   "--1",  "+",    "+-1",   "1x",     "1m30", "s",     ".",   "1.",
          "1.s", "1e3", " 1",   "1 ",   "1 s ",  "1,5",    "90S",  "1mins", "1 2", "1s 2",
          "+ 1", "- 1", "1\ts", "0x10", "1s-2s", "-1s-2s", "1..5", "inf",   "nan", "ms"}) {
        EXPECT_EQ(refusal([&] { static_cast<void>(parse_duration(text)); }),
                  "'"s + text +
                      "' is not a length of time (write it like 90, 90s, 1.5, 1m30s, 5min, 1h or "
                      "250ms)");
    }
}

TEST(ParseDuration, RefusesWhatIsFinerThanANanosecond) {
    for (const auto* const text :
         {"0.0000000001", "1.5ns", "0.0005us", "-1.0000000001", "0.00000000000000000001"}) {
        EXPECT_EQ(refusal([&] { static_cast<void>(parse_duration(text)); }),
                  "'"s + text + "' is finer than a nanosecond");
    }
}

TEST(ParseDuration, RefusesWhatIsTooLong) {
    for (const auto* const text : {"4294967296", "4294967295.000000001", "50000d", "4294967295s1ns",
                                   "999999999999999999d", "1000000000000000000000"}) {
        EXPECT_EQ(refusal([&] { static_cast<void>(parse_duration(text)); }),
                  "'"s + text + "' is more than 4294967295 seconds");
    }
    for (const auto* const text : {"-4294967296", "-99999999999999999999ns"}) {
        EXPECT_EQ(refusal([&] { static_cast<void>(parse_duration(text)); }),
                  "'"s + text + "' is less than -4294967295 seconds");
    }
}

TEST(FormatSeconds, HasNoNeedlessDigits) {
    const std::vector<std::pair<Nanoseconds, std::string>> cases{
        {0ns, "0"},
        {5250ms, "5.25"},
        {1ns, "0.000000001"},
        {-3s, "-3"},
        {-250ms, "-0.25"},
        {44999999999ns, "44.999999999"},
        {10s, "10"},
        {2147483647s, "2147483647"},
        {Nanoseconds::max(), "9223372036.854775807"},
        {Nanoseconds::min(), "-9223372036.854775808"},
    };
    for (const auto& [span, text] : cases) {
        EXPECT_EQ(format_seconds(span), text);
    }
}

TEST(FormatSeconds, IsReadBackByParseDuration) {
    for (const Nanoseconds span : {0ns, 1ns, 44999999999ns, -5250000001ns, 4294967295000000000ns}) {
        EXPECT_EQ(parse_duration(format_seconds(span)), span);
    }
}

TEST(FactorTest, MultipliesExactly) {
    constexpr Nanoseconds kLimit = 1000000s;
    EXPECT_EQ(Factor::parse("2").times(5250ms, kLimit), 10500ms);
    EXPECT_EQ(Factor::parse("0.5").times(5s, kLimit), 2500ms);
    EXPECT_EQ(Factor::parse("1.25").times(4ns, kLimit), 5ns);
    EXPECT_EQ(Factor::parse(".5").times(2ns, kLimit), 1ns);
    EXPECT_EQ(Factor::parse("1").times(44999999999ns, kLimit), 44999999999ns);
    EXPECT_EQ(Factor::parse("0").times(45s, kLimit), 0ns);
    EXPECT_EQ(Factor::parse("0.1").times(30s, kLimit), 3s) << "not as binary fractions have it";
    EXPECT_EQ(Factor::parse("3").times(0ns, kLimit), 0ns);
}

TEST(FactorTest, RoundsUp) {
    constexpr Nanoseconds kLimit = 1000s;
    EXPECT_EQ(Factor::parse("0.5").times(1ns, kLimit), 1ns);
    EXPECT_EQ(Factor::parse("0.000000001").times(1ns, kLimit), 1ns);
    EXPECT_EQ(Factor::parse("0.333333333").times(10ns, kLimit), 4ns);
}

TEST(FactorTest, StopsAtTheLimit) {
    EXPECT_EQ(Factor::parse("2").times(50s, 100s), 100s);
    EXPECT_EQ(Factor::parse("2").times(50s + 1ns, 100s), 100s);
    EXPECT_EQ(Factor::parse("999999999.999999999").times(9000000000s, 4294967294s), 4294967294s)
        << "no overflow on the way";
}

TEST(FactorTest, RefusesWhatIsNoFactor) {
    for (const auto* const text :
         {"", "-1", "+1", "1.", ".", "x", "1x", " 1", "1 ", "1e3", "2s", "nan", "1,5"}) {
        EXPECT_EQ(refusal([&] { static_cast<void>(Factor::parse(text)); }),
                  "'"s + text +
                      "' is not a factor (write a decimal number that is not negative, like 2, "
                      "0.5 or 1.25)");
    }
}

TEST(FactorTest, RefusesMoreDigitsThanItHas) {
    for (const auto* const text : {"1000000000", "0.0000000001", "1.0000000001",
                                   "100000000000000000000", "0.00000000000000000001"}) {
        EXPECT_EQ(refusal([&] { static_cast<void>(Factor::parse(text)); }),
                  "'"s + text +
                      "' has too many digits for a factor (nine before the point and nine behind "
                      "it are the most)");
    }
}

Nanoseconds since_epoch(const std::string& text) {
    return parse_moment(text).time_since_epoch();
}

TEST(ParseMoment, ReadsDatesAndSeconds) {
    const std::vector<std::pair<std::string, Nanoseconds>> cases{
        {"1970-01-01T00:00:00Z", 0s},
        {"2026-11-22T19:33:00Z", 1795375980s},
        {"2026-11-22T19:33:00.25Z", 1795375980s + 250ms},
        {"2026-11-22T19:33:00.000000001Z", 1795375980s + 1ns},
        {"2026-11-22T20:33:00+01:00", 1795375980s},
        {"2026-11-22T14:03:00-05:30", 1795375980s},
        {"2026-11-22T19:33:00+00:00", 1795375980s},
        {"2026-11-23T01:18:00.5+05:45", 1795375980s + 500ms},
        {"2024-02-29T00:00:00Z", 1709164800s},
        {"@1795375980", 1795375980s},
        {"@1795375980.5", 1795375980s + 500ms},
        {"@0", 0s},
        {"@9000000000", 9000000000s},
    };
    for (const auto& [text, span] : cases) {
        EXPECT_EQ(since_epoch(text), span) << text;
    }
}

void expect_no_moment(const std::string& text) {
    EXPECT_EQ(refusal([&] { static_cast<void>(parse_moment(text)); }),
              "'" + text +
                  "' is not a time (write it like 2026-11-22T19:33:00Z, or @ and seconds since "
                  "the epoch)");
}

TEST(ParseMoment, RefusesWhatIsNoTime) {
    for (const auto* const text : {"",
                                   "@",
                                   "@-1",
                                   "@1x",
                                   "@1Z",
                                   "@ 1",
                                   "@9000000001",
                                   "@1.",
                                   "1795375980",
                                   "yesterday",
                                   "2026-11-22",
                                   "2026-11-22T19:33:00",
                                   "2026-11-22 19:33:00Z",
                                   "2026-11-22T19:33Z",
                                   "2026-13-01T00:00:00Z",
                                   "2026-11-32T00:00:00Z",
                                   "2026-11-22T25:00:00Z",
                                   "2026-11-22T19:33:00z",
                                   "2026-11-22T19:33:00ZZ",
                                   "2026-11-22T19:33:00.Z",
                                   "2026-11-22T19:33:00.0000000001Z",
                                   "2026-11-22T19:33:00+0100",
                                   "2026-11-22T19:33:00+24:00",
                                   "2026-11-22T19:33:00+01:60",
                                   "2026-11-22T19:33:00 01:00",
                                   "2026-11-22T19:33:00+1:000",
                                   "2026-11-22T19:33:00+0a:00",
                                   "1969-12-31T23:59:59Z",
                                   "2251-01-01T00:00:00Z"}) {
        expect_no_moment(text);
    }
}

TEST(ParseMoment, RefusesDaysThatAMonthDoesNotHave) {
    expect_no_moment("2026-02-29T00:00:00Z");
    expect_no_moment("2026-02-31T00:00:00Z");
    expect_no_moment("2026-04-31T00:00:00Z");
}

TEST(ParseMoment, RefusesSpaces) {
    expect_no_moment(" 2026-11-22T19:33:00Z");
    expect_no_moment("2026-11- 2T19:33:00Z");
}

TEST(FormatMoment, IsInUtc) {
    EXPECT_EQ(format_moment(1285123224), "2010-09-22 02:40:24 UTC");
    EXPECT_EQ(format_moment(0), "1970-01-01 00:00:00 UTC");
    EXPECT_EQ(format_moment(1709164800), "2024-02-29 00:00:00 UTC");
}

TEST(FormatMoment, YearsOfMoreThanFourDigitsStayNumbers) {
    EXPECT_EQ(format_moment(253402300799), "9999-12-31 23:59:59 UTC");
    EXPECT_EQ(format_moment(253402300800), "@253402300800");
    EXPECT_EQ(format_moment(UINT64_MAX), "@18446744073709551615");
}

}  // namespace
}  // namespace ckpt_lease
