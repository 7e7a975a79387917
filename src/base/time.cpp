// SPDX-License-Identifier: GPL-2.0-or-later
#include "ckpt-lease/base/time.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <ctime>
#include <optional>

#include "ckpt-lease/base/problem.hpp"
#include "ckpt-lease/base/text.hpp"

namespace ckpt_lease {
namespace {

struct Unit {
    std::string_view name;
    std::uint64_t nanoseconds;
};

constexpr std::array<Unit, 9> kUnits{{
    {"ns", 1},
    {"us", 1'000},
    {"ms", 1'000'000},
    {"s", 1'000'000'000},
    {"sec", 1'000'000'000},
    {"m", 60'000'000'000},
    {"min", 60'000'000'000},
    {"h", 3'600'000'000'000},
    {"d", 86'400'000'000'000},
}};

constexpr std::size_t kMaxDigits = 19;  // of a number in 64 bits

// No record holds more, and sums of two stay in range.
constexpr Nanoseconds kLongest = std::chrono::seconds(4294967295);

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_letter(char c) {
    return c >= 'a' && c <= 'z';
}

bool is_space(char c) {
    return c == ' ';
}

std::string_view take_while(std::string_view& text, bool (*wanted)(char)) {
    const auto end = std::find_if_not(text.begin(), text.end(), wanted);
    const auto taken = text.substr(0, static_cast<std::size_t>(end - text.begin()));
    text.remove_prefix(taken.size());
    return taken;
}

std::string_view take_digits(std::string_view& text) {
    return take_while(text, is_digit);
}

// The number that the digits stand for; nothing where there are none, or too many to be exact.
std::optional<std::uint64_t> to_number(std::string_view digits) {
    std::uint64_t value = 0;
    if (digits.empty() || digits.size() > kMaxDigits) {
        return std::nullopt;
    }
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
}

struct Quotient {
    std::uint64_t whole = 0;
    bool is_exact = true;
};

// a * b / c, exactly: machines of 32 bits have no type that the product fits into. `a` fits into 63
// bits. What is more than a fourth of what 64 bits hold may be said to be UINT64_MAX.
Quotient multiply_and_divide(std::uint64_t a, std::uint64_t b, std::uint64_t c) noexcept {
    // whole * c + rest is always a times the bits of b that were taken.
    std::uint64_t whole = 0;
    std::uint64_t rest = 0;
    const auto add_to_rest = [&](std::uint64_t more) {
        const bool is_full = rest >= c - more;
        rest = is_full ? rest - (c - more) : rest + more;
        whole += is_full ? 1 : 0;
    };
    for (auto bit = static_cast<unsigned>(std::bit_width(b)); bit > 0; --bit) {
        if (whole > UINT64_MAX / 4) {
            return {UINT64_MAX, false};
        }
        whole *= 2;
        add_to_rest(rest);
        if ((b >> (bit - 1) & 1U) != 0) {
            whole += a / c;
            add_to_rest(a % c);
        }
    }
    return {whole, rest == 0};
}

std::string_view without_leading_zeros(std::string_view digits) {
    return digits.substr(std::min(digits.find_first_not_of('0'), digits.size()));
}

struct Decimal {
    std::uint64_t digits = 0;
    std::uint64_t scale = 1;  // a power of ten: the number is digits / scale
};

// "1", "1.5", ".5"; takes what it reads off `text`.
std::optional<Decimal> take_decimal(std::string_view& text) {
    std::string_view whole = take_digits(text);
    std::string_view fraction;
    if (!text.empty() && text.front() == '.') {
        text.remove_prefix(1);
        fraction = take_digits(text);
        if (fraction.empty()) {
            return std::nullopt;
        }
    }
    if (whole.empty() && fraction.empty()) {
        return std::nullopt;
    }
    // Zeros at both ends say nothing.
    whole = without_leading_zeros(whole);
    fraction = fraction.substr(0, fraction.find_last_not_of('0') + 1);
    Decimal decimal;
    for (std::size_t i = 0; i < fraction.size() && i < kMaxDigits; ++i) {
        decimal.scale *= 10;
    }
    const std::string digits = std::string(whole) + std::string(fraction);
    const auto number = to_number(digits.empty() ? "0" : digits);
    if (!number) {
        return std::nullopt;
    }
    decimal.digits = *number;
    return decimal;
}

[[noreturn]] void refuse_duration(std::string_view text) {
    refuse(fmt::format("'{}' is not a length of time", excerpt(text)),
           "write it like 90, 90s, 1.5, 1m30s, 5min, 1h or 250ms");
}

[[noreturn]] void refuse_too_long(std::string_view text) {
    refuse(fmt::format("'{}' is {}4294967295 seconds", excerpt(text),
                       text.starts_with('-') ? "less than -" : "more than "));
}

[[noreturn]] void refuse_too_fine(std::string_view text) {
    refuse(fmt::format("'{}' is finer than a nanosecond", excerpt(text)));
}

// `number` is none, or has more digits than can be computed with.
[[noreturn]] void refuse_number(std::string_view number, std::string_view text) {
    constexpr std::string_view kMostSeconds = "4294967295";
    const std::string_view whole = without_leading_zeros(take_digits(number));
    if (std::pair(whole.size(), whole) > std::pair(kMostSeconds.size(), kMostSeconds)) {
        refuse_too_long(text);
    }
    if (number.size() > 1) {  // the point, and digits
        refuse_too_fine(text);
    }
    refuse_duration(text);
}

std::uint64_t take_component(std::string_view& rest, std::string_view all, bool first) {
    const std::string_view written = rest;
    const auto number = take_decimal(rest);
    if (!number) {
        refuse_number(written.substr(0, written.size() - rest.size()), all);
    }
    std::uint64_t unit = 1'000'000'000;
    if (!rest.empty() || !first) {
        take_while(rest, is_space);
        const std::string_view name = take_while(rest, is_letter);
        const auto* const found = std::find_if(kUnits.begin(), kUnits.end(),
                                               [&](const Unit& u) { return u.name == name; });
        if (found == kUnits.end()) {
            refuse_duration(all);
        }
        unit = found->nanoseconds;
        // Behind a space another number has to stand.
        if (!take_while(rest, is_space).empty() && rest.empty()) {
            refuse_duration(all);
        }
    }
    const Quotient scaled = multiply_and_divide(unit, number->digits, number->scale);
    if (scaled.whole > static_cast<std::uint64_t>(kLongest.count())) {
        refuse_too_long(all);
    }
    if (!scaled.is_exact) {
        refuse_too_fine(all);
    }
    return scaled.whole;
}

// Moments are nanoseconds in 63 bits: they end in the year 2262.
constexpr std::uint64_t kLatest = 9'000'000'000;

// The parts of a moment; each takes what it reads off `rest`.
std::optional<std::int64_t> take_epoch(std::string_view& rest) {
    rest.remove_prefix(1);  // the @
    const auto number = to_number(take_digits(rest));
    if (!number || *number > kLatest) {
        return std::nullopt;
    }
    return static_cast<std::int64_t>(*number);
}

std::optional<std::int64_t> take_date(std::string_view& rest) {
    std::tm tm{};
    const std::string copy(rest);
    const char* const end = strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%S", &tm);
    constexpr int kEarliestYear = 1970 - 1900;
    constexpr int kLatestYear = 2250 - 1900;
    // strptime(3) passes over spaces.
    if (copy.find_first_of(" \t\n") != std::string::npos || end == nullptr ||
        tm.tm_year < kEarliestYear || tm.tm_year > kLatestYear) {
        return std::nullopt;
    }
    rest.remove_prefix(static_cast<std::size_t>(end - copy.c_str()));
    // Not timegm(3): a time_t of 32 bits ends in 2038.
    const std::chrono::year_month_day day(std::chrono::year(tm.tm_year + 1900),
                                          std::chrono::month(static_cast<unsigned>(tm.tm_mon) + 1),
                                          std::chrono::day(static_cast<unsigned>(tm.tm_mday)));
    if (!day.ok()) {  // which the month does not have
        return std::nullopt;
    }
    const std::int64_t days = std::chrono::sys_days(day).time_since_epoch().count();
    return ((days * 24 + tm.tm_hour) * 60 + tm.tm_min) * 60 + tm.tm_sec;
}

std::optional<Nanoseconds> take_fraction(std::string_view& rest) {
    constexpr std::uint64_t kSecond = 1'000'000'000;
    if (!rest.starts_with('.')) {
        return Nanoseconds(0);
    }
    const auto decimal = take_decimal(rest);
    if (!decimal || decimal->scale > kSecond) {
        return std::nullopt;
    }
    return Nanoseconds(static_cast<std::int64_t>(decimal->digits * (kSecond / decimal->scale)));
}

// "Z", "+01:00": seconds east of Greenwich.
std::optional<std::int64_t> take_zone(std::string_view& rest) {
    if (rest == "Z") {
        rest = {};
        return 0;
    }
    constexpr std::size_t kLength = 6;
    if (rest.size() != kLength || (rest[0] != '+' && rest[0] != '-') || rest[3] != ':') {
        return std::nullopt;
    }
    const bool east = rest[0] == '+';
    rest.remove_prefix(1);
    const auto hours = to_number(take_digits(rest));
    rest.remove_prefix(1);  // the colon, or what stands in its place
    const auto minutes = to_number(take_digits(rest));
    if (!hours || !minutes || *hours > 23 || *minutes > 59 || !rest.empty()) {
        return std::nullopt;
    }
    const auto offset = static_cast<std::int64_t>(*hours * 3600 + *minutes * 60);
    return east ? offset : -offset;
}

}  // namespace

Nanoseconds parse_duration(std::string_view text) {
    std::string_view rest = text;
    const bool negative = !rest.empty() && rest.front() == '-';
    if (negative || rest.starts_with('+')) {
        rest.remove_prefix(1);
    }
    if (rest.empty()) {
        refuse_duration(text);
    }
    std::uint64_t total = 0;
    for (bool first = true; !rest.empty(); first = false) {
        total += take_component(rest, text, first);
        if (total > static_cast<std::uint64_t>(kLongest.count())) {
            refuse_too_long(text);
        }
    }
    const auto span = static_cast<std::int64_t>(total);
    return Nanoseconds(negative ? -span : span);
}

char* write_seconds(char* to, Nanoseconds span) noexcept {
    constexpr std::uint64_t kSecond = 1'000'000'000;
    const bool negative = span.count() < 0;
    const auto magnitude = negative ? ~static_cast<std::uint64_t>(span.count()) + 1
                                    : static_cast<std::uint64_t>(span.count());
    if (negative) {
        *to++ = '-';
    }
    constexpr std::ptrdiff_t kMostDigits = 20;
    to = std::to_chars(to, to + kMostDigits, magnitude / kSecond).ptr;
    std::uint64_t fraction = magnitude % kSecond;
    if (fraction == 0) {
        return to;
    }
    // Nine digits behind the point, without the zeros at the end.
    std::size_t digits = 9;
    for (; fraction % 10 == 0; fraction /= 10) {
        --digits;
    }
    *to++ = '.';
    for (std::size_t i = digits; i > 0; --i, fraction /= 10) {
        to[i - 1] = static_cast<char>('0' + fraction % 10);
    }
    return to + digits;
}

std::string format_seconds(Nanoseconds span) {
    std::array<char, kLongestSeconds> text{};
    return {text.data(), write_seconds(text.data(), span)};
}

Factor Factor::parse(std::string_view text) {
    std::string_view rest = text;
    const auto number = take_decimal(rest);
    const bool is_number = rest.empty() && !text.empty() && is_digit(text.back());
    if (!is_number) {
        refuse(fmt::format("'{}' is not a factor", excerpt(text)),
               "write a decimal number that is not negative, like 2, 0.5 or 1.25");
    }
    if (!number || number->scale > 1'000'000'000 ||
        number->digits / number->scale >= 1'000'000'000) {
        refuse(fmt::format("'{}' has too many digits for a factor", excerpt(text)),
               "nine before the point and nine behind it are the most");
    }
    Factor factor;
    factor.digits_ = number->digits;
    factor.scale_ = number->scale;
    return factor;
}

Nanoseconds Factor::times(Nanoseconds span, Nanoseconds limit) const noexcept {
    const auto [whole, is_exact] =
        multiply_and_divide(digits_, static_cast<std::uint64_t>(span.count()), scale_);
    const auto most = static_cast<std::uint64_t>(limit.count());
    return whole >= most ? limit
                         : Nanoseconds(static_cast<std::int64_t>(whole + (is_exact ? 0 : 1)));
}

Moment parse_moment(std::string_view text) {
    std::string_view rest = text;
    const bool is_number = text.starts_with('@');
    std::optional<std::int64_t> seconds = is_number ? take_epoch(rest) : take_date(rest);
    const std::optional<Nanoseconds> fraction = take_fraction(rest);
    const std::optional<std::int64_t> zone = is_number ? 0 : take_zone(rest);
    if (!seconds || !fraction || !zone || !rest.empty()) {
        refuse(fmt::format("'{}' is not a time", text),
               "write it like 2026-11-22T19:33:00Z, or @ and seconds since the epoch");
    }
    return Moment(std::chrono::seconds(*seconds - *zone) + *fraction);
}

std::string format_moment(std::uint64_t seconds_since_epoch) {
    constexpr std::uint64_t kEndOfYear9999 = 253'402'300'799;
    if (seconds_since_epoch > kEndOfYear9999) {
        return fmt::format("@{}", seconds_since_epoch);
    }
    constexpr std::uint64_t kDay = 86'400;
    const std::chrono::year_month_day day(std::chrono::sys_days(
        std::chrono::days(static_cast<std::int32_t>(seconds_since_epoch / kDay))));
    const std::uint64_t second = seconds_since_epoch % kDay;
    return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC", static_cast<int>(day.year()),
                       static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()),
                       second / 3600, second / 60 % 60, second % 60);
}

}  // namespace ckpt_lease
